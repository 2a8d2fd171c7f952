//! Replays on request: the context `ticks`.
//!
//! [`StartReplay`] is checked and recorded as a wish; its command stays
//! `processing` until a worker, which takes wishes from the [`ReplayQueue`], has ended it. What a worker plays is
//! what the [`ReplaySources`] of the recorded plan say. The process that serves the context gives the bus two
//! resources: the folder of [`Captures`], and how an account's rules are checked, [`AccountCheck`].

use std::path::Path;

use bus::{SqliteStore, StoreError};
use tick_sdk::contracts::ticks::StartReplay;

mod cancel;
mod captures;
mod check;
mod deployed;
mod forget;
mod log;
mod pages;
mod plan;
mod queue;
mod start;

pub use captures::{CaptureError, Captures, CapturesError};
pub use check::{InvalidStrategy, MAX_STRATEGIES, named_strategy};
pub use pages::{MOST_PAGE_BYTES, stored_page};
pub use plan::{InvalidReplay, ReplaySources, parse_time};
pub use queue::{ClaimedReplay, QueueError, ReplayEnd, ReplayQueue, Standing};

/// The most files of one replay.
pub const MAX_FILES: usize = 1_000;

/// Checks what a plan says of its account, fill, slippage, fee and capital, in the words of whoever keeps accounts: the
/// ticks' side knows none. The error says which of them is wrong, and why.
#[derive(Clone, Copy, Debug)]
pub struct AccountCheck(pub fn(&StartReplay) -> Result<(), String>);

/// Where a replay stands, as its row has it. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It waits for a worker.
    Waiting = 0,
    /// A worker has it, or had it when it was killed.
    Running = 1,
    Completed = 2,
    Failed = 3,
    Cancelled = 4,
    /// Its row stays as long as somebody may not know that, so that nothing plays it again.
    Forgotten = 5,
}

impl State {
    fn of(number: i64) -> Option<Self> {
        let ended = [Self::Completed, Self::Failed, Self::Cancelled, Self::Forgotten];
        let mut all = [Self::Waiting, Self::Running].into_iter().chain(ended);
        all.find(|state| *state as i64 == number)
    }
}

/// Replays, and what is deployed for those that name no strategies. Ids are 16 bytes, times ms since the UNIX
/// epoch, plans and parameters JSON; where something was deployed, changed and stopped are positions in the log of
/// `strategies`. `taken_over` counts the workers in a row that vanished without getting beyond `furthest_ppm`, the
/// share that is played in millionths, which was reached at `furthest_at_ms`. `replay_event` has the positions of a replay's own events, `forgotten_replay_event` those of
/// events that say that one is forgotten, `replay_page` their reports.
pub const TABLES: &str = "
CREATE TABLE IF NOT EXISTS replay (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    replay_id BLOB NOT NULL UNIQUE,
    conversation_id BLOB NOT NULL,
    initiator_id BLOB,
    attempts INTEGER NOT NULL,
    plan TEXT NOT NULL,
    state INTEGER NOT NULL,
    is_cancel_wanted INTEGER NOT NULL DEFAULT 0,
    run TEXT,
    epoch INTEGER NOT NULL DEFAULT 0,
    requeued INTEGER NOT NULL DEFAULT 0,
    taken_over INTEGER NOT NULL DEFAULT 0,
    furthest_ppm INTEGER NOT NULL DEFAULT 0,
    furthest_at_ms INTEGER NOT NULL DEFAULT 0,
    leased_until_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS replay_open ON replay (seq) WHERE state <= 1;
CREATE TABLE IF NOT EXISTS replay_event (
    replay_id BLOB NOT NULL,
    position INTEGER NOT NULL,
    is_progress INTEGER NOT NULL,
    PRIMARY KEY (replay_id, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forgotten_replay_event (
    position INTEGER PRIMARY KEY,
    replay_id BLOB NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS replay_page (
    replay_id BLOB PRIMARY KEY,
    stored_at_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    page BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS deployed (
    name TEXT PRIMARY KEY,
    strategy TEXT NOT NULL DEFAULT '',
    is_for_replays INTEGER NOT NULL DEFAULT 0,
    parameters TEXT NOT NULL DEFAULT '{}',
    revision INTEGER NOT NULL DEFAULT 0,
    deployed_at INTEGER NOT NULL DEFAULT 0,
    changed_at INTEGER NOT NULL DEFAULT 0,
    stopped_at INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
";

/// Opens the context's store, and makes it where it is missing.
///
/// # Errors
/// The file cannot be made, or is of another version.
pub fn open(file: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(file, TABLES)
}

#[cfg(test)]
mod tests;
