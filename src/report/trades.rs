//! Which round trips a page lists: a bounded number of all.

use std::collections::VecDeque;
use std::sync::Arc;

use strategy_host::paper::Trade;

/// The most round trips of a page: of more, the first half and the last half of so many.
pub const MAX_TRADES: usize = 1000;

/// A round trip of a strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportTrade {
    /// The strategy's number in the account.
    pub strategy: usize,
    /// The instrument.
    pub symbol: Arc<str>,
    /// What was bought and sold.
    pub trade: Trade,
}

impl ReportTrade {
    /// The profit in percent of what was paid or got when it was opened.
    pub fn percent(&self) -> Option<f64> {
        let entry = self.trade.entry.unsigned_abs();
        (entry > 0).then(|| self.trade.profit as f64 / entry as f64 * 100.0)
    }
}

/// The round trips that a page lists, in the order in which they were closed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportTrades {
    /// How many there are in all.
    pub count: u64,
    /// All of them, or of more than [`MAX_TRADES`] the first and the last ones.
    pub listed: Vec<ReportTrade>,
}

/// Takes all round trips of a run one by one and keeps those that a page lists.
#[derive(Debug, Default)]
pub struct TradesSample {
    count: u64,
    first: Vec<ReportTrade>,
    last: VecDeque<ReportTrade>,
}

impl TradesSample {
    /// Takes the next round trip.
    pub fn add(&mut self, trade: ReportTrade) {
        self.count += 1;
        if self.first.len() < MAX_TRADES / 2 {
            return self.first.push(trade);
        }
        if self.last.len() == MAX_TRADES / 2 {
            self.last.pop_front();
        }
        self.last.push_back(trade);
    }

    /// What is listed.
    pub fn finish(self) -> ReportTrades {
        let mut listed = self.first;
        listed.extend(self.last);
        ReportTrades { count: self.count, listed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(count: u64) -> ReportTrades {
        let mut sample = TradesSample::default();
        for opened_at in 0..count {
            let trade = Trade {
                side: tick_sdk::TargetPosition::Long,
                opened_at,
                closed_at: opened_at + 1,
                entry: 1,
                exit: 1,
                fees: 0,
                profit: 0,
            };
            sample.add(ReportTrade { strategy: 0, symbol: "X".into(), trade });
        }
        sample.finish()
    }

    #[test]
    fn of_many_the_first_and_the_last_are_listed() {
        let times = |trades: &ReportTrades| -> Vec<u64> {
            trades.listed.iter().map(|one| one.trade.opened_at).collect()
        };
        assert_eq!(times(&sample(700)), (0..700).collect::<Vec<_>>());
        let many = sample(10_000);
        assert_eq!((many.count, many.listed.len()), (10_000, MAX_TRADES));
        assert_eq!(
            times(&many)[..],
            [&(0..500).collect::<Vec<_>>()[..], &(9_500..10_000).collect::<Vec<_>>()].concat()
        );
    }
}
