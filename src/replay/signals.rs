//! Signals as text: CSV or JSON lines.

use std::io::{self, Write};

use serde::Serialize;
use strategy_host::ledger::NamedSignal;
pub use strategy_host::verify::SIGNAL_COLUMNS;
use tick_sdk::decimal::{format_decimal, write_decimal};
use tick_sdk::names::{RunId, StrategyName};

/// Takes every signal of a run in its final order: by the receive time of its tick, then instrument,
/// strategy and emission. Calls may come from another thread, never from two at a time.
pub trait SignalSink: Send {
    /// Comes first; a signal names its strategy by the place in `strategies`.
    ///
    /// # Errors
    /// The sink takes nothing more: the run ends.
    fn begin(&mut self, run: RunId, strategies: &[StrategyName]) -> io::Result<()>;

    /// The next signal.
    ///
    /// # Errors
    /// As [`SignalSink::begin`].
    fn signal(&mut self, signal: &NamedSignal) -> io::Result<()>;

    /// What was handed over is to be seen now; a live sink gets this after each commit.
    ///
    /// # Errors
    /// As [`SignalSink::begin`].
    fn flush(&mut self) -> io::Result<()>;

    /// The run has ended and every signal was handed over. Not called of a run that failed, and not of
    /// a live sink.
    ///
    /// # Errors
    /// The run's signals are not whole where they should be.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Who takes the signals, and when.
pub struct SignalOutput {
    pub(super) sink: Box<dyn SignalSink>,
    pub(super) is_live: bool,
}

impl SignalOutput {
    /// The sink takes signals when the run has ended.
    pub fn at_end(sink: impl SignalSink + 'static) -> Self {
        Self { sink: Box::new(sink), is_live: false }
    }

    /// The sink takes signals while the run goes on, each once no earlier one can come; those of a
    /// resumed run come at its end.
    pub fn live(sink: impl SignalSink + 'static) -> Self {
        Self { sink: Box::new(sink), is_live: true }
    }
}

/// Writes signals as lines of text.
pub struct SignalWriter<W: Write> {
    out: W,
    run: String,
    names: Vec<StrategyName>,
    is_json: bool,
    line: Vec<u8>,
}

#[derive(Serialize)]
struct JsonSignal<'a> {
    run: &'a str,
    strategy: &'a str,
    instrument: &'a str,
    shard: u16,
    seq: u64,
    ts_event: u64,
    side: &'a str,
    price: String,
}

impl<W: Write> SignalWriter<W> {
    /// As CSV with the header [`SIGNAL_COLUMNS`]; prices in decimal.
    pub fn csv(out: W) -> Self {
        Self { out, run: String::new(), names: Vec::new(), is_json: false, line: Vec::new() }
    }

    /// As JSON lines, each an object with the fields of the CSV; prices as text.
    pub fn json_lines(out: W) -> Self {
        Self { is_json: true, ..Self::csv(out) }
    }

    /// What was written to, after everything that was.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn write_json(&mut self, named: &NamedSignal) -> io::Result<()> {
        let NamedSignal { strategy, symbol, shard, signal } = named;
        let row = JsonSignal {
            run: &self.run,
            strategy: self.names[*strategy].as_str(),
            instrument: symbol,
            shard: *shard,
            seq: signal.seq,
            ts_event: signal.ts_event,
            side: signal.side.name(),
            price: format_decimal(signal.price),
        };
        Ok(serde_json::to_writer(&mut self.line, &row)?)
    }

    fn write_csv(&mut self, named: &NamedSignal) -> io::Result<()> {
        let NamedSignal { strategy, symbol, shard, signal } = named;
        write!(self.line, "{},{},", self.run, self.names[*strategy])?;
        write_field(symbol, &mut self.line);
        write!(self.line, ",{shard},{},{},{},", signal.seq, signal.ts_event, signal.side.name())?;
        write_decimal(signal.price.into(), &mut self.line);
        Ok(())
    }
}

impl<W: Write + Send> SignalSink for SignalWriter<W> {
    fn begin(&mut self, run: RunId, strategies: &[StrategyName]) -> io::Result<()> {
        self.run = run.to_string();
        self.names = strategies.to_vec();
        if !self.is_json {
            self.out.write_all(SIGNAL_COLUMNS.as_bytes())?;
        }
        Ok(())
    }

    fn signal(&mut self, signal: &NamedSignal) -> io::Result<()> {
        self.line.clear();
        if self.is_json {
            self.write_json(signal)?;
        } else {
            self.write_csv(signal)?;
        }
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

/// A CSV field, quoted where it must be (RFC 4180).
pub(super) fn write_field(text: &str, out: &mut Vec<u8>) {
    if !text.contains([',', '"', '\n', '\r']) {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use tick_sdk::TargetPosition;
    use tick_sdk::decimal::UNDEFINED_PRICE;
    use tick_sdk::signal::Signal;

    use super::*;

    fn written(is_json: bool, symbol: &str) -> String {
        let signal = Signal {
            ts_event: 1_723_161_258_362_000_000,
            ts_recv: 0,
            seq: 7,
            n: 0,
            instrument: 0,
            side: TargetPosition::Long,
            price: 61_800_100_000_000,
            bid: UNDEFINED_PRICE,
            ask: UNDEFINED_PRICE,
        };
        let named = NamedSignal { strategy: 0, symbol: symbol.into(), shard: 2, signal };
        let out = Vec::new();
        let mut writer = if is_json { SignalWriter::json_lines(out) } else { SignalWriter::csv(out) };
        writer.begin(RunId([0; 16]), &["apple".parse().unwrap()]).unwrap();
        writer.signal(&named).unwrap();
        String::from_utf8(writer.into_inner()).unwrap()
    }

    #[test]
    fn a_csv_row_has_exactly_its_columns() {
        let row = "00000000000000000000000000000000,apple,BTCUSDT,2,7,1723161258362000000,buy,61800.1\n";
        assert_eq!(written(false, "BTCUSDT"), format!("{SIGNAL_COLUMNS}{row}"));
        assert!(written(false, "A,\"B\"").contains(",\"A,\"\"B\"\"\","));
    }

    #[test]
    fn a_json_line_has_the_same_fields() {
        let value: serde_json::Value = serde_json::from_str(&written(true, "BTC\"")).unwrap();
        assert_eq!(value["instrument"], "BTC\"");
        assert_eq!(value["price"], "61800.1");
        assert_eq!(value["ts_event"], 1_723_161_258_362_000_000u64);
    }
}
