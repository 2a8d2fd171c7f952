//! Two multisets of signals, compared while both are read: only what differs so far is held.

use std::collections::HashMap;

use serde::Serialize;
use tick_sdk::decimal::format_decimal;
use tick_sdk::signal::Signal;

use super::error::VerifyError;

/// So many signals may differ before the comparison ends with an error: about 200 MB.
pub const MAX_DIFFERENT: usize = 1_000_000;

/// So many of each kind of difference are shown.
pub const SHOWN: usize = 5;

/// What makes a signal that signal, whatever its run, shards and frames were.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct SignalRow {
    /// The strategy's instance name.
    pub strategy: String,
    /// The symbol.
    pub instrument: String,
    /// In ns since the UNIX epoch.
    pub ts_event: u64,
    /// buy, sell or flat.
    pub side: String,
    /// A decimal in its shortest form.
    pub price: String,
}

/// How many of one kind there are, and the first of them by time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// How many there are.
    pub count: u64,
    /// The first [`SHOWN`] of them by time.
    pub first: Vec<SignalRow>,
}

/// Counts each signal up where it is expected and down where it is found. Both sides are read in
/// one order and in turn, so what is equal cancels out soon and memory grows with the differences
/// only.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    open: HashMap<SignalRow, i64>,
    pub(super) expected: u64,
    pub(super) found: u64,
}

impl Comparison {
    /// A signal that should be there.
    pub(super) fn expect(&mut self, row: SignalRow) -> Result<(), VerifyError> {
        self.expected += 1;
        self.count(row, 1)
    }

    /// A signal that is there.
    pub(super) fn find(&mut self, row: SignalRow) -> Result<(), VerifyError> {
        self.found += 1;
        self.count(row, -1)
    }

    /// Takes back what was found more than once: that is not the same as unexpected.
    pub(super) fn without(mut self, repeated: &[SignalRow]) -> Result<Self, VerifyError> {
        for row in repeated {
            self.count(row.clone(), 1)?;
        }
        Ok(self)
    }

    fn count(&mut self, row: SignalRow, by: i64) -> Result<(), VerifyError> {
        use std::collections::hash_map::Entry;
        match self.open.entry(row) {
            Entry::Occupied(mut entry) => {
                *entry.get_mut() += by;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
            Entry::Vacant(entry) => {
                entry.insert(by);
            }
        }
        if self.open.len() > MAX_DIFFERENT {
            return Err(VerifyError::TooDifferent { max: MAX_DIFFERENT });
        }
        Ok(())
    }

    /// What was expected and not found.
    pub(super) fn lost(&self) -> Differences {
        self.left(1)
    }

    /// What was found and not expected.
    pub(super) fn unexpected(&self) -> Differences {
        self.left(-1)
    }

    fn left(&self, sign: i64) -> Differences {
        let left = self.open.iter().filter(|(_, count)| **count * sign > 0);
        let count = left.clone().map(|(_, count)| count.unsigned_abs()).sum();
        Differences { count, first: first_of(left.map(|(row, _)| row)) }
    }
}

impl Differences {
    /// Of these, none twice.
    pub(super) fn of(rows: &[SignalRow]) -> Self {
        Self { count: rows.len() as u64, first: first_of(rows.iter()) }
    }
}

/// The first by time.
fn first_of<'a>(rows: impl Iterator<Item = &'a SignalRow>) -> Vec<SignalRow> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by(|a, b| a.ts_event.cmp(&b.ts_event).then_with(|| a.cmp(b)));
    rows.into_iter().take(SHOWN).cloned().collect()
}

impl SignalRow {
    /// A signal as replay writes it.
    pub(super) fn new(strategy: &str, symbol: &str, signal: &Signal) -> Self {
        Self {
            strategy: strategy.to_owned(),
            instrument: symbol.to_owned(),
            ts_event: signal.ts_event,
            side: signal.side.name().to_owned(),
            price: format_decimal(signal.price),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn row(number: u8) -> SignalRow {
        SignalRow {
            strategy: "apple".to_owned(),
            instrument: format!("S{}", number % 3),
            ts_event: number.into(),
            side: "buy".to_owned(),
            price: "1.5".to_owned(),
        }
    }

    fn counts(rows: &[u8]) -> BTreeMap<u8, u64> {
        rows.iter().fold(BTreeMap::new(), |mut counts, number| {
            *counts.entry(*number).or_default() += 1;
            counts
        })
    }

    fn missing(from: &BTreeMap<u8, u64>, of: &BTreeMap<u8, u64>) -> u64 {
        of.iter().map(|(number, count)| count.saturating_sub(*from.get(number).unwrap_or(&0))).sum()
    }

    proptest! {
        #[test]
        fn what_differs_is_the_difference_of_multisets(
            expected in proptest::collection::vec(0..8u8, 0..40),
            found in proptest::collection::vec(0..8u8, 0..40),
        ) {
            let mut comparison = Comparison::default();
            for place in 0..expected.len().max(found.len()) {
                if let Some(number) = expected.get(place) {
                    comparison.expect(row(*number)).unwrap();
                }
                if let Some(number) = found.get(place) {
                    comparison.find(row(*number)).unwrap();
                }
            }
            let (left, right) = (counts(&expected), counts(&found));
            prop_assert_eq!(comparison.lost().count, missing(&right, &left));
            prop_assert_eq!(comparison.unexpected().count, missing(&left, &right));
        }
    }

    #[test]
    fn equal_sides_hold_nothing_and_the_first_differences_are_shown() {
        let mut comparison = Comparison::default();
        for number in 0..100 {
            comparison.expect(row(number)).unwrap();
            comparison.find(row(number)).unwrap();
        }
        assert!(comparison.open.is_empty());
        for number in (100..120).rev() {
            comparison.expect(row(number)).unwrap();
        }
        let lost = comparison.lost();
        assert_eq!((lost.count, lost.first.len()), (20, SHOWN));
        assert_eq!(lost.first[0], row(100));
    }
}
