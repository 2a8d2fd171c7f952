//! Round trips as text: CSV.

use std::io::{self, Write};

use strategy_host::paper::Trade;
use tick_sdk::decimal::format_decimal;
use tick_sdk::names::{RunId, StrategyName};
pub use tick_sdk::signal::TRADE_COLUMNS;

use super::signals::write_field;

/// Takes every round trip of a run in the order in which they were closed. Those that are open at the end are none.
pub trait TradeSink: Send {
    /// Comes first; a round trip names its strategy by the place in `strategies`.
    ///
    /// # Errors
    /// The sink takes nothing more: the run ends.
    fn begin(&mut self, run: RunId, strategies: &[StrategyName]) -> io::Result<()>;

    /// The next round trip.
    ///
    /// # Errors
    /// As [`TradeSink::begin`].
    fn trade(&mut self, strategy: usize, symbol: &str, trade: &Trade) -> io::Result<()>;

    /// Every round trip was handed over. Not called of a run that failed.
    ///
    /// # Errors
    /// The run's round trips are not whole where they should be.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Writes round trips as CSV with the header [`TRADE_COLUMNS`].
pub struct TradeWriter<W: Write> {
    out: W,
    run: String,
    names: Vec<StrategyName>,
    line: Vec<u8>,
}

impl<W: Write> TradeWriter<W> {
    /// To `out`.
    pub fn csv(out: W) -> Self {
        Self { out, run: String::new(), names: Vec::new(), line: Vec::new() }
    }

    /// What was written to, after everything that was.
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write + Send> TradeSink for TradeWriter<W> {
    fn begin(&mut self, run: RunId, strategies: &[StrategyName]) -> io::Result<()> {
        self.run = run.to_string();
        self.names = strategies.to_vec();
        self.out.write_all(TRADE_COLUMNS.as_bytes())
    }

    fn trade(&mut self, strategy: usize, symbol: &str, trade: &Trade) -> io::Result<()> {
        let Trade { side, opened_at, closed_at, entry, exit, fees, profit } = trade;
        let [entry, exit, fees, profit] = [entry, exit, fees, profit].map(|raw| format_decimal(*raw));
        self.line.clear();
        write!(self.line, "{},", self.run)?;
        write_field(self.names[strategy].as_str(), &mut self.line);
        self.line.push(b',');
        write_field(symbol, &mut self.line);
        let side = side.name();
        writeln!(self.line, ",{side},{opened_at},{closed_at},{entry},{exit},{fees},{profit}")?;
        self.out.write_all(&self.line)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}
