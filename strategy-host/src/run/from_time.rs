//! A strategy that takes part from a time on: ticks that were received before are left out.

use std::sync::Arc;

use tick_sdk::Tick;
use tick_sdk::groups::Groups;
use tick_sdk::host::{Configured, Lane, LaneError, LanePosition, Registration};
use tick_sdk::signal::Signal;

/// The strategy, which sees no tick that was received before `from`, in ns since the UNIX epoch.
pub(super) struct FromTime {
    pub(super) strategy: Arc<dyn Configured>,
    pub(super) from: u64,
}

impl Configured for FromTime {
    fn registration(&self) -> &'static Registration {
        self.strategy.registration()
    }

    fn params(&self) -> Vec<(&'static str, String)> {
        self.strategy.params()
    }

    fn lane(&self, groups: &Arc<Groups>) -> Box<dyn Lane> {
        Box::new(LaneFromTime { lane: self.strategy.lane(groups), from: self.from })
    }
}

struct LaneFromTime {
    lane: Box<dyn Lane>,
    from: u64,
}

impl Lane for LaneFromTime {
    fn open(&mut self, id: u32, symbol: &str, key: &str) -> Result<(), LaneError> {
        self.lane.open(id, symbol, key)
    }

    fn instruments(&self) -> u32 {
        self.lane.instruments()
    }

    fn run(&mut self, first_seq: u64, ticks: &[Tick]) -> Result<(), LaneError> {
        // A shard's ticks are in order of receipt.
        let before = ticks.partition_point(|tick| tick.ts_recv < self.from);
        match &ticks[before..] {
            [] => Ok(()),
            ticks => self.lane.run(first_seq + before as u64, ticks),
        }
    }

    fn end(&mut self, seq: u64, ts: u64) -> Result<(), LaneError> {
        self.lane.end(seq, ts)
    }

    fn signals(&mut self) -> &mut Vec<Signal> {
        self.lane.signals()
    }

    fn suppress_below(&mut self, seq: u64) {
        self.lane.suppress_below(seq);
    }

    fn changed_since(&self, seq: u64, visit: &mut dyn FnMut(&str, Vec<u8>)) -> Result<(), LaneError> {
        self.lane.changed_since(seq, visit)
    }

    fn restore(&mut self, key: &str, stored: &[u8]) -> Result<(), LaneError> {
        self.lane.restore(key, stored)
    }

    fn position(&self) -> Option<LanePosition<'_>> {
        self.lane.position()
    }
}

#[cfg(test)]
mod tests {
    use tick_sdk::Side;

    use super::*;
    // Linked, so that Pear is registered.
    use strategies as _;

    #[test]
    fn ticks_before_the_time_are_as_if_they_were_not_there() {
        let configured = || -> Arc<dyn Configured> {
            let fast = [("fast".to_owned(), "2".to_owned()), ("slow".to_owned(), "3".to_owned())];
            Registration::find("apple").unwrap().configure(&fast).unwrap().into()
        };
        let price = |at: u64| 100_000_000_000 + [0, 3, -4, 9, -2][at as usize % 5] * 1_000_000_000;
        let ticks: Vec<_> = (0..400).map(|at| Tick::trade(at, at, price(at), 0, Side::BUY)).collect();
        let groups = Arc::new(Groups::default());
        let signals = |lane: &mut dyn Lane, parts: &[(u64, &[Tick])]| {
            lane.open(0, "BTCUSDT", "BTCUSDT").unwrap();
            parts.iter().for_each(|(first_seq, ticks)| lane.run(*first_seq, ticks).unwrap());
            lane.signals().clone()
        };
        let expected = signals(&mut *configured().lane(&groups), &[(150, &ticks[150..])]);
        assert!(!expected.is_empty());
        let mut late = FromTime { strategy: configured(), from: 150 }.lane(&groups);
        let parts = [(0, &ticks[..100]), (100, &ticks[100..200]), (200, &ticks[200..])];
        assert_eq!(signals(&mut *late, &parts), expected);
    }
}
