//! A ledger in memory, gone with the process.

use std::collections::BTreeMap;

use tick_sdk::run::Manifest;
use tick_sdk::{NewInstrument, RunId};

use super::{Claim, Commit, Identity, LaneId, Ledger, LedgerError, OpenedRun, StoredBatch};

/// Keeps everything in maps.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    run: Option<(RunId, Manifest)>,
    identities: BTreeMap<String, Identity>,
    lanes: BTreeMap<LaneId, StoredLane>,
    dictionaries: BTreeMap<u16, Vec<NewInstrument>>,
}

#[derive(Debug, Default)]
struct StoredLane {
    epoch: u64,
    cursor: u64,
    state_seq: u64,
    ended: bool,
    states: BTreeMap<String, Vec<u8>>,
    batches: BTreeMap<u64, Vec<u8>>,
}

impl Ledger for MemoryLedger {
    fn open_run(&mut self, manifest: &Manifest) -> Result<OpenedRun, LedgerError> {
        if let Some((run, recorded)) = &self.run {
            return match recorded.difference(manifest) {
                Some(difference) => Err(LedgerError::OtherRun { difference }),
                None => Ok(OpenedRun { run: *run, resumed: true }),
            };
        }
        let run = RunId::random();
        self.run = Some((run, manifest.clone()));
        Ok(OpenedRun { run, resumed: false })
    }

    fn identify(&mut self, _: RunId, identity: &Identity) -> Result<(), LedgerError> {
        identity.compare(self.identities.entry(identity.name.clone()).or_insert_with(|| identity.clone()))
    }

    fn claim(&mut self, lane: &LaneId) -> Result<Claim, LedgerError> {
        let dictionary = self.dictionaries.get(&lane.shard).cloned().unwrap_or_default();
        let stored = self.lanes.entry(lane.clone()).or_default();
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
            if !commit.signals.is_empty() {
                stored.batches.insert(commit.from_seq, commit.signals.clone());
            }
            if let Some(states) = &commit.states {
                stored.state_seq = commit.to_seq;
                stored.states.extend(states.iter().cloned());
            }
            let dictionary = self.dictionaries.entry(commit.lane.shard).or_default();
            let known = dictionary.len();
            dictionary.extend(commit.new_instruments.iter().filter(|new| new.id as usize >= known).cloned());
        }
        Ok(fenced)
    }

    fn batches(&self, lane: &LaneId, from_seq: u64, limit: usize) -> Result<Vec<StoredBatch>, LedgerError> {
        let Some(stored) = self.lanes.get(lane) else { return Ok(Vec::new()) };
        let batches = stored.batches.range(from_seq..).take(limit);
        Ok(batches.map(|(&from_seq, signals)| StoredBatch { from_seq, signals: signals.clone() }).collect())
    }

    fn dictionary(&self, _: RunId, shard: u16) -> Result<Vec<NewInstrument>, LedgerError> {
        Ok(self.dictionaries.get(&shard).cloned().unwrap_or_default())
    }
}
