//! Runs, and who takes part in them.

use sqlx::postgres::PgConnection;
use tick_feed::run::Manifest;
use tick_sdk::names::RunId;

use crate::ledger::{FORGOTTEN_AT_ONCE, Identity, LedgerError, RunRow};

/// A run as it was recorded, in text.
pub(super) struct Recorded {
    run: String,
    pub(super) feed: Option<String>,
    manifest: String,
}

/// Its columns as they are selected.
type Columns = (String, Option<String>, String);

impl Recorded {
    fn of((run, feed, manifest): Columns) -> Self {
        Self { run, feed, manifest }
    }

    pub(super) fn readable(self) -> Result<RunRow, LedgerError> {
        let damaged = |what: &str| LedgerError::Damaged(what.to_owned());
        let run = self.run.replace('-', "").parse().map_err(|_| damaged("a run's id"))?;
        let manifest = self.manifest.parse().map_err(|()| damaged("the manifest"))?;
        Ok(RunRow { run, manifest })
    }
}

/// The run without a feed: the one that is there, else a new one of this id.
pub(super) async fn open(
    connection: &mut PgConnection,
    fresh: RunId,
    manifest: &Manifest,
) -> sqlx::Result<Recorded> {
    let sql = "INSERT INTO orchard.run (run, manifest) VALUES ($1::text::uuid, $2) ON CONFLICT DO NOTHING";
    sqlx::query(sql).bind(fresh.to_string()).bind(manifest.to_string()).execute(&mut *connection).await?;
    let sql = "SELECT run::text, feed, manifest FROM orchard.run WHERE feed IS NULL";
    sqlx::query_as(sql).fetch_one(connection).await.map(Recorded::of)
}

/// Records a run, unless it is there; gives what is.
pub(super) async fn record(
    connection: &mut PgConnection,
    run: RunId,
    feed: &str,
    manifest: &Manifest,
) -> sqlx::Result<Recorded> {
    let sql = "INSERT INTO orchard.run (run, feed, manifest) VALUES ($1::text::uuid, $2, $3)
        ON CONFLICT DO NOTHING";
    let inserting = sqlx::query(sql).bind(run.to_string()).bind(feed).bind(manifest.to_string());
    inserting.execute(&mut *connection).await?;
    let sql = "SELECT run::text, feed, manifest FROM orchard.run WHERE run = $1::text::uuid";
    sqlx::query_as(sql).bind(run.to_string()).fetch_one(connection).await.map(Recorded::of)
}

/// A feed's runs, the one recorded last first.
pub(super) async fn of_feed(connection: &mut PgConnection, feed: &str) -> sqlx::Result<Vec<Recorded>> {
    let sql = "SELECT run::text, feed, manifest FROM orchard.run WHERE feed = $1 ORDER BY number DESC";
    let rows: Vec<Columns> = sqlx::query_as(sql).bind(feed).fetch_all(connection).await?;
    Ok(rows.into_iter().map(Recorded::of).collect())
}

/// Records who an instance is, unless that is there; gives what is.
pub(super) async fn identify(
    connection: &mut PgConnection,
    run: RunId,
    identity: &Identity,
) -> sqlx::Result<Identity> {
    let Identity { name, strategy, version, params } = identity;
    let sql = "INSERT INTO orchard.identity VALUES ($1::text::uuid, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let inserting = sqlx::query(sql).bind(run.to_string()).bind(name.as_str()).bind(strategy);
    inserting.bind(i64::from(*version)).bind(params).execute(&mut *connection).await?;
    let sql =
        "SELECT strategy, version, params FROM orchard.identity WHERE run = $1::text::uuid AND name = $2";
    let reading = sqlx::query_as(sql).bind(run.to_string()).bind(name.as_str());
    let (strategy, version, params): (String, i64, String) = reading.fetch_one(connection).await?;
    Ok(Identity { name: name.clone(), strategy, version: version as u32, params })
}

/// What there is of a run; the run itself goes last.
const PARTS: [&str; 7] = [
    "DELETE FROM orchard.batch WHERE (lane, from_seq) IN (SELECT b.lane, b.from_seq
        FROM orchard.batch AS b JOIN orchard.lane AS l ON l.lane = b.lane WHERE l.run = $1::text::uuid LIMIT $2)",
    "DELETE FROM orchard.state WHERE (lane, number) IN (SELECT s.lane, s.number
        FROM orchard.state AS s JOIN orchard.lane AS l ON l.lane = s.lane WHERE l.run = $1::text::uuid LIMIT $2)",
    "DELETE FROM orchard.instrument WHERE (run, shard, id) IN
        (SELECT run, shard, id FROM orchard.instrument WHERE run = $1::text::uuid LIMIT $2)",
    "DELETE FROM orchard.member WHERE (run, strategy, member) IN
        (SELECT run, strategy, member FROM orchard.member WHERE run = $1::text::uuid LIMIT $2)",
    "DELETE FROM orchard.lane WHERE (run, strategy, shard) IN
        (SELECT run, strategy, shard FROM orchard.lane WHERE run = $1::text::uuid LIMIT $2)",
    "DELETE FROM orchard.identity WHERE (run, name) IN
        (SELECT run, name FROM orchard.identity WHERE run = $1::text::uuid LIMIT $2)",
    "DELETE FROM orchard.run WHERE number IN
        (SELECT number FROM orchard.run WHERE run = $1::text::uuid LIMIT $2)",
];

/// Removes some of a run; whether there may be more of it.
pub(super) async fn forget(connection: &mut PgConnection, run: RunId) -> sqlx::Result<bool> {
    for sql in PARTS {
        let removing = sqlx::query(sql).bind(run.to_string()).bind(FORGOTTEN_AT_ONCE as i64);
        if removing.execute(&mut *connection).await?.rows_affected() > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
