//! Who lives, by the server's clock.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use tick_sdk::names::{RunId, StrategyName};

use super::name::strategy_name;
use crate::ledger::{MEMBER_FORGOTTEN, MEMBER_LIVES, MemberRow};

/// Records that a member lives; gives those that do.
pub(super) async fn beat(
    connection: &mut PgConnection,
    run: RunId,
    strategy: &StrategyName,
    member: &str,
) -> sqlx::Result<Vec<String>> {
    let sql = "SELECT * FROM orchard.beat($1::text::uuid, $2, $3,
        make_interval(secs => $4), make_interval(secs => $5))";
    sqlx::query_scalar(sql)
        .bind(run.to_string())
        .bind(strategy.as_str())
        .bind(member)
        .bind(MEMBER_LIVES.as_secs_f64())
        .bind(MEMBER_FORGOTTEN.as_secs_f64())
        .fetch_all(connection)
        .await
}

/// Forgets a member.
pub(super) async fn leave(
    connection: &mut PgConnection,
    run: RunId,
    strategy: &StrategyName,
    member: &str,
) -> sqlx::Result<()> {
    let sql = "DELETE FROM orchard.member WHERE run = $1::text::uuid AND strategy = $2 AND member = $3";
    let leaving = sqlx::query(sql).bind(run.to_string()).bind(strategy.as_str()).bind(member);
    leaving.execute(connection).await.map(drop)
}

/// Every member of a run, in order of (strategy, member).
pub(super) async fn all(connection: &mut PgConnection, run: RunId) -> sqlx::Result<Vec<MemberRow>> {
    let sql = "SELECT strategy::text, member::text,
        greatest(0, extract(epoch FROM clock_timestamp() - beat))::float8
        FROM orchard.member WHERE run = $1::text::uuid ORDER BY strategy, member";
    let rows: Vec<(String, String, f64)> =
        sqlx::query_as(sql).bind(run.to_string()).fetch_all(connection).await?;
    let row = |(strategy, member, silent)| {
        let (strategy, silent) = (strategy_name(strategy)?, Duration::from_secs_f64(silent));
        Ok(MemberRow { strategy, member, silent })
    };
    rows.into_iter().map(row).collect()
}
