//! The ledger's operations as async functions.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use tick_feed::NewInstrument;
use tick_feed::run::Manifest;
use tick_sdk::names::{RunId, StrategyName};
use tokio::time::Instant;
use tracing::warn;

use super::client::{Client, Done, Try};
use super::{lane, members, runs, schema};
use crate::ledger::{
    Claim, Commit, Identity, LaneId, LaneRow, LedgerError, MEMBER_CALL_TIMEOUT, MemberRow, OpenedRun, RunRow,
    StoredBatch, compare_feeds, report_fenced,
};

/// The ledger in a PostgreSQL database, in the schema `orchard`, for async code: it never blocks the
/// thread that polls it.
///
/// The functions are those of [`Ledger`](crate::ledger::Ledger), which says what each means. While the
/// server is away, each waits for it and tries again, for up to [`PostgresStore::LONGEST_AWAY`] or what
/// [`PostgresStore::set_call_timeout`] allows. Dropping a future cancels the call: its connection is
/// closed, and what it wrote is then either stored whole or not at all.
#[derive(Debug)]
pub struct PostgresStore {
    client: Client,
    id: String,
    call_timeout: Duration,
}

/// When the ledger is opened, its user waits for the answer.
const REACH_TIMEOUT: Duration = Duration::from_secs(5);
/// For the tables, which another program may be making.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(25);
/// How long opening takes at most.
pub(super) const OPEN_TIMEOUT: Duration = REACH_TIMEOUT.saturating_add(PREPARE_TIMEOUT);

impl PostgresStore {
    /// How long a server that is away is waited for, before a call fails.
    pub const LONGEST_AWAY: Duration = Duration::from_secs(300);

    /// Opens the ledger in the database of a `postgres://` URL, and makes its tables where they are
    /// missing. The URL's `sslmode`, `sslrootcert`, `sslcert` and `sslkey` decide about TLS.
    ///
    /// # Errors
    /// The URL cannot be read, the server is not there within 5 s or refuses, or the tables are of
    /// another version.
    pub async fn open(url: &str) -> Result<Self, LedgerError> {
        let mut client = Client::new(url)?;
        // Whether the server is there is known soon; making tables may take a slow one longer.
        let reaching = |connection: PgConnection, _| async move { Ok(((), connection)) };
        client.run(Instant::now() + REACH_TIMEOUT, reaching).await?;
        let preparing = |mut connection: PgConnection, _| async move {
            Ok((schema::prepare(&mut connection).await?, connection))
        };
        let found = client.run(Instant::now() + PREPARE_TIMEOUT, preparing).await?;
        if found.version != schema::VERSION {
            let place = client.place().to_owned();
            let (found, expected) = (found.version.into(), schema::VERSION.into());
            return Err(LedgerError::Schema { place, found, expected });
        }
        client.expect_ledger(&found.id);
        Ok(Self { client, id: found.id, call_timeout: Self::LONGEST_AWAY })
    }

    /// Which ledger this is: a random text, made when the ledger was.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Which database, without the password.
    pub fn place(&self) -> &str {
        self.client.place()
    }

    /// From now on a call ends within `longest`, with a temporary error where the server is away.
    pub fn set_call_timeout(&mut self, longest: Duration) {
        self.call_timeout = longest;
    }

    /// The server and its version, as `PostgreSQL 15.8`.
    ///
    /// # Errors
    /// The server refused, or was away for too long; so have all the functions below.
    pub async fn product(&mut self) -> Result<String, LedgerError> {
        let reading = |mut connection: PgConnection, _| async move {
            let version = sqlx::query_scalar("SHOW server_version").fetch_one(&mut connection).await?;
            Ok((version, connection))
        };
        let version: String = self.run(reading).await?;
        // Debian's goes on with its package.
        Ok(format!("PostgreSQL {}", version.split(' ').next().unwrap_or_default()))
    }

    /// The run of no feed that this ledger holds for the manifest.
    ///
    /// # Errors
    /// It holds a run of another manifest.
    pub async fn open_run(&mut self, manifest: &Manifest) -> Result<OpenedRun, LedgerError> {
        let fresh = RunId::random();
        let opening = |mut connection: PgConnection, _| async move {
            Ok((runs::open(&mut connection, fresh, manifest).await?, connection))
        };
        let recorded = self.run(opening).await?.readable()?;
        recorded.compare(manifest)?;
        Ok(OpenedRun { run: recorded.run, resumed: recorded.run != fresh })
    }

    /// Records a run that an ingester named, or compares it with what was recorded first.
    ///
    /// # Errors
    /// The run was recorded with another feed or manifest.
    pub async fn record_run(
        &mut self,
        run: RunId,
        feed: &str,
        manifest: &Manifest,
    ) -> Result<(), LedgerError> {
        let recording = |mut connection: PgConnection, _| async move {
            Ok((runs::record(&mut connection, run, feed, manifest).await?, connection))
        };
        let recorded = self.run(recording).await?;
        compare_feeds(recorded.feed.as_deref(), feed)?;
        recorded.readable()?.compare(manifest)
    }

    /// The runs of a feed, the one recorded last first.
    ///
    /// # Errors
    /// A row cannot be read.
    pub async fn runs(&mut self, feed: &str) -> Result<Vec<RunRow>, LedgerError> {
        let reading = |mut connection: PgConnection, _| async move {
            Ok((runs::of_feed(&mut connection, feed).await?, connection))
        };
        self.run(reading).await?.into_iter().map(runs::Recorded::readable).collect()
    }

    /// Records who a strategy's instance is, or compares with what was recorded first.
    ///
    /// # Errors
    /// The instance was another strategy, version or set of parameters.
    pub async fn identify(&mut self, run: RunId, identity: &Identity) -> Result<(), LedgerError> {
        let recording = |mut connection: PgConnection, _| async move {
            Ok((runs::identify(&mut connection, run, identity).await?, connection))
        };
        identity.compare(&self.run(recording).await?)
    }

    /// Claims a lane: from now on earlier claims commit nothing.
    ///
    /// # Errors
    /// The stored state cannot be read.
    pub async fn claim(&mut self, lane: &LaneId, begins_at: u64) -> Result<Claim, LedgerError> {
        let claiming = |mut connection: PgConnection, _| async move {
            Ok((lane::claim(&mut connection, lane, begins_at).await?, connection))
        };
        self.run(claiming).await?.readable()
    }

    /// Commits all of them in one transaction and one round trip; gives the places of those that were
    /// fenced off. Whoever drops its future must claim again to learn what is stored.
    ///
    /// # Errors
    /// It is not known whether they are stored.
    pub async fn commit(&mut self, commits: &[Commit]) -> Result<Vec<usize>, LedgerError> {
        let fenced = self.commit_rows(lane::CommitRows::new(commits)).await?;
        report_fenced(commits, &fenced);
        Ok(fenced)
    }

    pub(super) async fn commit_rows(&mut self, rows: lane::CommitRows) -> Result<Vec<usize>, LedgerError> {
        let deadline = Instant::now() + self.call_timeout;
        let rows = &rows;
        let storing = |mut connection: PgConnection, try_of| async move {
            Ok((rows.store(&mut connection, try_of).await?, connection))
        };
        let stored = self.client.run(deadline, storing).await?;
        match self.fold(deadline, &stored.unfolded).await {
            // The commits are stored, and a later one folds what this one could not.
            Err(error) if error.is_temporary() => {
                warn!(place = self.client.place(), %error, "checkpoints were not folded");
            }
            folded => folded?,
        }
        Ok(stored.fenced)
    }

    /// Folds the states of lanes that have gathered many checkpoints.
    async fn fold(&mut self, deadline: Instant, lanes: &[lane::Unfolded]) -> Result<(), LedgerError> {
        for lane in lanes {
            let reading = |mut connection: PgConnection, _| async move {
                Ok((lane.read(&mut connection).await?, connection))
            };
            let checkpoints = self.client.run(deadline, reading).await?;
            if let Some(folded) = checkpoints.fold()? {
                let folded = &folded;
                let writing = |mut connection: PgConnection, _| async move {
                    Ok((lane.write(&mut connection, folded).await?, connection))
                };
                self.client.run(deadline, writing).await?;
            }
        }
        Ok(())
    }

    /// Every lane of a run, in order of (strategy, shard).
    ///
    /// # Errors
    /// A row cannot be read.
    pub async fn lanes(&mut self, run: RunId) -> Result<Vec<LaneRow>, LedgerError> {
        self.run(|mut connection: PgConnection, _| async move {
            Ok((lane::all(&mut connection, run).await?, connection))
        })
        .await
    }

    /// Up to `limit` signal batches of a lane that begin at or after `from_seq`, in order.
    ///
    /// # Errors
    /// The server refused, or was away for too long.
    pub async fn batches(
        &mut self,
        lane: &LaneId,
        from_seq: u64,
        limit: usize,
    ) -> Result<Vec<StoredBatch>, LedgerError> {
        let reading = |mut connection: PgConnection, _| async move {
            Ok((lane::batches(&mut connection, lane, from_seq, limit).await?, connection))
        };
        self.run(reading).await
    }

    /// Where the last batch of a lane begins that begins at or before a tick.
    ///
    /// # Errors
    /// The store failed.
    pub async fn batch_at(&mut self, lane: &LaneId, seq: u64) -> Result<Option<u64>, LedgerError> {
        let reading = |mut connection: PgConnection, _| async move {
            Ok((lane::batch_at(&mut connection, lane, seq).await?, connection))
        };
        self.run(reading).await
    }

    /// The instruments of one shard, by id.
    ///
    /// # Errors
    /// The server refused, or was away for too long.
    pub async fn dictionary(&mut self, run: RunId, shard: u16) -> Result<Vec<NewInstrument>, LedgerError> {
        self.run(|mut connection: PgConnection, _| async move {
            Ok((lane::dictionary(&mut connection, run, shard).await?, connection))
        })
        .await
    }

    /// Records that a member lives; gives those that do. It ends within [`MEMBER_CALL_TIMEOUT`].
    ///
    /// # Errors
    /// Nothing is known of the others.
    pub async fn beat(
        &mut self,
        run: RunId,
        strategy: &StrategyName,
        member: &str,
    ) -> Result<Vec<String>, LedgerError> {
        let beating = |mut connection: PgConnection, _| async move {
            Ok((members::beat(&mut connection, run, strategy, member).await?, connection))
        };
        self.client.run(self.member_deadline(), beating).await
    }

    /// Forgets a member. It ends within [`MEMBER_CALL_TIMEOUT`].
    ///
    /// # Errors
    /// The member is dead once it has been silent for long enough.
    pub async fn leave(
        &mut self,
        run: RunId,
        strategy: &StrategyName,
        member: &str,
    ) -> Result<(), LedgerError> {
        let leaving = |mut connection: PgConnection, _| async move {
            Ok((members::leave(&mut connection, run, strategy, member).await?, connection))
        };
        self.client.run(self.member_deadline(), leaving).await
    }

    /// Every member of a run's strategies that is not forgotten, in order of (strategy, member).
    ///
    /// # Errors
    /// A row cannot be read.
    pub async fn members(&mut self, run: RunId) -> Result<Vec<MemberRow>, LedgerError> {
        self.run(|mut connection: PgConnection, _| async move {
            Ok((members::all(&mut connection, run).await?, connection))
        })
        .await
    }

    /// Removes some of a run that nobody hosts any more; whether there may be more of it.
    ///
    /// # Errors
    /// The server refused, or was away for too long.
    pub async fn forget_run(&mut self, run: RunId) -> Result<bool, LedgerError> {
        self.run(|mut connection: PgConnection, _| async move {
            Ok((runs::forget(&mut connection, run).await?, connection))
        })
        .await
    }

    /// Makes the members' last beats older.
    #[cfg(test)]
    pub(super) async fn put_beats_back(&mut self, time: Duration) -> Result<(), LedgerError> {
        let sql = "UPDATE orchard.member SET beat = beat - make_interval(secs => $1)";
        let aging = |mut connection: PgConnection, _| async move {
            sqlx::query(sql).bind(time.as_secs_f64()).execute(&mut connection).await?;
            Ok(((), connection))
        };
        self.run(aging).await
    }

    fn member_deadline(&self) -> Instant {
        Instant::now() + self.call_timeout.min(MEMBER_CALL_TIMEOUT)
    }

    /// Runs one operation, again while the server is away.
    async fn run<T, F: Future<Output = Done<T>>>(
        &mut self,
        operation: impl FnMut(PgConnection, Try) -> F,
    ) -> Result<T, LedgerError> {
        self.client.run(Instant::now() + self.call_timeout, operation).await
    }
}
