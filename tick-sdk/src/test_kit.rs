//! For strategy authors: ticks by hand in a line, a strategy run over them, its signals asserted.
//!
//! ```
//! # use serde::{Deserialize, Serialize};
//! # use tick_sdk::{Context, Key, NoParams, Strategy, Tick};
//! # #[derive(Serialize, Deserialize)]
//! # struct Echo;
//! # impl Strategy for Echo {
//! #     const NAME: &'static str = "echo";
//! #     const SUMMARY: &'static str = "buys at every tick";
//! #     type Params = NoParams;
//! #     fn new(_: &NoParams, _: &Key<'_>) -> Result<Self, String> { Ok(Self) }
//! #     fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) { context.buy(tick.price().unwrap()) }
//! # }
//! use tick_sdk::test_kit::{Market, Trial};
//!
//! let market = Market::new().trades("BTCUSDT", "100 101.5").wait_ms(500).quote("BTCUSDT", "101", "102");
//! let signals = Trial::<Echo>::new().run(&market);
//! assert_eq!(signals, ["BTCUSDT buy 100", "BTCUSDT buy 101.5", "BTCUSDT buy 101", "BTCUSDT buy 102"]);
//! ```

use std::path::Path;
use std::sync::Arc;

use crate::decimal::{UNDEFINED_PRICE, format_decimal, parse_price};
use crate::groups::Groups;
use crate::host::{Lane, TypedLane};
use crate::signal::Signal;
use crate::{Kind, Params, Side, Strategy, Tick};

/// Ticks made by hand. Time begins at 0 and moves on by 1 ms with every event.
#[derive(Clone, Debug, Default)]
pub struct Market {
    ticks: Vec<Tick>,
    symbols: Vec<String>,
    now: u64,
}

const MILLISECOND: u64 = 1_000_000;

impl Market {
    /// No ticks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A random walk with quotes and trades of `instruments` instruments (`S0`, `S1`, …), the same
    /// for the same seed.
    pub fn random(seed: u64, events: usize, instruments: u32) -> Self {
        let mut market = Self::new();
        let mut state = seed;
        let mut mids = vec![100_000i64; instruments as usize];
        for _ in 0..events {
            let draw = split_mix(&mut state);
            let which = (draw % u64::from(instruments)) as usize;
            mids[which] = (mids[which] + (draw >> 20) as i64 % 7 - 3).max(10);
            let symbol = format!("S{which}");
            let price = |cents: i64| format_decimal(cents * 10_000_000);
            market = match (draw >> 40) % 3 {
                0 => market.trades(&symbol, &price(mids[which])),
                _ => market.quote(&symbol, &price(mids[which] - 1), &price(mids[which] + 1)),
            };
        }
        market
    }

    /// Trades of size 1 at these prices, separated by spaces.
    ///
    /// # Panics
    /// A text is not a valid price.
    #[must_use]
    pub fn trades(mut self, symbol: &str, prices: &str) -> Self {
        let id = self.id(symbol);
        for price in prices.split_whitespace() {
            self.now += MILLISECOND;
            let price = price_of(price);
            self.ticks.push(Tick::trade(self.now, self.now, price, 1_000_000_000, Side::NONE).of(id));
        }
        self
    }

    /// A quote of both sides with size 1; `-` is a side without orders.
    ///
    /// # Panics
    /// A text is not a valid price.
    #[must_use]
    pub fn quote(mut self, symbol: &str, bid: &str, ask: &str) -> Self {
        let id = self.id(symbol);
        self.now += MILLISECOND;
        let side = |kind, text| Tick::quote(kind, self.now, self.now, price_of(text), 1_000_000_000).of(id);
        let (bid, ask) = (side(Kind::BID, bid), side(Kind::ASK, ask).last());
        self.ticks.extend([bid, ask]);
        self
    }

    /// Lets time pass.
    #[must_use]
    pub fn wait_ms(mut self, milliseconds: u64) -> Self {
        self.now += milliseconds * MILLISECOND;
        self
    }

    /// The ticks; `instrument` indexes [`Market::symbols`].
    pub fn ticks(&self) -> &[Tick] {
        &self.ticks
    }

    /// The symbols, by id.
    pub fn symbols(&self) -> &[String] {
        &self.symbols
    }

    fn id(&mut self, symbol: &str) -> u32 {
        let known = self.symbols.iter().position(|known| known == symbol);
        known.unwrap_or_else(|| {
            self.symbols.push(symbol.to_owned());
            self.symbols.len() - 1
        }) as u32
    }
}

fn price_of(text: &str) -> i64 {
    match text {
        "-" => UNDEFINED_PRICE,
        _ => parse_price(text.as_bytes()).unwrap_or_else(|error| panic!("'{text}' {error}")),
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A strategy with its parameters and groups, ready to be run over a [`Market`].
pub struct Trial<S: Strategy> {
    params: S::Params,
    groups: Arc<Groups>,
}

impl<S: Strategy> Default for Trial<S> {
    fn default() -> Self {
        Self { params: S::Params::default(), groups: Arc::default() }
    }
}

impl<S: Strategy> Trial<S> {
    /// With default parameters and no groups.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a parameter as a user would.
    ///
    /// # Panics
    /// The parameter or its value does not exist, or the strategy refuses it.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.params.set(name, value).unwrap_or_else(|error| panic!("{error}"));
        S::check(&self.params).unwrap_or_else(|error| panic!("{error}"));
        self
    }

    /// Sets the groups, as in a groups file.
    ///
    /// # Panics
    /// The text is not a valid groups file.
    #[must_use]
    pub fn groups(mut self, text: &str) -> Self {
        self.groups = Arc::new(text.parse().unwrap_or_else(|error| panic!("{error}")));
        self
    }

    /// Runs the strategy to the end; each signal as `SYMBOL SIDE PRICE`.
    ///
    /// # Panics
    /// The strategy does what would stop a run.
    pub fn run(&self, market: &Market) -> Vec<String> {
        let name = |signal: &Signal| {
            let symbol = &market.symbols[signal.instrument as usize];
            format!("{symbol} {} {}", signal.side.name(), format_decimal(signal.price))
        };
        self.signals(market).iter().map(name).collect()
    }

    /// Runs the strategy to the end and gives its signals as they are.
    ///
    /// # Panics
    /// The strategy does what would stop a run.
    pub fn signals(&self, market: &Market) -> Vec<Signal> {
        let mut lane = self.lane(market);
        self.run_part(&mut lane, market, 0..market.ticks.len());
        self.end(&mut lane, market)
    }

    /// Stores and restores the state after every `every` ticks; the signals must be the same as
    /// without. This is what a crash and a restart do.
    ///
    /// # Panics
    /// The signals differ: a field that matters is not serialised.
    pub fn check_restarts(&self, market: &Market, every: usize) {
        let mut signals = Vec::new();
        let mut lane = self.lane(market);
        for start in (0..market.ticks.len()).step_by(every.max(1)) {
            let end = market.ticks.len().min(start + every.max(1));
            self.run_part(&mut lane, market, start..end);
            signals.append(lane.signals());
            let mut fresh = self.lane(market);
            let stored =
                |key: &str, state: Vec<u8>| fresh.restore(key, &state).expect("what was stored is restored");
            let mut stored = stored;
            lane.changed_since(0, &mut |key, state| stored(key, state)).expect("state is storable");
            lane = fresh;
        }
        signals.extend(self.end(&mut lane, market));
        assert_eq!(signals, self.signals(market), "a restart every {every} ticks changes the signals");
    }

    fn lane(&self, market: &Market) -> TypedLane<S> {
        let mut lane = TypedLane::new(self.params.clone(), self.groups.clone());
        for (symbol, id) in market.symbols.iter().zip(0..) {
            lane.open(id, symbol, self.groups.key_of(symbol)).unwrap_or_else(|error| panic!("{error}"));
        }
        lane
    }

    fn run_part(&self, lane: &mut TypedLane<S>, market: &Market, part: std::ops::Range<usize>) {
        let first_seq = part.start as u64;
        lane.run(first_seq, &market.ticks[part]).unwrap_or_else(|error| panic!("{error}"));
    }

    fn end(&self, lane: &mut TypedLane<S>, market: &Market) -> Vec<Signal> {
        let last = market.ticks.last().map_or(0, |tick| tick.ts_recv);
        lane.end(market.ticks.len() as u64, last).unwrap_or_else(|error| panic!("{error}"));
        std::mem::take(lane.signals())
    }
}

/// Compares `found` with the file at `path`; with `UPDATE_GOLDEN=1` in the environment it writes
/// the file instead.
///
/// # Panics
/// They differ, or the file cannot be read or written.
pub fn check_golden(path: impl AsRef<Path>, found: impl AsRef<[u8]>) {
    let (path, found) = (path.as_ref(), found.as_ref());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, found).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let golden = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if golden != found {
        let line = golden.split(|b| *b == b'\n').zip(found.split(|b| *b == b'\n')).position(|(a, b)| a != b);
        let place = line.map_or_else(|| "their lengths".to_owned(), |line| format!("line {}", line + 1));
        panic!(
            "{} differs at {place} ({} bytes, found {}); if that is meant, run again with UPDATE_GOLDEN=1",
            path.display(),
            golden.len(),
            found.len()
        );
    }
}
