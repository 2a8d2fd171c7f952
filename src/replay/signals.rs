//! Signals as text: CSV or JSON lines, to a file or to standard output.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use strategy_host::ledger::NamedSignal;
use strategy_host::verify::SIGNAL_COLUMNS;
use tick_sdk::decimal::{format_decimal, write_decimal};
use tick_sdk::names::{RunId, StrategyName};

/// Where signals go, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SignalsTarget {
    /// CSV on standard output.
    Stdout,
    /// A file; `.jsonl` is JSON lines, everything else CSV.
    File(PathBuf),
}

impl From<&str> for SignalsTarget {
    fn from(text: &str) -> Self {
        match text {
            "-" => Self::Stdout,
            path => Self::File(path.into()),
        }
    }
}

impl SignalsTarget {
    /// The file's, if it is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdout => None,
            Self::File(path) => Some(path),
        }
    }
}

/// Writes signals one by one.
pub(super) struct SignalWriter<W: Write> {
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
    pub(super) fn new(
        mut out: W,
        run: RunId,
        names: Vec<StrategyName>,
        is_json: bool,
    ) -> std::io::Result<Self> {
        if !is_json {
            out.write_all(SIGNAL_COLUMNS.as_bytes())?;
        }
        Ok(Self { out, run: run.to_string(), names, is_json, line: Vec::new() })
    }

    pub(super) fn write(&mut self, named: &NamedSignal) -> std::io::Result<()> {
        let NamedSignal { strategy, symbol, shard, signal } = named;
        let strategy = self.names[*strategy].as_str();
        let side = signal.side.name();
        self.line.clear();
        if self.is_json {
            let (run, shard, seq, ts_event) = (&*self.run, *shard, signal.seq, signal.ts_event);
            let price = format_decimal(signal.price);
            let row = JsonSignal { run, strategy, instrument: symbol, shard, seq, ts_event, side, price };
            serde_json::to_writer(&mut self.line, &row)?;
        } else {
            write!(self.line, "{},{strategy},", self.run)?;
            write_field(symbol, &mut self.line);
            write!(self.line, ",{shard},{},{},{side},", signal.seq, signal.ts_event)?;
            write_decimal(signal.price.into(), &mut self.line);
        }
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    pub(super) fn finish(mut self) -> std::io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    pub(super) fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// A CSV field, quoted where it must be (RFC 4180).
fn write_field(text: &str, out: &mut Vec<u8>) {
    if !text.contains([',', '"', '\n', '\r']) {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

/// A file of signals, which takes its name when it is whole.
pub(super) struct SignalFile {
    writer: SignalWriter<BufWriter<File>>,
    temporary: PathBuf,
    path: PathBuf,
}

impl SignalFile {
    pub(super) fn create(path: &Path, run: RunId, names: Vec<StrategyName>) -> Result<Self> {
        let is_json = path.extension().is_some_and(|extension| extension == "jsonl");
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".part");
        let temporary = PathBuf::from(temporary);
        let out = File::create(&temporary).with_context(|| format!("writing {}", temporary.display()))?;
        let writer = SignalWriter::new(BufWriter::new(out), run, names, is_json)?;
        Ok(Self { writer, temporary, path: path.to_owned() })
    }

    pub(super) fn write(&mut self, named: &NamedSignal) -> Result<()> {
        self.writer.write(named).with_context(|| format!("writing {}", self.temporary.display()))
    }

    pub(super) fn finish(self) -> Result<()> {
        self.writer.finish().with_context(|| format!("writing {}", self.temporary.display()))?;
        std::fs::rename(&self.temporary, &self.path)
            .with_context(|| format!("renaming {} to {}", self.temporary.display(), self.path.display()))
    }
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
        let mut writer =
            SignalWriter::new(Vec::new(), RunId([0; 16]), vec!["apple".parse().unwrap()], is_json).unwrap();
        writer.write(&named).unwrap();
        String::from_utf8(writer.finish().unwrap()).unwrap()
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
