//! Replays that are played in this process: each has a ledger of its own, in `replays/` in the state folder.

use std::path::{Path, PathBuf};

use strategy_host::ledger::LedgerError;
use tick_ingest::replays::{Captures, ClaimedReplay, QueueError, ReplayQueue};
use uuid::Uuid;

use super::plan::replay_plan;
use super::player::{BeginError, Prepared, PreparedPlay};
use crate::replay::{self, ReplayError};

/// The folder of the ledgers of replays.
#[derive(Clone, Debug)]
pub(super) struct Ledgers(pub(super) PathBuf);

impl Ledgers {
    /// Opens a replay's ledger, which it goes on with where there is one. One that failed, and was asked for
    /// again because its files were mended, begins anew beside the first.
    pub(super) fn prepare(
        &self,
        claimed: &ClaimedReplay,
        captures: &Captures,
    ) -> Result<Prepared, BeginError> {
        let [folder, anew] = self.both(claimed);
        match open(claimed, captures, folder) {
            Err(BeginError::Replay(ReplayError::Ledger(LedgerError::OtherRun { difference }))) => {
                if claimed.requeued == 0 {
                    return Err(BeginError::Changed { difference });
                }
                open(claimed, captures, anew)
            }
            opened => opened,
        }
    }

    /// The ledgers that a replay has.
    pub(super) fn all(&self, claimed: &ClaimedReplay) -> Vec<String> {
        self.folders(claimed).iter().map(|folder| text(folder)).collect()
    }

    fn folders(&self, claimed: &ClaimedReplay) -> Vec<PathBuf> {
        self.both(claimed).into_iter().filter(|folder| folder.exists()).collect()
    }

    /// Removes the ledgers of a replay that needs none any more: its signals are in the log of `strategies`.
    pub(super) fn remove(&self, claimed: &ClaimedReplay) {
        self.folders(claimed).iter().for_each(|folder| remove(folder));
    }

    /// Removes those that an earlier process had no time to remove, and those of replays that were forgotten.
    pub(super) fn sweep(&self, queue: &ReplayQueue) -> Result<(), QueueError> {
        for (_, folder) in done_with(&self.0, queue)? {
            remove(&folder);
        }
        Ok(())
    }

    /// Where it began, and where it begins anew.
    fn both(&self, claimed: &ClaimedReplay) -> [PathBuf; 2] {
        let anew = format!("{}.{}", claimed.replay_id, claimed.requeued);
        [self.0.join(claimed.replay_id.to_string()), self.0.join(anew)]
    }
}

/// The folders of a folder of replays whose replays have ended or are forgotten.
pub(super) fn done_with(folder: &Path, queue: &ReplayQueue) -> Result<Vec<(Uuid, PathBuf)>, QueueError> {
    let mut done = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(done) };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let replay = name.to_str().and_then(|name| name.split('.').next()).and_then(|id| id.parse().ok());
        if let Some(replay_id) = replay
            && queue.is_done_with(replay_id)?
        {
            done.push((replay_id, entry.path()));
        }
    }
    Ok(done)
}

/// A folder as whoever opens a ledger names it: the folder of state is text, and what is made in it has plain names.
fn text(folder: &Path) -> String {
    folder.to_string_lossy().into_owned()
}

pub(super) fn remove(folder: &Path) {
    // Another worker may have been first.
    if let Err(error) = std::fs::remove_dir_all(folder)
        && folder.exists()
    {
        tracing::warn!(folder = %folder.display(), %error, "what a replay needs no more stays");
    }
}

fn open(claimed: &ClaimedReplay, captures: &Captures, folder: PathBuf) -> Result<Prepared, BeginError> {
    let plan = replay_plan(&claimed.plan, captures, folder.clone())?;
    let selection = plan.selection.clone();
    let replay = replay::prepare(plan)?;
    Ok(Prepared {
        run: replay.run(),
        is_resumed: replay.is_resumed(),
        feed: None,
        ledger: text(&folder),
        selection,
        play: PreparedPlay::InProcess(Box::new(replay)),
    })
}
