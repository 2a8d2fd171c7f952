//! A ledger in memory, gone with the process.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tick_feed::NewInstrument;
use tick_feed::run::Manifest;
use tick_sdk::names::{RunId, StrategyName};

use super::{
    Claim, Commit, Identity, LaneId, LaneRow, Ledger, LedgerError, MEMBER_FORGOTTEN, MEMBER_LIVES, MemberRow,
    OpenedRun, RunRow, StoredBatch, compare_feeds,
};

/// Keeps everything in maps.
#[derive(Debug)]
pub struct MemoryLedger {
    id: String,
    /// In order of recording; a replay's run has no feed.
    runs: Vec<(Option<String>, RunRow)>,
    identities: BTreeMap<(RunId, StrategyName), Identity>,
    lanes: BTreeMap<LaneId, StoredLane>,
    dictionaries: BTreeMap<(RunId, u16), Vec<NewInstrument>>,
    /// The last beat of each (run, strategy, member), on this ledger's clock.
    members: BTreeMap<(RunId, StrategyName, String), Duration>,
    made_at: Instant,
    /// By how much the clock is ahead of the machine's.
    ahead: Duration,
}

#[derive(Debug, Default)]
struct StoredLane {
    epoch: u64,
    cursor: u64,
    state_seq: u64,
    skipped: u64,
    ended: bool,
    states: BTreeMap<String, Vec<u8>>,
    batches: BTreeMap<u64, Vec<u8>>,
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self {
            id: RunId::random().to_string(),
            runs: Vec::new(),
            identities: BTreeMap::new(),
            lanes: BTreeMap::new(),
            dictionaries: BTreeMap::new(),
            members: BTreeMap::new(),
            made_at: Instant::now(),
            ahead: Duration::ZERO,
        }
    }
}

impl MemoryLedger {
    /// Puts the clock of the members forward, for tests.
    pub fn pass(&mut self, time: Duration) {
        self.ahead += time;
    }

    fn now(&self) -> Duration {
        self.made_at.elapsed() + self.ahead
    }
}

impl Ledger for MemoryLedger {
    fn id(&self) -> &str {
        &self.id
    }

    fn open_run(&mut self, manifest: &Manifest) -> Result<OpenedRun, LedgerError> {
        if let Some((_, recorded)) = self.runs.iter().find(|(feed, _)| feed.is_none()) {
            recorded.compare(manifest)?;
            return Ok(OpenedRun { run: recorded.run, resumed: true });
        }
        let run = RunId::random();
        self.runs.push((None, RunRow { run, manifest: manifest.clone() }));
        Ok(OpenedRun { run, resumed: false })
    }

    fn record_run(&mut self, run: RunId, feed: &str, manifest: &Manifest) -> Result<(), LedgerError> {
        match self.runs.iter().find(|(_, recorded)| recorded.run == run) {
            Some((recorded_feed, recorded)) => {
                compare_feeds(recorded_feed.as_deref(), feed)?;
                recorded.compare(manifest)
            }
            None => {
                self.runs.push((Some(feed.to_owned()), RunRow { run, manifest: manifest.clone() }));
                Ok(())
            }
        }
    }

    fn runs(&self, feed: &str) -> Result<Vec<RunRow>, LedgerError> {
        let of_feed = self.runs.iter().rev().filter(|(recorded, _)| recorded.as_deref() == Some(feed));
        Ok(of_feed.map(|(_, row)| row.clone()).collect())
    }

    fn identify(&mut self, run: RunId, identity: &Identity) -> Result<(), LedgerError> {
        let recorded = self.identities.entry((run, identity.name.clone()));
        identity.compare(recorded.or_insert_with(|| identity.clone()))
    }

    fn claim(&mut self, lane: &LaneId, begins_at: u64) -> Result<Claim, LedgerError> {
        let dictionary = self.dictionary(lane.run, lane.shard)?;
        let begun = || StoredLane { cursor: begins_at, state_seq: begins_at, ..StoredLane::default() };
        let stored = self.lanes.entry(lane.clone()).or_insert_with(begun);
        stored.epoch += 1;
        Ok(Claim {
            epoch: stored.epoch,
            cursor: stored.cursor,
            state_seq: stored.state_seq,
            ended: stored.ended,
            dictionary,
            states: stored.states.clone().into_iter().collect(),
        })
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<Vec<usize>, LedgerError> {
        let mut fenced = Vec::new();
        for (place, commit) in commits.iter().enumerate() {
            let Some(stored) = self.lanes.get_mut(&commit.lane) else {
                fenced.push(place);
                continue;
            };
            if stored.epoch != commit.epoch || stored.cursor != commit.from_seq || stored.ended {
                fenced.push(place);
                continue;
            }
            stored.cursor = commit.to_seq;
            stored.ended = commit.ended;
            stored.skipped += commit.skipped;
            if !commit.signals.is_empty() {
                stored.batches.insert(commit.from_seq, commit.signals.clone());
            }
            if let Some(states) = &commit.states {
                stored.state_seq = commit.to_seq;
                stored.states.extend(states.iter().cloned());
            }
            let dictionary = self.dictionaries.entry((commit.lane.run, commit.lane.shard)).or_default();
            let known = dictionary.len();
            dictionary.extend(commit.new_instruments.iter().filter(|new| new.id as usize >= known).cloned());
        }
        Ok(fenced)
    }

    fn lanes(&self, run: RunId) -> Result<Vec<LaneRow>, LedgerError> {
        let of_run = self.lanes.iter().filter(|(lane, _)| lane.run == run);
        Ok(of_run
            .map(|(lane, stored)| LaneRow {
                lane: lane.clone(),
                epoch: stored.epoch,
                cursor: stored.cursor,
                state_seq: stored.state_seq,
                skipped: stored.skipped,
                ended: stored.ended,
            })
            .collect())
    }

    fn batches(&self, lane: &LaneId, from_seq: u64, limit: usize) -> Result<Vec<StoredBatch>, LedgerError> {
        let Some(stored) = self.lanes.get(lane) else { return Ok(Vec::new()) };
        let batches = stored.batches.range(from_seq..).take(limit);
        Ok(batches.map(|(&from_seq, signals)| StoredBatch { from_seq, signals: signals.clone() }).collect())
    }

    fn batch_at(&self, lane: &LaneId, seq: u64) -> Result<Option<u64>, LedgerError> {
        let stored = self.lanes.get(lane);
        Ok(stored.and_then(|stored| stored.batches.range(..=seq).next_back()).map(|(begins, _)| *begins))
    }

    fn dictionary(&self, run: RunId, shard: u16) -> Result<Vec<NewInstrument>, LedgerError> {
        Ok(self.dictionaries.get(&(run, shard)).cloned().unwrap_or_default())
    }

    fn beat(
        &mut self,
        run: RunId,
        strategy: &StrategyName,
        member: &str,
    ) -> Result<Vec<String>, LedgerError> {
        let now = self.now();
        self.members.insert((run, strategy.clone(), member.to_owned()), now);
        self.members.retain(|_, beat| now.saturating_sub(*beat) <= MEMBER_FORGOTTEN);
        let live = self.members(run)?.into_iter();
        let live = live.filter(|row| row.strategy == *strategy && row.silent <= MEMBER_LIVES);
        Ok(live.map(|row| row.member).collect())
    }

    fn leave(&mut self, run: RunId, strategy: &StrategyName, member: &str) -> Result<(), LedgerError> {
        self.members.remove(&(run, strategy.clone(), member.to_owned()));
        Ok(())
    }

    fn members(&self, run: RunId) -> Result<Vec<MemberRow>, LedgerError> {
        let now = self.now();
        let of_run = self.members.iter().filter(|((of, _, _), _)| *of == run);
        Ok(of_run
            .map(|((_, strategy, member), beat)| MemberRow {
                strategy: strategy.clone(),
                member: member.clone(),
                silent: now.saturating_sub(*beat),
            })
            .collect())
    }

    fn forget_run(&mut self, run: RunId) -> Result<bool, LedgerError> {
        self.runs.retain(|(_, recorded)| recorded.run != run);
        self.identities.retain(|(of, _), _| *of != run);
        self.lanes.retain(|lane, _| lane.run != run);
        self.dictionaries.retain(|(of, _), _| *of != run);
        self.members.retain(|(of, _, _), _| *of != run);
        Ok(false)
    }
}
