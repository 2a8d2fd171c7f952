//! Alerts: a service of one page. When a strategy gives too many signals on one instrument within a minute, it
//! raises an alert and stops the strategy.
//!
//! A service is a **context**: a name, messages, tables, and who takes the messages. What a handler or consumer
//! writes, publishes and sends is one commit: it takes place once, or not at all.

#![deny(missing_docs)]

use std::path::Path;

use bus::{
    Consumer, Handled, Handler, HandlerError, Message, SqliteStore, StoreError, Tables, TablesError, Work,
    values,
};
use serde::{Deserialize, Serialize};
use tick_sdk::contracts::strategies::{CommittedSignal, SignalsCommitted, StopStrategy};

/// The context's name. It is where its commands are sent, and whose log its events are in.
pub const ALERTS: &str = "alerts";

/// A command: from now on a strategy may give so many signals on an instrument within a minute.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAlertLimit {
    /// The strategy's name.
    pub strategy: String,
    /// Signals within a minute; one more raises an alert.
    pub per_minute: u32,
}
tick_sdk::command!(SetAlertLimit, version 1, endpoint ALERTS);

/// An event: a strategy gave too many signals, and is being stopped.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertRaised {
    /// The run that the signals are of.
    pub run: String,
    /// The strategy's name.
    pub strategy: String,
    /// The instrument.
    pub symbol: String,
    /// The time of the signal that was one too many, in ns since the UNIX epoch.
    pub ts_event: u64,
}
tick_sdk::event!(AlertRaised, version 1, context ALERTS);

/// Signals within a minute where no limit was set.
const DEFAULT_LIMIT: u32 = 60;
/// A minute of the market's time, in which signals are counted, in ns.
const MINUTE_NS: i64 = 60_000_000_000;
/// After an alert there is no other for so long, by the clock: one storm is one alert.
const QUIET_MS: u64 = 600_000;

/// The context's own tables: limits, alerts, and the signals of each instrument's last minute.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS alert_limit (strategy TEXT PRIMARY KEY, per_minute INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS alert (strategy TEXT NOT NULL, symbol TEXT NOT NULL, raised_ms INTEGER NOT NULL,
    PRIMARY KEY (strategy, symbol)) STRICT;
CREATE TABLE IF NOT EXISTS recent (run TEXT, strategy TEXT, symbol TEXT, ts_event INTEGER, seen_ms INTEGER) STRICT;
CREATE INDEX IF NOT EXISTS recent_of_instrument ON recent (run, strategy, symbol, ts_event);
CREATE INDEX IF NOT EXISTS recent_seen ON recent (seen_ms);
";

/// Opens the context's store; see the README for where to call this.
///
/// # Errors
/// The file cannot be made, or is of another version.
pub fn open(file: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(file, TABLES)
}

/// Carries out [`SetAlertLimit`].
#[derive(Default)]
struct OnSetAlertLimit;

impl Handler for OnSetAlertLimit {
    type Command = SetAlertLimit;

    async fn handle(
        &self,
        message: &Message<SetAlertLimit>,
        work: &mut Work<'_>,
    ) -> Result<Handled, HandlerError> {
        let SetAlertLimit { strategy, per_minute } = &message.body;
        if *per_minute == 0 {
            return Err(HandlerError::refused("perMinute is 0: give 1 or more"));
        }
        let sql = "INSERT INTO alert_limit VALUES ($1, $2) \
                   ON CONFLICT (strategy) DO UPDATE SET per_minute = excluded.per_minute";
        work.tables()?.execute(sql, &values![strategy, *per_minute])?;
        Ok(Handled::DONE)
    }
}

bus::handler!(OnSetAlertLimit); // Found by this line; there is no list to edit.

/// Takes the signals that strategies commit.
#[derive(Default)]
struct OnSignalsCommitted;

impl Consumer for OnSignalsCommitted {
    type Event = SignalsCommitted;
    /// So many events share a commit at most. One has up to a thousand signals, and others wait meanwhile.
    const BATCH: usize = 10;

    async fn consume(
        &self,
        message: &Message<SignalsCommitted>,
        work: &mut Work<'_>,
    ) -> Result<(), HandlerError> {
        let now_ms = work.now_ms(); // Not the system's clock: a test sets this one forward.
        let SignalsCommitted { run, strategy, signals, .. } = &message.body;
        for signal in signals {
            let tables = work.tables()?;
            let count = signals_within_a_minute(tables, run, strategy, signal, now_ms)?;
            if count <= limit(tables, strategy)? || is_quiet(tables, strategy, &signal.symbol, now_ms)? {
                continue;
            }
            let sql = "INSERT INTO alert VALUES ($1, $2, $3) \
                       ON CONFLICT (strategy, symbol) DO UPDATE SET raised_ms = excluded.raised_ms";
            tables.execute(sql, &values![strategy, &signal.symbol, now_ms])?;
            let CommittedSignal { symbol, ts_event, .. } = signal.clone();
            work.publish(&AlertRaised { run: run.clone(), strategy: strategy.clone(), symbol, ts_event });
            // Once its parameters were changed, a deployment's signals carry its revision, too: trend@2.
            let deployment = strategy.split('@').next().unwrap_or(strategy);
            work.send(&StopStrategy { name: deployment.to_owned() });
        }
        Ok(())
    }
}

bus::consumer!(OnSignalsCommitted, in ALERTS);

/// Counts a signal, and gives how many there were on its instrument in the minute that ends with it.
fn signals_within_a_minute(
    tables: &mut dyn Tables,
    run: &str,
    strategy: &str,
    signal: &CommittedSignal,
    now_ms: u64,
) -> Result<u32, TablesError> {
    let CommittedSignal { symbol, ts_event, .. } = signal;
    let seen = values![run, strategy, symbol, *ts_event, now_ms];
    tables.execute("INSERT INTO recent VALUES ($1, $2, $3, $4, $5)", &seen)?;
    let minute = values![run, strategy, symbol, ts_event.cast_signed().saturating_sub(MINUTE_NS)];
    let sql = "DELETE FROM recent WHERE run = $1 AND strategy = $2 AND symbol = $3 AND ts_event <= $4";
    tables.execute(sql, &minute)?;
    // What ended runs have left behind.
    let forgotten = now_ms.saturating_sub(QUIET_MS);
    tables.execute("DELETE FROM recent WHERE seen_ms < $1", &values![forgotten])?;
    let sql =
        "SELECT count(*) FROM recent WHERE run = $1 AND strategy = $2 AND symbol = $3 AND ts_event > $4";
    tables.query_first(sql, &minute)?.map_or(Ok(0), |row| row.get(0))
}

fn limit(tables: &mut dyn Tables, strategy: &str) -> Result<u32, TablesError> {
    let sql = "SELECT per_minute FROM alert_limit WHERE strategy = $1";
    tables.query_first(sql, &values![strategy])?.map_or(Ok(DEFAULT_LIMIT), |row| row.get(0))
}

fn is_quiet(tables: &mut dyn Tables, strategy: &str, symbol: &str, now_ms: u64) -> Result<bool, TablesError> {
    let sql = "SELECT 1 FROM alert WHERE strategy = $1 AND symbol = $2 AND raised_ms > $3";
    let quiet_since = now_ms.saturating_sub(QUIET_MS);
    Ok(tables.query_first(sql, &values![strategy, symbol, quiet_since])?.is_some())
}

#[cfg(test)]
mod tests;
