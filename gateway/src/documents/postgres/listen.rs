//! A connection that listens: it says at once which documents another process has changed. What was announced while
//! it was lost is found by a look.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use database::{Address, no_answer};
use sqlx::postgres::PgListener;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::super::OnChange;
use super::CHANNEL;

/// Between looks for commits that nobody announced.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Between attempts to connect again.
const CONNECT_EVERY: Duration = Duration::from_millis(500);
/// A statement on this connection takes no longer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Those who want to know.
pub(super) type Watchers = Arc<Mutex<Vec<OnChange>>>;

/// Listens until it is aborted.
pub(super) async fn listen(address: Address, schema: &'static str, watchers: Watchers) {
    let all = |ids: Option<&[&str]>| {
        let watchers = watchers.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.iter().for_each(|changed| changed(ids));
    };
    loop {
        if let Err(error) = listen_once(&address, schema, &all).await {
            tracing::debug!(place = address.place(), %error, "the connection that listens is lost");
        }
        sleep(CONNECT_EVERY).await;
    }
}

async fn listen_once(
    address: &Address,
    schema: &'static str,
    all: &impl Fn(Option<&[&str]>),
) -> sqlx::Result<()> {
    let mut listener = address.listen().await?;
    timeout(ANSWER_TIMEOUT, listener.listen(CHANNEL)).await.map_err(|_| no_answer())??;
    let mut seen = commits(&mut listener, schema).await?;
    all(None);
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            received = listener.try_recv() => {
                let Some(received) = received? else { return Err(no_answer()) };
                let mut words = received.payload().split(' ');
                let number = words.next().and_then(|word| word.parse::<i64>().ok());
                let ids: Vec<&str> = words.collect();
                // One that does not follow on the last: something was missed, or all documents were exchanged.
                let follows = number.is_some_and(|number| number == seen || number == seen + 1);
                all(follows.then_some(&ids[..]));
                seen = number.unwrap_or(seen);
            }
            _ = looks.tick() => {
                let now = commits(&mut listener, schema).await?;
                if std::mem::replace(&mut seen, now) != now {
                    all(None);
                }
            }
        }
    }
}

/// How many commits there were.
async fn commits(listener: &mut PgListener, schema: &str) -> sqlx::Result<i64> {
    let sql = format!("SELECT commits FROM {schema}.keeper");
    let looking = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(listener);
    timeout(ANSWER_TIMEOUT, looking).await.map_err(|_| no_answer())?
}
