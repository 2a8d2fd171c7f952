//! Whether a peer's signals are ours: each instrument's, in order, with time, side and price.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use tick_sdk::decimal::{format_decimal, parse_price};

/// A signal may not be longer; a file of something else has no lines.
const LONGEST_LINE: usize = 4096;

/// One side's signals by instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Signals(BTreeMap<String, Vec<Signal>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Signal {
    ts_event: u64,
    side: String,
    /// 1e-9 of the quote unit.
    price: i64,
}

impl Signals {
    /// Reads a CSV file with at least the columns instrument, ts_event, side and price.
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let opened = File::open(file).map_err(|error| format!("it wrote no signals: {error}"))?;
        Self::parse(BufReader::new(opened)).map_err(|why| format!("its signals cannot be read: {why}"))
    }

    fn parse(mut lines: impl BufRead) -> Result<Self, String> {
        let header = next_line(&mut lines)?.ok_or("there is no line with the columns' names")?;
        let names: Vec<_> = header.split(',').collect();
        let column = |name: &str| {
            names.iter().position(|known| *known == name).ok_or_else(|| format!("there is no column {name}"))
        };
        let columns = [column("instrument")?, column("ts_event")?, column("side")?, column("price")?];
        let mut signals = Self::default();
        let mut number = 1;
        while let Some(line) = next_line(&mut lines)? {
            number += 1;
            let (instrument, signal) =
                Signal::parse(&line, columns).ok_or_else(|| format!("line {number} is not a signal"))?;
            signals.0.entry(instrument).or_default().push(signal);
        }
        Ok(signals)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// `yes (1422)`, or the first one that differs.
    pub(super) fn compare(&self, theirs: &Self) -> String {
        match self.first_difference(theirs) {
            None => format!("yes ({})", self.count()),
            Some(difference) => {
                format!("no ({} of ours, {} of theirs; {difference})", self.count(), theirs.count())
            }
        }
    }

    fn first_difference(&self, theirs: &Self) -> Option<String> {
        let none = Vec::new();
        let instruments = self.0.keys().chain(theirs.0.keys());
        for instrument in instruments {
            let side = |signals: &Self| signals.0.get(instrument).unwrap_or(&none).clone();
            let (ours, theirs) = (side(self), side(theirs));
            for at in 0..ours.len().max(theirs.len()) {
                if ours.get(at) != theirs.get(at) {
                    let show = |signal: Option<&Signal>| signal.map_or("none".to_owned(), Signal::to_string);
                    let (ours, theirs) = (show(ours.get(at)), show(theirs.get(at)));
                    return Some(format!("{instrument} {}: {ours}, {theirs}", at + 1));
                }
            }
        }
        None
    }
}

impl Signal {
    /// Names with commas or quotes do not occur in a generated market.
    fn parse(line: &str, columns: [usize; 4]) -> Option<(String, Self)> {
        let fields: Vec<_> = line.split(',').collect();
        let field = |at: usize| fields.get(columns[at]).copied();
        let (ts_event, side) = (field(1)?.parse().ok()?, field(2)?.to_owned());
        let price = parse_price(field(3)?.as_bytes()).ok()?;
        Some((field(0)?.to_owned(), Self { ts_event, side, price }))
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at {}", self.side, format_decimal(self.price), self.ts_event)
    }
}

fn next_line(lines: &mut impl BufRead) -> Result<Option<String>, String> {
    let mut line = Vec::new();
    let mut bounded = std::io::Read::take(lines, LONGEST_LINE as u64);
    bounded.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() == LONGEST_LINE {
        return Err(format!("a line is longer than {LONGEST_LINE} bytes"));
    }
    let text = String::from_utf8(line).map_err(|_| "it is not valid UTF-8".to_owned())?;
    Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "run,strategy,instrument,shard,seq,ts_event,side,price\n\
        r,apple,A,0,1,10,buy,1.50\nr,apple,B,0,2,11,sell,2\nr,apple,A,0,3,12,sell,1.25\n";

    fn parse(text: &str) -> Signals {
        Signals::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn only_the_order_within_an_instrument_counts() {
        let theirs = parse("instrument,ts_event,side,price\nA,10,buy,1.5\nA,12,sell,1.25\nB,11,sell,2.0");
        assert_eq!(parse(OURS).compare(&theirs), "yes (3)");
    }

    #[test]
    fn the_first_difference_is_named() {
        let other_price =
            parse("price,side,ts_event,instrument\n1.5,buy,10,A\n1.26,sell,12,A\n2,sell,11,B\n");
        assert_eq!(
            parse(OURS).compare(&other_price),
            "no (3 of ours, 3 of theirs; A 2: sell 1.25 at 12, sell 1.26 at 12)"
        );
        let more = parse(&format!("{OURS}r,apple,C,0,4,13,buy,1\n"));
        assert_eq!(parse(OURS).compare(&more), "no (3 of ours, 4 of theirs; C 1: none, buy 1 at 13)");
    }

    #[test]
    fn what_is_no_file_of_signals_is_refused() {
        let long = "x".repeat(LONGEST_LINE);
        let header = "instrument,ts_event,side,price\n";
        let wrong = ["A,1", "A,x,buy,1", "A,1,buy,x"].map(|line| format!("{header}{line}\n"));
        for text in
            ["", "instrument,side\n", long.as_str()].into_iter().chain(wrong.iter().map(String::as_str))
        {
            assert!(Signals::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Signals::parse(&b"\xff\xfe\n"[..]).is_err());
    }
}
