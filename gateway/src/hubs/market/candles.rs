//! The candles of one instrument as they grow.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use live::{Candle, Interval, LiveMarket};
use signalr::HubError;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::hubs::payloads::CandleState;
use crate::hubs::tail::Follow;

/// Between two updates.
const PAUSE: Duration = Duration::from_millis(250);
/// Usually a candle has grown, or one has ended and the next has begun.
const USUAL: usize = 3;

/// One client's candles.
pub(super) struct Candles {
    market: LiveMarket,
    source: String,
    symbol: String,
    interval: Interval,
    limit: usize,
    changes: watch::Receiver<u64>,
    /// When the next update may be sent; `None` before the first.
    due: Option<Instant>,
    /// The newest one that was sent.
    last: Option<Candle>,
}

impl Candles {
    pub(super) fn new(
        market: LiveMarket,
        source: String,
        symbol: String,
        interval: Interval,
        limit: usize,
    ) -> Self {
        let changes = market.changes();
        Self { market, source, symbol, interval, limit, changes, due: None, last: None }
    }

    fn read(&self, limit: usize) -> Vec<Candle> {
        self.market.candles(&self.source, &self.symbol, self.interval, limit)
    }

    /// Those that are not what was sent.
    fn changed(&mut self) -> Vec<CandleState> {
        let Some(last) = self.last else { return self.sent(&self.read(self.limit)) };
        let mut candles = self.read(USUAL);
        let has_begun_anew = candles.last().is_none_or(|newest| newest.start < last.start);
        if has_begun_anew {
            return self.sent(&self.read(self.limit));
        }
        if candles.first().is_some_and(|oldest| oldest.start > last.start) {
            candles = self.read(usize::MAX);
        }
        let new = candles.partition_point(|candle| candle.start < last.start);
        let new = candles.split_off(new);
        let is_new = |candle: &Candle| *candle != last;
        self.sent(if new.first().is_some_and(is_new) { &new } else { new.get(1..).unwrap_or_default() })
    }

    fn sent(&mut self, candles: &[Candle]) -> Vec<CandleState> {
        self.last = candles.last().copied().or(self.last);
        candles.iter().map(CandleState::from).collect()
    }
}

impl Follow for Candles {
    type Update = Vec<CandleState>;

    fn next(&mut self) -> BoxFuture<'_, Result<Vec<CandleState>, HubError>> {
        async {
            let is_first = self.due.is_none();
            loop {
                if let Some(due) = self.due {
                    tokio::time::sleep_until(due).await;
                    // The market is this hub's own: it does not end before.
                    let _ = self.changes.changed().await;
                }
                self.due = Some(Instant::now() + PAUSE);
                self.changes.mark_unchanged();
                let candles = self.changed();
                // A client learns at once that there is none yet.
                if is_first || !candles.is_empty() {
                    return Ok(candles);
                }
            }
        }
        .boxed()
    }
}
