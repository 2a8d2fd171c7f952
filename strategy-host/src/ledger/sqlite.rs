//! A ledger in one SQLite file: write-ahead log, one transaction a commit.
//!
//! The log is synchronised at checkpoints. A kill of the process loses nothing; a loss of power may
//! lose the last commits whole, and with them the cursor, so a resumed run makes them again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use tick_feed::NewInstrument;
use tick_feed::run::Manifest;
use tick_sdk::names::{RunId, StrategyName};

use super::{
    Claim, Commit, Identity, LaneId, LaneRow, Ledger, LedgerError, MEMBER_CALL_TIMEOUT, MemberRow, OpenedRun,
    RunRow, StoredBatch, checkpoint, compare_feeds, report_fenced,
};

mod lane;
mod lock;
mod members;
mod name;
mod runs;
mod schema;
mod state;

use lock::{FolderLock, Sharing};
use runs::{RECORD_RUN, readable, recorded_runs};
use schema::{SCHEMA_VERSION, prepare_schema};

/// How long another process's transaction is waited for, unless a caller says otherwise.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The log grows to 32 MiB before it is carried over into the database, which synchronises both: at
/// full speed, the usual 4 MiB would do so every few commits.
const CHECKPOINT_PAGES: i64 = 8192;

/// The ledger in a SQLite file.
#[derive(Debug)]
pub struct SqliteLedger {
    connection: Connection,
    place: PathBuf,
    id: String,
    /// How long another process's transaction is waited for.
    call_timeout: Duration,
    /// Held as long as the ledger is open for writing.
    _lock: Option<FolderLock>,
}

impl SqliteLedger {
    /// Opens `ledger.sqlite` in a folder, and makes both where they are missing. Other processes of this
    /// machine may have it open in the same way, as members of a feed's strategies do.
    ///
    /// # Errors
    /// A process has it for itself, the folder cannot be made, or the file is not a ledger of this
    /// version.
    pub fn open(folder: &Path) -> Result<Self, LedgerError> {
        Self::open_locked(folder, Sharing::Shared)
    }

    /// As [`SqliteLedger::open`], for a run that one process carries out: no other can write meanwhile.
    ///
    /// # Errors
    /// Another process has the folder open; the error names it.
    pub fn open_exclusive(folder: &Path) -> Result<Self, LedgerError> {
        Self::open_locked(folder, Sharing::Exclusive)
    }

    /// Opens a ledger that is there, for reading, whoever writes to it.
    ///
    /// # Errors
    /// There is none, or the file is not a ledger of this version.
    pub fn open_to_read(folder: &Path) -> Result<Self, LedgerError> {
        let place = folder.join("ledger.sqlite");
        if !place.exists() {
            return Err(LedgerError::Missing { place: folder.display().to_string() });
        }
        let failed = |source| LedgerError::Sqlite { place: place.display().to_string(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&place, flags).map_err(failed)?;
        connection.pragma_update(None, "query_only", true).map_err(failed)?;
        let found = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
        Self::checked(connection, place, found, None)
    }

    fn open_locked(folder: &Path, sharing: Sharing) -> Result<Self, LedgerError> {
        if let Some((scheme, _)) = folder.to_str().and_then(|text| text.split_once("://")) {
            return Err(LedgerError::FolderOnly { scheme: scheme.to_owned() });
        }
        let io = |source| LedgerError::Io { place: folder.display().to_string(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        let lock = FolderLock::take(folder, sharing)?;
        let place = folder.join("ledger.sqlite");
        let failed = |source| LedgerError::Sqlite { place: place.display().to_string(), source };
        let mut connection = Connection::open(&place).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(failed)?;
        let found = prepare_schema(&mut connection).map_err(failed)?;
        Self::checked(connection, place, found, Some(lock))
    }

    /// A ledger whose schema is of this version.
    fn checked(
        connection: Connection,
        place: PathBuf,
        found: i64,
        lock: Option<FolderLock>,
    ) -> Result<Self, LedgerError> {
        let failed = |source| LedgerError::Sqlite { place: place.display().to_string(), source };
        if found != SCHEMA_VERSION {
            let place = place.display().to_string();
            return Err(LedgerError::Schema { place, found, expected: SCHEMA_VERSION });
        }
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        let id = connection.query_row("SELECT id FROM ledger", [], |row| row.get(0)).map_err(failed)?;
        Ok(Self { connection, place, id, call_timeout: BUSY_TIMEOUT, _lock: lock })
    }

    /// For tests that look behind the trait.
    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> LedgerError + use<> {
        let place = self.place.display().to_string();
        move |source| LedgerError::Sqlite { place: place.clone(), source }
    }

    /// Does what a member's beat needs, within its own bound.
    fn for_member<T>(
        &mut self,
        operation: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let failed = self.failed();
        self.connection.busy_timeout(self.call_timeout.min(MEMBER_CALL_TIMEOUT)).map_err(&failed)?;
        let done = self.begin().and_then(|transaction| {
            let done = operation(&transaction).map_err(&failed)?;
            transaction.commit().map_err(&failed)?;
            Ok(done)
        });
        self.connection.busy_timeout(self.call_timeout).map_err(failed)?;
        done
    }

    fn begin(&mut self) -> Result<Transaction<'_>, LedgerError> {
        let failed = self.failed();
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)
    }
}

impl Ledger for SqliteLedger {
    fn id(&self) -> &str {
        &self.id
    }

    fn product(&self) -> Result<String, LedgerError> {
        Ok(format!("SQLite {}", rusqlite::version()))
    }

    fn open_run(&mut self, manifest: &Manifest) -> Result<OpenedRun, LedgerError> {
        let failed = self.failed();
        let transaction = self.begin()?;
        let sql = "SELECT run, manifest FROM run WHERE feed IS NULL";
        if let Some(recorded) = recorded_runs(&transaction, sql, params![]).map_err(&failed)?.pop() {
            let recorded = readable(recorded)?;
            recorded.compare(manifest)?;
            return Ok(OpenedRun { run: recorded.run, resumed: true });
        }
        let run = RunId::random();
        transaction
            .execute(RECORD_RUN, params![run.0, None::<String>, manifest.to_string()])
            .and_then(|_| transaction.commit())
            .map_err(failed)?;
        Ok(OpenedRun { run, resumed: false })
    }

    fn record_run(&mut self, run: RunId, feed: &str, manifest: &Manifest) -> Result<(), LedgerError> {
        let failed = self.failed();
        let transaction = self.begin()?;
        let sql = "SELECT feed FROM run WHERE run = ?1";
        let known: Option<Option<String>> =
            transaction.query_row(sql, params![run.0], |row| row.get(0)).optional().map_err(&failed)?;
        let Some(known) = known else {
            return transaction
                .execute(RECORD_RUN, params![run.0, feed, manifest.to_string()])
                .and_then(|_| transaction.commit())
                .map_err(failed);
        };
        compare_feeds(known.as_deref(), feed)?;
        let sql = "SELECT run, manifest FROM run WHERE run = ?1";
        let recorded = recorded_runs(&transaction, sql, params![run.0]).map_err(failed)?;
        recorded.into_iter().try_for_each(|row| readable(row)?.compare(manifest))
    }

    fn runs(&self, feed: &str) -> Result<Vec<RunRow>, LedgerError> {
        let sql = "SELECT run, manifest FROM run WHERE feed = ?1 ORDER BY number DESC";
        let recorded = recorded_runs(&self.connection, sql, params![feed]).map_err(self.failed())?;
        recorded.into_iter().map(readable).collect()
    }

    fn identify(&mut self, run: RunId, identity: &Identity) -> Result<(), LedgerError> {
        let failed = self.failed();
        let Identity { name, strategy, version, params } = identity;
        let transaction = self.begin()?;
        transaction
            .execute(
                "INSERT OR IGNORE INTO identity VALUES (?1, ?2, ?3, ?4, ?5)",
                params![run.0, name.as_str(), strategy, version, params],
            )
            .map_err(&failed)?;
        let sql = "SELECT strategy, version, params FROM identity WHERE run = ?1 AND name = ?2";
        let recorded = transaction
            .query_row(sql, params![run.0, name.as_str()], |row| {
                Ok(Identity {
                    name: name.clone(),
                    strategy: row.get(0)?,
                    version: row.get(1)?,
                    params: row.get(2)?,
                })
            })
            .map_err(&failed)?;
        transaction.commit().map_err(failed)?;
        identity.compare(&recorded)
    }

    fn claim(&mut self, lane: &LaneId, begins_at: u64) -> Result<Claim, LedgerError> {
        let failed = self.failed();
        let transaction = self.begin()?;
        let claim = lane::claim(&transaction, lane, begins_at).map_err(&failed)?;
        let checkpoints = state::read(&transaction, lane).map_err(&failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Claim { states: checkpoint::fold(checkpoints.iter().map(Vec::as_slice))?, ..claim })
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<Vec<usize>, LedgerError> {
        let failed = self.failed();
        let transaction = self.begin()?;
        let mut fenced = Vec::new();
        for (place, commit) in commits.iter().enumerate() {
            if !lane::store(&transaction, commit).map_err(&failed)? {
                fenced.push(place);
                continue;
            }
            let changed = commit.states.as_deref().map(checkpoint::encode).unwrap_or_default();
            if !changed.is_empty() && state::add(&transaction, &commit.lane, &changed).map_err(&failed)? {
                let checkpoints = state::read(&transaction, &commit.lane).map_err(&failed)?;
                let states = checkpoint::fold(checkpoints.iter().map(Vec::as_slice))?;
                let folded = checkpoint::encode(&states);
                state::replace(&transaction, &commit.lane, &folded).map_err(&failed)?;
            }
        }
        transaction.commit().map_err(failed)?;
        report_fenced(commits, &fenced);
        Ok(fenced)
    }

    fn lanes(&self, run: RunId) -> Result<Vec<LaneRow>, LedgerError> {
        lane::lanes(&self.connection, run).map_err(self.failed())
    }

    fn batches(&self, lane: &LaneId, from_seq: u64, limit: usize) -> Result<Vec<StoredBatch>, LedgerError> {
        lane::batches(&self.connection, lane, from_seq, limit).map_err(self.failed())
    }

    fn batch_at(&self, lane: &LaneId, seq: u64) -> Result<Option<u64>, LedgerError> {
        lane::batch_at(&self.connection, lane, seq).map_err(self.failed())
    }

    fn dictionary(&self, run: RunId, shard: u16) -> Result<Vec<NewInstrument>, LedgerError> {
        lane::dictionary(&self.connection, run, shard).map_err(self.failed())
    }

    fn beat(
        &mut self,
        run: RunId,
        strategy: &StrategyName,
        member: &str,
    ) -> Result<Vec<String>, LedgerError> {
        self.for_member(|transaction| members::beat(transaction, run, strategy, member))
    }

    fn leave(&mut self, run: RunId, strategy: &StrategyName, member: &str) -> Result<(), LedgerError> {
        self.for_member(|transaction| members::leave(transaction, run, strategy, member))
    }

    fn set_call_timeout(&mut self, longest: Duration) {
        self.call_timeout = longest.min(BUSY_TIMEOUT);
        // It fails for a timeout alone that no number of milliseconds holds.
        let _ = self.connection.busy_timeout(self.call_timeout);
    }

    fn members(&self, run: RunId) -> Result<Vec<MemberRow>, LedgerError> {
        members::all(&self.connection, run).map_err(self.failed())
    }

    fn forget_run(&mut self, run: RunId) -> Result<bool, LedgerError> {
        runs::forget(&self.connection, run).map_err(self.failed())
    }
}

#[cfg(test)]
mod tests;
