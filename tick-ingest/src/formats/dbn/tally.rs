//! Counting by number, once a record; by name, once a batch.

use ::dbn::{Action, RType, flags};

use super::event::NoTrade;
use crate::Counts;

/// What was counted since the last batch.
pub(super) struct Tally {
    /// Skipped records, by type.
    pub(super) by_type: [u64; 256],
    /// Skipped records of the schema's type, by action.
    pub(super) by_action: [u64; 256],
    /// Quotes that change nothing.
    pub(super) unchanged: u64,
    /// Trades that yield none, by reason.
    pub(super) no_trades: [u64; NoTrade::ALL.len()],
    /// Every flag of [`NOTED_FLAGS`] that a record had.
    pub(super) flags: u8,
    /// Records that earlier batches counted.
    records: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            by_type: [0; 256],
            by_action: [0; 256],
            unchanged: 0,
            no_trades: [0; NoTrade::ALL.len()],
            flags: 0,
            records: 0,
        }
    }
}

impl Tally {
    /// Adds everything to `counts`, with the records up to number `records`, and starts anew from there.
    pub(super) fn add_to(&mut self, records: u64, counts: &mut Counts) {
        counts.lines += records - self.records;
        for (rtype, count) in some(&self.by_type) {
            counts.skip(type_name(rtype), count);
        }
        for (action, count) in some(&self.by_action) {
            counts.skip(action_name(action), count);
        }
        let no_trades = NoTrade::ALL.map(|reason| (reason.name(), self.no_trades[reason as usize]));
        for (name, count) in no_trades.into_iter().chain([(UNCHANGED, self.unchanged)]) {
            if count > 0 {
                counts.skip(name, count);
            }
        }
        note_flags(self.flags, counts);
        *self = Self { records, ..Self::default() };
    }
}

/// The numbers that were counted at all.
fn some(counts: &[u64; 256]) -> impl Iterator<Item = (u8, u64)> {
    (0..=u8::MAX).zip(*counts).filter(|(_, count)| *count > 0)
}

/// What a quote that changes nothing is counted as.
pub(crate) const UNCHANGED: &str = "unchanged quote";

/// Flags that a user should know of.
pub(super) const NOTED_FLAGS: u8 = flags::BAD_TS_RECV | flags::MAYBE_BAD_BOOK;

/// Says what a user should know of the records' flags.
pub(crate) fn note_flags(all: u8, counts: &mut Counts) {
    if all & flags::BAD_TS_RECV != 0 {
        counts.note("some records are marked BAD_TS_RECV: their receive time is inaccurate");
    }
    if all & flags::MAYBE_BAD_BOOK != 0 {
        counts.note(
            "some records are marked MAYBE_BAD_BOOK: the venue's messages had a gap, and the book may be wrong behind it",
        );
    }
}

/// A type of record by its name in the format.
pub(crate) fn type_name(rtype: u8) -> &'static str {
    RType::try_from(rtype).map_or("unknown type", |rtype| rtype.as_str())
}

/// An action by its name in the format.
pub(crate) fn action_name(action: u8) -> &'static str {
    match Action::try_from(action) {
        Ok(Action::Add) => "add",
        Ok(Action::Cancel) => "cancel",
        Ok(Action::Modify) => "modify",
        Ok(Action::Clear) => "clear",
        Ok(Action::Fill) => "fill",
        Ok(Action::None) => "no action",
        Ok(Action::Trade) => "trade",
        Err(_) => "unknown action",
    }
}
