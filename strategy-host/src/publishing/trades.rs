//! The round trips of a run as events: made of its signals again, so that nobody keeps all of them.

use bus::values;
use tick_sdk::contracts::results::{ClosedTrade, TradesClosed};
use tick_sdk::contracts::strategies::STRATEGIES;
use tick_sdk::decimal::format_decimal;
use tick_sdk::names::StrategyName;

use super::{PublishError, SignalPublisher, forget};
use crate::ledger::{LedgerError, NamedSignal, OrderedSignals};
use crate::paper::{PaperAccount, PaperResults, Trade};

/// An event has at most so many: about a hundred kilobytes.
const TRADES_PER_EVENT: usize = 500;
/// A commit has about so many: it holds the context's writer for a small part of a second.
const TRADES_PER_COMMIT: usize = 16_000;

/// How many round trips of each strategy are published.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS published_trades (
    run BLOB NOT NULL,
    strategy TEXT NOT NULL,
    trades INTEGER NOT NULL,
    PRIMARY KEY (run, strategy)
) STRICT, WITHOUT ROWID;
";

/// The round trips of one strategy.
struct OfStrategy {
    name: StrategyName,
    /// Those that were in the log when this began.
    known: u64,
    /// Those that were closed so far.
    closed: u64,
    /// The last of them, which are not published yet.
    waiting: Vec<ClosedTrade>,
}

impl SignalPublisher {
    /// Publishes every round trip that is not in the log yet, in the order in which they were closed.
    pub(super) fn publish_trades(&self, account: &PaperResults) -> Result<(), PublishError> {
        if self.is_account_published()? {
            return Ok(());
        }
        let names = account.strategies.iter().map(|one| one.strategy.parse::<StrategyName>());
        let names = names.collect::<Result<Vec<_>, _>>();
        let names = names.map_err(|error| LedgerError::Damaged(error.to_string()))?;
        let shards = self.lanes.iter().map(|lane| lane.shard + 1).max().unwrap_or(0);
        let mut strategies = self.begin_trades(&names)?;
        let mut paper = PaperAccount::new(account.rules, names.iter().map(StrategyName::to_string));
        let mut signals = OrderedSignals::new(&*self.ledger, self.run, &names, shards)?;
        let mut waiting = 0;
        while let Some(NamedSignal { strategy, symbol, signal, .. }) = signals.next_signal()? {
            let closed = paper.signal(strategy, &symbol, &signal);
            let Ok(Some(trade)) = closed else { continue };
            let of_strategy = &mut strategies[strategy];
            of_strategy.closed += 1;
            if of_strategy.closed > of_strategy.known {
                of_strategy.waiting.push(event_of(&symbol, &trade));
                waiting += 1;
            }
            if waiting == TRADES_PER_COMMIT {
                self.commit_trades(&mut strategies)?;
                waiting = 0;
            }
        }
        self.commit_trades(&mut strategies)
    }

    fn is_account_published(&self) -> Result<bool, PublishError> {
        self.bus.transaction(STRATEGIES, |work| {
            let sql = "SELECT 1 FROM published_account WHERE run = $1";
            Ok(work.tables()?.query_first(sql, &values![self.run.0])?.is_some())
        })
    }

    fn begin_trades(&self, names: &[StrategyName]) -> Result<Vec<OfStrategy>, PublishError> {
        self.bus.transaction(STRATEGIES, |work| {
            let sql = "SELECT trades FROM published_trades WHERE run = $1 AND strategy = $2";
            let tables = work.tables()?;
            let of_strategy = |name: &StrategyName| {
                let found = tables.query_first(sql, &values![self.run.0, name.as_str()])?;
                let known = found.map(|row| row.get(0)).transpose()?.unwrap_or(0);
                Ok(OfStrategy { name: name.clone(), known, closed: 0, waiting: Vec::new() })
            };
            names.iter().map(of_strategy).collect()
        })
    }

    /// Stores what waits and how many are published then: one commit.
    fn commit_trades(&self, strategies: &mut [OfStrategy]) -> Result<(), PublishError> {
        if strategies.iter().all(|one| one.waiting.is_empty()) {
            return Ok(());
        }
        self.bus.transaction(STRATEGIES, |work| {
            forget::begin(work, self.run, self.command.as_ref())?;
            let before = work.position()?;
            for OfStrategy { name, closed, waiting, .. } in strategies.iter() {
                let mut first = *closed - waiting.len() as u64;
                let sql = "INSERT INTO published_trades (run, strategy, trades) VALUES ($1, $2, $3) \
                           ON CONFLICT (run, strategy) DO UPDATE SET trades = excluded.trades \
                           WHERE published_trades.trades = $4";
                let values = values![self.run.0, name.as_str(), *closed, first];
                if work.tables()?.execute(sql, &values)? == 0 {
                    return Err(PublishError::Overtaken { run: self.run });
                }
                for trades in waiting.chunks(TRADES_PER_EVENT) {
                    let (run, strategy) = (self.run.to_string(), name.as_str().to_owned());
                    work.publish(&TradesClosed { run, strategy, first, trades: trades.to_vec() });
                    first += trades.len() as u64;
                }
            }
            forget::note(work, self.run, self.command.as_ref(), before)
        })?;
        strategies.iter_mut().for_each(|one| one.waiting.clear());
        Ok(())
    }
}

fn event_of(symbol: &str, trade: &Trade) -> ClosedTrade {
    ClosedTrade {
        symbol: symbol.to_owned(),
        side: trade.side.name().to_owned(),
        opened_at_ns: trade.opened_at,
        closed_at_ns: trade.closed_at,
        entry: format_decimal(trade.entry),
        exit: format_decimal(trade.exit),
        fees: format_decimal(trade.fees),
        profit: format_decimal(trade.profit),
    }
}
