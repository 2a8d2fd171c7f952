//! A ledger in one SQLite file: write-ahead log, one transaction a commit.
//!
//! The log is synchronised at checkpoints. A kill of the process loses nothing; a loss of power may
//! lose the last commits whole, and with them the cursor, so a resumed run makes them again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use tick_sdk::run::Manifest;
use tick_sdk::{NewInstrument, RunId};

use super::{Claim, Commit, Identity, LaneId, Ledger, LedgerError, OpenedRun, StoredBatch};

/// How long another process's transaction is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The log grows to 32 MiB before it is carried over into the database, which synchronises both: at
/// full speed, the usual 4 MiB would do so every few commits.
const CHECKPOINT_PAGES: i64 = 8192;

const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE run (run BLOB PRIMARY KEY, manifest TEXT NOT NULL) STRICT;
CREATE TABLE identity (
    run BLOB NOT NULL, name TEXT NOT NULL, strategy TEXT NOT NULL, version INTEGER NOT NULL,
    params TEXT NOT NULL, PRIMARY KEY (run, name)) STRICT, WITHOUT ROWID;
CREATE TABLE lane (
    run BLOB NOT NULL, strategy TEXT NOT NULL, shard INTEGER NOT NULL, epoch INTEGER NOT NULL,
    cursor INTEGER NOT NULL, state_seq INTEGER NOT NULL, ended INTEGER NOT NULL,
    PRIMARY KEY (run, strategy, shard)) STRICT, WITHOUT ROWID;
CREATE TABLE batch (
    run BLOB NOT NULL, strategy TEXT NOT NULL, shard INTEGER NOT NULL, from_seq INTEGER NOT NULL,
    to_seq INTEGER NOT NULL, signals BLOB NOT NULL, PRIMARY KEY (run, strategy, shard, from_seq)) STRICT;
CREATE TABLE state (
    run BLOB NOT NULL, strategy TEXT NOT NULL, shard INTEGER NOT NULL, key TEXT NOT NULL,
    state BLOB NOT NULL, PRIMARY KEY (run, strategy, shard, key)) STRICT, WITHOUT ROWID;
CREATE TABLE instrument (
    run BLOB NOT NULL, shard INTEGER NOT NULL, id INTEGER NOT NULL, symbol TEXT NOT NULL,
    key TEXT NOT NULL, PRIMARY KEY (run, shard, id)) STRICT, WITHOUT ROWID;
";

/// The ledger in a SQLite file.
#[derive(Debug)]
pub struct SqliteLedger {
    connection: Connection,
    place: PathBuf,
}

impl SqliteLedger {
    /// Opens `ledger.sqlite` in a folder, and makes both where they are missing.
    ///
    /// # Errors
    /// The folder cannot be made, or the file is no ledger of this version.
    pub fn open(folder: &Path) -> Result<Self, LedgerError> {
        let io = |source| LedgerError::Io { place: folder.display().to_string(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        let place = folder.join("ledger.sqlite");
        let failed = |source| LedgerError::Sqlite { place: place.display().to_string(), source };
        let mut connection = Connection::open(&place).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(failed)?;
        let found = prepare_schema(&mut connection).map_err(failed)?;
        if found != SCHEMA_VERSION {
            let place = place.display().to_string();
            return Err(LedgerError::Schema { place, found, expected: SCHEMA_VERSION });
        }
        Ok(Self { connection, place })
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> LedgerError + use<> {
        let place = self.place.display().to_string();
        move |source| LedgerError::Sqlite { place: place.clone(), source }
    }

    fn begin(&mut self) -> Result<Transaction<'_>, LedgerError> {
        let failed = self.failed();
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)
    }
}

/// Makes the tables in an empty file; gives the schema's version.
fn prepare_schema(connection: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    let found = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    transaction.commit()?;
    Ok(found)
}

impl Ledger for SqliteLedger {
    fn open_run(&mut self, manifest: &Manifest) -> Result<OpenedRun, LedgerError> {
        let failed = self.failed();
        let transaction = self.begin()?;
        let recorded: Option<([u8; 16], String)> = transaction
            .query_row("SELECT run, manifest FROM run", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(&failed)?;
        if let Some((run, text)) = recorded {
            let recorded: Manifest =
                text.parse().map_err(|()| LedgerError::Damaged("the manifest".to_owned()))?;
            return match recorded.difference(manifest) {
                Some(difference) => Err(LedgerError::OtherRun { difference }),
                None => Ok(OpenedRun { run: RunId(run), resumed: true }),
            };
        }
        let run = RunId::random();
        transaction
            .execute("INSERT INTO run VALUES (?1, ?2)", params![run.0, manifest.to_string()])
            .and_then(|_| transaction.commit())
            .map_err(failed)?;
        Ok(OpenedRun { run, resumed: false })
    }

    fn identify(&mut self, run: RunId, identity: &Identity) -> Result<(), LedgerError> {
        let failed = self.failed();
        let Identity { name, strategy, version, params } = identity;
        let transaction = self.begin()?;
        transaction
            .execute(
                "INSERT OR IGNORE INTO identity VALUES (?1, ?2, ?3, ?4, ?5)",
                params![run.0, name, strategy, version, params],
            )
            .map_err(&failed)?;
        let sql = "SELECT strategy, version, params FROM identity WHERE run = ?1 AND name = ?2";
        let recorded = transaction
            .query_row(sql, params![run.0, name], |row| {
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

    fn claim(&mut self, lane: &LaneId) -> Result<Claim, LedgerError> {
        let failed = self.failed();
        let transaction = self.begin()?;
        let claim = claim(&transaction, lane).map_err(&failed)?;
        transaction.commit().map_err(failed)?;
        Ok(claim)
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<Vec<usize>, LedgerError> {
        let failed = self.failed();
        let transaction = self.begin()?;
        let mut fenced = Vec::new();
        for (place, commit) in commits.iter().enumerate() {
            if !store(&transaction, commit).map_err(&failed)? {
                fenced.push(place);
            }
        }
        transaction.commit().map_err(failed)?;
        Ok(fenced)
    }

    fn batches(&self, lane: &LaneId, from_seq: u64, limit: usize) -> Result<Vec<StoredBatch>, LedgerError> {
        let read = || {
            let sql = "SELECT from_seq, signals FROM batch
                WHERE run = ?1 AND strategy = ?2 AND shard = ?3 AND from_seq >= ?4 ORDER BY from_seq LIMIT ?5";
            let mut statement = self.connection.prepare_cached(sql)?;
            let key = params![lane.run.0, lane.strategy, lane.shard, from_seq as i64, limit as i64];
            let rows = statement.query_map(key, |row| {
                Ok(StoredBatch { from_seq: row.get::<_, i64>(0)? as u64, signals: row.get(1)? })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(self.failed())
    }

    fn dictionary(&self, run: RunId, shard: u16) -> Result<Vec<NewInstrument>, LedgerError> {
        dictionary(&self.connection, run, shard).map_err(self.failed())
    }
}

fn claim(transaction: &Transaction<'_>, lane: &LaneId) -> rusqlite::Result<Claim> {
    let key = params![lane.run.0, lane.strategy, lane.shard];
    let claiming = "INSERT INTO lane VALUES (?1, ?2, ?3, 1, 0, 0, 0)
        ON CONFLICT DO UPDATE SET epoch = epoch + 1
        RETURNING epoch, cursor, state_seq, ended";
    let mut claim = transaction.query_row(claiming, key, |row| {
        Ok(Claim {
            epoch: row.get::<_, i64>(0)? as u64,
            cursor: row.get::<_, i64>(1)? as u64,
            state_seq: row.get::<_, i64>(2)? as u64,
            ended: row.get(3)?,
            ..Claim::default()
        })
    })?;
    claim.dictionary = dictionary(transaction, lane.run, lane.shard)?;
    let sql = "SELECT key, state FROM state WHERE run = ?1 AND strategy = ?2 AND shard = ?3";
    let mut statement = transaction.prepare(sql)?;
    let states = statement.query_map(key, |row| Ok((row.get(0)?, row.get(1)?)))?;
    claim.states = states.collect::<rusqlite::Result<_>>()?;
    Ok(claim)
}

fn dictionary(connection: &Connection, run: RunId, shard: u16) -> rusqlite::Result<Vec<NewInstrument>> {
    let sql = "SELECT id, symbol, key FROM instrument WHERE run = ?1 AND shard = ?2 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![run.0, shard], |row| {
        Ok(NewInstrument { id: row.get(0)?, symbol: row.get(1)?, key: row.get(2)? })
    })?;
    rows.collect()
}

/// Stores one lane's commit; `false` if it was fenced off.
fn store(transaction: &Transaction<'_>, commit: &Commit) -> rusqlite::Result<bool> {
    let Commit { lane, epoch, from_seq, to_seq, .. } = commit;
    let (from_seq, to_seq) = (*from_seq as i64, *to_seq as i64);
    let advance =
        "UPDATE lane SET cursor = ?4, ended = ?5, state_seq = CASE WHEN ?6 THEN ?4 ELSE state_seq END
        WHERE run = ?1 AND strategy = ?2 AND shard = ?3 AND epoch = ?7 AND cursor = ?8 AND NOT ended";
    let changed = transaction.prepare_cached(advance)?.execute(params![
        lane.run.0,
        lane.strategy,
        lane.shard,
        to_seq,
        commit.ended,
        commit.states.is_some(),
        *epoch as i64,
        from_seq,
    ])?;
    if changed == 0 {
        return Ok(false);
    }
    if !commit.signals.is_empty() {
        transaction.prepare_cached("INSERT INTO batch VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
            lane.run.0,
            lane.strategy,
            lane.shard,
            from_seq,
            to_seq,
            commit.signals
        ])?;
    }
    let mut naming =
        transaction.prepare_cached("INSERT OR IGNORE INTO instrument VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for new in &commit.new_instruments {
        naming.execute(params![lane.run.0, lane.shard, new.id, new.symbol, new.key])?;
    }
    let mut storing =
        transaction.prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (key, state) in commit.states.iter().flatten() {
        storing.execute(params![lane.run.0, lane.strategy, lane.shard, key, state])?;
    }
    Ok(true)
}
