//! Counts what was disturbed, and what came back to work after it.

use std::collections::BTreeMap;
use std::time::Duration;

use strategy_host::ledger::{LaneId, Ledger};
use tick_sdk::names::RunId;

use crate::waiting::wait_until;

/// After a disturbance every lane goes on within this time: a silent member of the membership counts
/// for 3 s, a silent connection for 6 s, and the machine is small.
pub(crate) const RECOVERY: Duration = Duration::from_secs(60);

/// Keeps the count of one case.
pub(crate) struct Disturber {
    ledger: Box<dyn Ledger>,
    run: RunId,
    open: Vec<Disturbance>,
    pub(crate) disturbed: usize,
}

/// What was done, and where the cursors of the lanes that it concerns stood.
struct Disturbance {
    what: String,
    cursors: BTreeMap<LaneId, u64>,
}

impl Disturber {
    pub(crate) fn new(ledger_url: &str, run: RunId) -> Self {
        let ledger = strategy_host::ledger::open(ledger_url).expect("the ledger opens");
        Self { ledger, run, open: Vec::new(), disturbed: 0 }
    }

    /// Notes that this was just done to everything, or to one strategy.
    pub(crate) fn note(&mut self, what: &str, strategy: Option<&str>) {
        let lanes = self.lanes_of(strategy);
        assert!(!have_ended(&lanes), "{what}: too late, as everything had come to its end");
        let cursors = lanes.into_iter().map(|(lane, (cursor, _))| (lane, cursor)).collect();
        self.open.push(Disturbance { what: what.to_owned(), cursors });
        self.disturbed += 1;
    }

    /// Whether a strategy has come to its end.
    pub(crate) fn is_over(&self, strategy: &str) -> bool {
        have_ended(&self.lanes_of(Some(strategy)))
    }

    fn lanes_of(&self, strategy: Option<&str>) -> BTreeMap<LaneId, (u64, bool)> {
        let mut lanes = self.cursors();
        lanes.retain(|lane, _| strategy.is_none_or(|name| lane.strategy == *name));
        lanes
    }

    /// Waits until every lane has gone on since the last disturbance, or is at the run's end.
    #[track_caller]
    pub(crate) fn wait_for_recovery(&mut self) {
        let what = self.open.iter().map(|one| one.what.as_str()).collect::<Vec<_>>().join(", ");
        wait_until(&format!("recovery after: {what}"), RECOVERY, || self.look());
    }

    /// How many have recovered so far.
    pub(crate) fn recovered(&mut self) -> usize {
        self.look();
        self.disturbed - self.open.len()
    }

    fn look(&mut self) -> bool {
        if !self.open.is_empty() {
            let now = self.cursors();
            let went_on = |(lane, before): (&LaneId, &u64)| {
                now.get(lane).is_some_and(|(cursor, ended)| cursor > before || *ended)
            };
            self.open.retain(|one| !one.cursors.iter().all(went_on));
        }
        self.open.is_empty()
    }

    /// How many ticks' effects are committed, over all lanes of these strategies.
    pub(crate) fn committed(&self) -> u64 {
        self.cursors().values().map(|(cursor, _)| cursor).sum()
    }

    /// How many ticks one strategy has committed.
    pub(crate) fn committed_by(&self, strategy: &str) -> u64 {
        let lanes = self.cursors().into_iter().filter(|(lane, _)| lane.strategy.as_str() == strategy);
        lanes.map(|(_, (cursor, _))| cursor).sum()
    }

    /// Every lane's cursor, and whether it has ended.
    pub(crate) fn cursors(&self) -> BTreeMap<LaneId, (u64, bool)> {
        let lanes = self.ledger.lanes(self.run).expect("the ledger is read");
        lanes.into_iter().map(|row| (row.lane, (row.cursor, row.ended))).collect()
    }

    /// How often each lane was claimed.
    pub(crate) fn epochs(&self) -> BTreeMap<LaneId, u64> {
        let lanes = self.ledger.lanes(self.run).expect("the ledger is read");
        lanes.into_iter().map(|row| (row.lane, row.epoch)).collect()
    }
}

fn have_ended(lanes: &BTreeMap<LaneId, (u64, bool)>) -> bool {
    !lanes.is_empty() && lanes.values().all(|(_, ended)| *ended)
}
