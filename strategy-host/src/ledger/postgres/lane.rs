//! A lane's rows: claims, commits, and what was committed.

use sqlx::postgres::PgConnection;
use tick_feed::NewInstrument;
use tick_sdk::names::RunId;

use super::client::Try;
use super::name::strategy_name;
use crate::ledger::{Claim, Commit, LaneId, LaneRow, LedgerError, StoredBatch, checkpoint};

/// Commits as the columns of a call, in the order in which their lanes are locked.
pub(super) struct CommitRows {
    /// The place that each had.
    places: Vec<usize>,
    runs: Vec<String>,
    strategies: Vec<String>,
    shards: Vec<i32>,
    epochs: Vec<i64>,
    from_seqs: Vec<i64>,
    to_seqs: Vec<i64>,
    signals: Vec<Vec<u8>>,
    states: Vec<Option<Vec<u8>>>,
    ended: Vec<bool>,
    skipped: Vec<i64>,
    named: InstrumentRows,
}

/// The instruments that commits name, as columns.
#[derive(Default)]
struct InstrumentRows {
    /// The number of its commit, from 1.
    of_commit: Vec<i32>,
    ids: Vec<i64>,
    symbols: Vec<String>,
    keys: Vec<String>,
}

/// What came of a commit.
pub(super) struct Stored {
    /// The places of those that were fenced off.
    pub(super) fenced: Vec<usize>,
    /// Lanes whose state should be folded.
    pub(super) unfolded: Vec<Unfolded>,
}

/// A lane that has gathered many checkpoints.
pub(super) struct Unfolded {
    lane: i64,
    epoch: i64,
}

/// A lane's checkpoints, each with its number, in order.
pub(super) struct Checkpoints(Vec<(i64, Vec<u8>)>);

/// Checkpoints up to a number as one.
pub(super) struct Folded {
    last: i64,
    state: Vec<u8>,
}

impl CommitRows {
    pub(super) fn new(commits: &[Commit]) -> Self {
        let mut places: Vec<_> = (0..commits.len()).collect();
        // Stable: commits of one lane stay in order.
        places.sort_by_key(|&place| &commits[place].lane);
        let commits: Vec<_> = places.iter().map(|&place| &commits[place]).collect();
        Self {
            runs: column(&commits, |commit| commit.lane.run.to_string()),
            strategies: column(&commits, |commit| commit.lane.strategy.to_string()),
            shards: column(&commits, |commit| commit.lane.shard.into()),
            epochs: column(&commits, |commit| commit.epoch as i64),
            from_seqs: column(&commits, |commit| commit.from_seq as i64),
            to_seqs: column(&commits, |commit| commit.to_seq as i64),
            signals: column(&commits, |commit| commit.signals.clone()),
            states: column(&commits, |commit| commit.states.as_deref().map(checkpoint::encode)),
            ended: column(&commits, |commit| commit.ended),
            skipped: column(&commits, |commit| commit.skipped as i64),
            named: InstrumentRows::new(&commits),
            places,
        }
    }

    /// Stores all of them in one transaction and one round trip.
    pub(super) async fn store(&self, connection: &mut PgConnection, try_of: Try) -> sqlx::Result<Stored> {
        let sql =
            "SELECT * FROM orchard.commit_lanes($1::text[]::uuid[], $2, $3, $4, $5, $6, $7, $8, $9, $10,
            $11, $12, $13, $14, $15)";
        let rows: Vec<(i32, bool, i64)> = sqlx::query_as(sql)
            .bind(&self.runs)
            .bind(&self.strategies)
            .bind(&self.shards)
            .bind(&self.epochs)
            .bind(&self.from_seqs)
            .bind(&self.to_seqs)
            .bind(&self.signals)
            .bind(&self.states)
            .bind(&self.ended)
            .bind(&self.skipped)
            .bind(try_of == Try::Again)
            .bind(&self.named.of_commit)
            .bind(&self.named.ids)
            .bind(&self.named.symbols)
            .bind(&self.named.keys)
            .fetch_all(connection)
            .await?;
        let mut stored = Stored { fenced: Vec::new(), unfolded: Vec::new() };
        for (number, fenced, lane) in rows {
            // The server counts from 1.
            let number = number as usize - 1;
            if fenced {
                stored.fenced.push(self.places[number]);
            } else {
                stored.unfolded.push(Unfolded { lane, epoch: self.epochs[number] });
            }
        }
        stored.fenced.sort_unstable();
        Ok(stored)
    }
}

impl InstrumentRows {
    fn new(commits: &[&Commit]) -> Self {
        let mut rows = Self::default();
        for (number, commit) in (1..).zip(commits) {
            for new in &commit.new_instruments {
                rows.of_commit.push(number);
                rows.ids.push(new.id.into());
                rows.symbols.push(new.symbol.clone());
                rows.keys.push(new.key.clone());
            }
        }
        rows
    }
}

fn column<T>(commits: &[&Commit], value: impl Fn(&Commit) -> T) -> Vec<T> {
    commits.iter().map(|commit| value(commit)).collect()
}

impl Unfolded {
    pub(super) async fn read(&self, connection: &mut PgConnection) -> sqlx::Result<Checkpoints> {
        checkpoints(connection, self.lane).await
    }

    pub(super) async fn write(&self, connection: &mut PgConnection, folded: &Folded) -> sqlx::Result<()> {
        let folding = sqlx::query("SELECT orchard.fold_state($1, $2, $3, $4)");
        let folding = folding.bind(self.lane).bind(self.epoch).bind(folded.last).bind(&folded.state);
        folding.execute(connection).await.map(drop)
    }
}

impl Checkpoints {
    fn states(&self) -> Result<Vec<(String, Vec<u8>)>, LedgerError> {
        checkpoint::fold(self.0.iter().map(|(_, changed)| changed.as_slice()))
    }

    /// All of them as one; `None` if there are none.
    pub(super) fn fold(&self) -> Result<Option<Folded>, LedgerError> {
        let Some((last, _)) = self.0.last() else { return Ok(None) };
        Ok(Some(Folded { last: *last, state: checkpoint::encode(&self.states()?) }))
    }
}

/// A claim as it was read.
pub(super) struct Claimed {
    claim: Claim,
    checkpoints: Checkpoints,
}

impl Claimed {
    pub(super) fn readable(self) -> Result<Claim, LedgerError> {
        Ok(Claim { states: self.checkpoints.states()?, ..self.claim })
    }
}

/// Claims a lane, which begins at `begins_at` if nobody has claimed it before. What it reads after
/// that changes no more, as only the newest claim commits.
pub(super) async fn claim(
    connection: &mut PgConnection,
    lane: &LaneId,
    begins_at: u64,
) -> sqlx::Result<Claimed> {
    let sql = "INSERT INTO orchard.lane AS l (run, strategy, shard, epoch, cursor, state_seq)
        VALUES ($1::text::uuid, $2, $3, 1, $4, $4)
        ON CONFLICT (run, strategy, shard) DO UPDATE SET epoch = l.epoch + 1
        RETURNING lane, epoch, cursor, state_seq, ended";
    let claiming = sqlx::query_as(sql).bind(lane.run.to_string()).bind(lane.strategy.as_str());
    let claiming = claiming.bind(i32::from(lane.shard)).bind(begins_at as i64);
    let (number, epoch, cursor, state_seq, ended): (i64, i64, i64, i64, bool) =
        claiming.fetch_one(&mut *connection).await?;
    let dictionary = dictionary(connection, lane.run, lane.shard).await?;
    let checkpoints = checkpoints(connection, number).await?;
    let claim = Claim {
        epoch: epoch as u64,
        cursor: cursor as u64,
        state_seq: state_seq as u64,
        ended,
        dictionary,
        states: Vec::new(),
    };
    Ok(Claimed { claim, checkpoints })
}

async fn checkpoints(connection: &mut PgConnection, lane: i64) -> sqlx::Result<Checkpoints> {
    let sql = "SELECT number, changed FROM orchard.state WHERE lane = $1 ORDER BY number";
    sqlx::query_as(sql).bind(lane).fetch_all(connection).await.map(Checkpoints)
}

/// Every lane of a run, in order of (strategy, shard).
pub(super) async fn all(connection: &mut PgConnection, run: RunId) -> sqlx::Result<Vec<LaneRow>> {
    let sql = "SELECT strategy::text, shard, epoch, cursor, state_seq, skipped, ended FROM orchard.lane
        WHERE run = $1::text::uuid ORDER BY strategy, shard";
    let rows: Vec<(String, i32, i64, i64, i64, i64, bool)> =
        sqlx::query_as(sql).bind(run.to_string()).fetch_all(connection).await?;
    let row = |(strategy, shard, epoch, cursor, state_seq, skipped, ended)| {
        Ok(LaneRow {
            lane: LaneId { run, strategy: strategy_name(strategy)?, shard: shard as u16 },
            epoch: epoch as u64,
            cursor: cursor as u64,
            state_seq: state_seq as u64,
            skipped: skipped as u64,
            ended,
        })
    };
    rows.into_iter().map(row).collect()
}

/// Up to `limit` batches of a lane that begin at or after `from_seq`.
pub(super) async fn batches(
    connection: &mut PgConnection,
    lane: &LaneId,
    from_seq: u64,
    limit: usize,
) -> sqlx::Result<Vec<StoredBatch>> {
    let sql = "SELECT from_seq, signals FROM orchard.batch JOIN orchard.lane USING (lane)
        WHERE run = $1::text::uuid AND strategy = $2 AND shard = $3 AND from_seq >= $4
        ORDER BY from_seq LIMIT $5";
    let reading = sqlx::query_as(sql).bind(lane.run.to_string()).bind(lane.strategy.as_str());
    let reading = reading.bind(i32::from(lane.shard)).bind(from_seq as i64).bind(limit as i64);
    let rows: Vec<(i64, Vec<u8>)> = reading.fetch_all(connection).await?;
    let row = |(from_seq, signals)| StoredBatch { from_seq: from_seq as u64, signals };
    Ok(rows.into_iter().map(row).collect())
}

/// Where the last batch of a lane begins that begins at or before a tick.
pub(super) async fn batch_at(
    connection: &mut PgConnection,
    lane: &LaneId,
    seq: u64,
) -> sqlx::Result<Option<u64>> {
    let sql = "SELECT max(from_seq) FROM orchard.batch JOIN orchard.lane USING (lane)
        WHERE run = $1::text::uuid AND strategy = $2 AND shard = $3 AND from_seq <= $4";
    let reading = sqlx::query_scalar(sql).bind(lane.run.to_string()).bind(lane.strategy.as_str());
    // A number that no tick has is beyond all of them.
    let seq = i64::try_from(seq).unwrap_or(i64::MAX);
    let begins: Option<i64> = reading.bind(i32::from(lane.shard)).bind(seq).fetch_one(connection).await?;
    Ok(begins.map(|begins| begins as u64))
}

/// The instruments of one shard, by id.
pub(super) async fn dictionary(
    connection: &mut PgConnection,
    run: RunId,
    shard: u16,
) -> sqlx::Result<Vec<NewInstrument>> {
    let sql = "SELECT id, symbol, key FROM orchard.instrument
        WHERE run = $1::text::uuid AND shard = $2 ORDER BY id";
    let rows: Vec<(i64, String, String)> =
        sqlx::query_as(sql).bind(run.to_string()).bind(i32::from(shard)).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(id, symbol, key)| NewInstrument { id: id as u32, symbol, key }).collect())
}
