//! The signals that a replay wrote as CSV, one by one.

use std::io::{self, BufRead};

pub use tick_sdk::signal::SIGNAL_COLUMNS;

use super::comparison::SignalRow;
use super::error::ExpectedError;

/// A row is at most so long; replay writes far shorter ones.
const MAX_ROW_BYTES: usize = 64 << 10;

/// Reads the rows of signals' CSV.
#[derive(Debug)]
pub struct ExpectedSignals<R> {
    text: R,
    name: String,
    line: u64,
    row: Vec<u8>,
}

impl<R: BufRead> ExpectedSignals<R> {
    /// Reads the header, too.
    ///
    /// # Errors
    /// The file cannot be read, or has other columns.
    pub fn new(text: R, name: &str) -> Result<Self, ExpectedError> {
        let mut signals = Self { text, name: name.to_owned(), line: 0, row: Vec::new() };
        if !signals.read_row()? || signals.row != SIGNAL_COLUMNS.trim_end().as_bytes() {
            return Err(signals.malformed(format!("the columns are not {}", SIGNAL_COLUMNS.trim_end())));
        }
        Ok(signals)
    }

    /// The next signal, `None` after the last.
    ///
    /// # Errors
    /// The file cannot be read on, or a row is not one of a signal.
    pub(super) fn next_row(&mut self) -> Result<Option<SignalRow>, ExpectedError> {
        if !self.read_row()? {
            return Ok(None);
        }
        let fields = std::str::from_utf8(&self.row).ok().and_then(split);
        let Some([_run, strategy, instrument, _shard, _seq, ts_event, side, price]) = fields else {
            return Err(self.malformed("it does not have eight columns".to_owned()));
        };
        let Ok(ts_event) = ts_event.parse() else {
            return Err(self.malformed(format!("ts_event '{ts_event}' is not a number of nanoseconds")));
        };
        Ok(Some(SignalRow { strategy, instrument, ts_event, side, price }))
    }

    /// Reads one row without its line break, which within quotes is no end; `false` after the last.
    fn read_row(&mut self) -> Result<bool, ExpectedError> {
        self.row.clear();
        loop {
            let limit = (MAX_ROW_BYTES - self.row.len()) as u64;
            let read = io::Read::take(&mut self.text, limit).read_until(b'\n', &mut self.row);
            let read = read.map_err(|source| ExpectedError::Io { name: self.name.clone(), source })?;
            if read == 0 && self.row.is_empty() {
                return Ok(false);
            }
            self.line += 1;
            if self.row.len() >= MAX_ROW_BYTES {
                return Err(self.malformed(format!("it is longer than {MAX_ROW_BYTES} bytes")));
            }
            let quotes = self.row.iter().filter(|byte| **byte == b'"').count();
            if quotes % 2 == 0 {
                break;
            }
            if read == 0 {
                return Err(self.malformed("a quote is not closed".to_owned()));
            }
        }
        if self.row.last() == Some(&b'\n') {
            self.row.pop();
        }
        if self.row.last() == Some(&b'\r') {
            self.row.pop();
        }
        Ok(true)
    }

    fn malformed(&self, reason: String) -> ExpectedError {
        ExpectedError::Row { name: self.name.clone(), line: self.line.max(1), reason }
    }
}

/// The fields of a row, without quotes (RFC 4180).
fn split(row: &str) -> Option<[String; 8]> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = row.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                fields.last_mut()?.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut()?.push(other),
        }
    }
    fields.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<SignalRow>, ExpectedError> {
        let mut signals = ExpectedSignals::new(text.as_bytes(), "expected.csv")?;
        let mut rows = Vec::new();
        while let Some(row) = signals.next_row()? {
            rows.push(row);
        }
        Ok(rows)
    }

    #[test]
    fn rows_of_replay_are_read_with_quotes_and_line_breaks() {
        let rows = read(&format!(
            "{SIGNAL_COLUMNS}00,apple,BTCUSDT,0,7,1723161258362000000,buy,61800.1\n\
             00,pear,\"A,\"\"B\"\"\nC\",0,8,9,flat,1\r\n00,pear,D,0,9,10,sell,2"
        ))
        .unwrap();
        assert_eq!(rows.len(), 3);
        let first = SignalRow {
            strategy: "apple".to_owned(),
            instrument: "BTCUSDT".to_owned(),
            ts_event: 1_723_161_258_362_000_000,
            side: "buy".to_owned(),
            price: "61800.1".to_owned(),
        };
        assert_eq!(rows[0], first);
        assert_eq!(rows[1].instrument, "A,\"B\"\nC");
        assert_eq!((rows[2].price.as_str(), rows[2].ts_event), ("2", 10));
    }

    #[test]
    fn what_is_not_a_file_of_signals_is_named_with_its_line() {
        let error = |text: &str| read(text).unwrap_err().to_string();
        assert!(error("").contains("expected.csv, line 1: the columns are not run,strategy"));
        assert!(error("a,b\n").contains("orchard replay … --signals expected.csv"));
        assert!(error(&format!("{SIGNAL_COLUMNS}1,2,3\n")).contains("line 2: it does not have eight"));
        assert!(error(&format!("{SIGNAL_COLUMNS}r,a,B,0,0,x,buy,1\n")).contains("ts_event 'x'"));
        assert!(error(&format!("{SIGNAL_COLUMNS}r,a,\"B,0,0,1,buy,1\n")).contains("a quote is not closed"));
        let long = "x".repeat(MAX_ROW_BYTES);
        assert!(error(&format!("{SIGNAL_COLUMNS}{long}\n")).contains("longer than"));
    }
}
