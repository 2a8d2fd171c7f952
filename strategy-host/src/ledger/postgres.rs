//! A ledger in a PostgreSQL database, for members on several machines: one transaction and one round
//! trip a commit, whatever the number of lanes.
//!
//! While the server is away, every call waits for it and tries again, for up to
//! [`PostgresLedger::LONGEST_AWAY`]. Its methods block, so they are called from plain threads.

use std::cell::RefCell;

use sqlx::postgres::PgConnection;
use tick_feed::NewInstrument;
use tick_feed::run::Manifest;
use tick_sdk::names::RunId;

use super::{
    Claim, Commit, Identity, LaneId, LaneRow, Ledger, LedgerError, MemberRow, OpenedRun, RunRow, StoredBatch,
    compare_feeds,
};
use client::Client;
pub(super) use client::{advice, is_temporary};

mod client;
mod lane;
mod members;
mod runs;
mod schema;

/// The ledger in a PostgreSQL database, in the schema `orchard`.
#[derive(Debug)]
pub struct PostgresLedger {
    client: RefCell<Client>,
    id: String,
}

impl PostgresLedger {
    /// How long a server that is away is waited for, before a call fails.
    pub const LONGEST_AWAY: std::time::Duration = client::LONGEST_AWAY;

    /// Opens the ledger in the database of a `postgres://` URL, and makes its tables where they are
    /// missing. The URL's `sslmode`, `sslrootcert`, `sslcert` and `sslkey` decide about TLS.
    ///
    /// # Errors
    /// The URL cannot be read, the server is not there or refuses, or the tables are of another version.
    pub fn open(url: &str) -> Result<Self, LedgerError> {
        let mut client = Client::new(url)?;
        let found = client.open(async |connection: &mut PgConnection| schema::prepare(connection).await)?;
        if found.version != schema::VERSION {
            let place = client.place().to_owned();
            let (found, expected) = (found.version.into(), schema::VERSION.into());
            return Err(LedgerError::Schema { place, found, expected });
        }
        client.expect_ledger(&found.id);
        Ok(Self { client: RefCell::new(client), id: found.id })
    }

    /// Runs one operation, again and again while the server is away.
    fn run<T>(
        &self,
        operation: impl AsyncFnMut(&mut PgConnection, client::Try) -> sqlx::Result<T>,
    ) -> Result<T, LedgerError> {
        self.client.borrow_mut().run(operation)
    }

    /// Makes the members' last beats older.
    #[cfg(test)]
    pub(super) fn put_beats_back(&mut self, time: std::time::Duration) {
        let sql = "UPDATE orchard.member SET beat = beat - make_interval(secs => $1)";
        self.run(async |connection, _| sqlx::query(sql).bind(time.as_secs_f64()).execute(connection).await)
            .expect("the server answers");
    }

    /// Folds the states of lanes that have gathered many checkpoints.
    fn fold(&self, lanes: &[lane::Unfolded]) -> Result<(), LedgerError> {
        for lane in lanes {
            let checkpoints = self.run(async |connection, _| lane.read(connection).await)?;
            if let Some(folded) = checkpoints.fold()? {
                self.run(async |connection, _| lane.write(connection, &folded).await)?;
            }
        }
        Ok(())
    }
}

impl Ledger for PostgresLedger {
    fn id(&self) -> &str {
        &self.id
    }

    fn product(&self) -> Result<String, LedgerError> {
        let version: String = self.run(async |connection, _| {
            sqlx::query_scalar("SHOW server_version").fetch_one(connection).await
        })?;
        // Debian's goes on with its package.
        Ok(format!("PostgreSQL {}", version.split(' ').next().unwrap_or_default()))
    }

    fn open_run(&mut self, manifest: &Manifest) -> Result<OpenedRun, LedgerError> {
        let fresh = RunId::random();
        let recorded = self.run(async |connection, _| runs::open(connection, fresh, manifest).await)?;
        let recorded = recorded.readable()?;
        recorded.compare(manifest)?;
        Ok(OpenedRun { run: recorded.run, resumed: recorded.run != fresh })
    }

    fn record_run(&mut self, run: RunId, feed: &str, manifest: &Manifest) -> Result<(), LedgerError> {
        let recorded = self.run(async |connection, _| runs::record(connection, run, feed, manifest).await)?;
        compare_feeds(recorded.feed.as_deref(), feed)?;
        recorded.readable()?.compare(manifest)
    }

    fn runs(&self, feed: &str) -> Result<Vec<RunRow>, LedgerError> {
        let recorded = self.run(async |connection, _| runs::of_feed(connection, feed).await)?;
        recorded.into_iter().map(runs::Recorded::readable).collect()
    }

    fn identify(&mut self, run: RunId, identity: &Identity) -> Result<(), LedgerError> {
        let recorded = self.run(async |connection, _| runs::identify(connection, run, identity).await)?;
        identity.compare(&recorded)
    }

    fn claim(&mut self, lane: &LaneId, begins_at: u64) -> Result<Claim, LedgerError> {
        let found = self.run(async |connection, _| lane::claim(connection, lane, begins_at).await)?;
        found.readable()
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<Vec<usize>, LedgerError> {
        let stored = {
            let rows = lane::CommitRows::new(commits);
            self.run(async |connection, try_of| rows.store(connection, try_of).await)?
        };
        self.fold(&stored.unfolded)?;
        Ok(stored.fenced)
    }

    fn lanes(&self, run: RunId) -> Result<Vec<LaneRow>, LedgerError> {
        self.run(async |connection, _| lane::all(connection, run).await)
    }

    fn batches(&self, lane: &LaneId, from_seq: u64, limit: usize) -> Result<Vec<StoredBatch>, LedgerError> {
        self.run(async |connection, _| lane::batches(connection, lane, from_seq, limit).await)
    }

    fn dictionary(&self, run: RunId, shard: u16) -> Result<Vec<NewInstrument>, LedgerError> {
        self.run(async |connection, _| lane::dictionary(connection, run, shard).await)
    }

    fn beat(&mut self, run: RunId, strategy: &str, member: &str) -> Result<Vec<String>, LedgerError> {
        self.run(async |connection, _| members::beat(connection, run, strategy, member).await)
    }

    fn leave(&mut self, run: RunId, strategy: &str, member: &str) -> Result<(), LedgerError> {
        self.run(async |connection, _| members::leave(connection, run, strategy, member).await)
    }

    fn members(&self, run: RunId) -> Result<Vec<MemberRow>, LedgerError> {
        self.run(async |connection, _| members::all(connection, run).await)
    }
}

#[cfg(test)]
pub(super) mod tests;
