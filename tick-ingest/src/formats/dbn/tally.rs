//! Counting by number, once a record; by name, once a batch.

use ::dbn::{Action, RType};

use crate::Counts;

/// What was counted since the last batch.
pub(super) struct Tally {
    /// Skipped records, by type.
    pub(super) by_type: [u64; 256],
    /// Skipped records of the schema's type, by action.
    pub(super) by_action: [u64; 256],
    /// Quotes that change nothing.
    pub(super) unchanged: u64,
    /// Trades whose price is undefined.
    pub(super) without_price: u64,
    /// Records that earlier batches counted.
    records: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self { by_type: [0; 256], by_action: [0; 256], unchanged: 0, without_price: 0, records: 0 }
    }
}

impl Tally {
    /// Adds everything to `counts`, with the records up to number `records`, and starts anew from there.
    pub(super) fn add_to(&mut self, records: u64, counts: &mut Counts) {
        counts.lines += records - self.records;
        for (rtype, count) in some(&self.by_type) {
            counts.skip(RType::try_from(rtype).map_or("unknown type", |rtype| rtype.as_str()), count);
        }
        for (action, count) in some(&self.by_action) {
            counts.skip(action_name(action), count);
        }
        for (name, count) in
            [("unchanged quote", self.unchanged), ("trade without price", self.without_price)]
        {
            if count > 0 {
                counts.skip(name, count);
            }
        }
        *self = Self { records, ..Self::default() };
    }
}

/// The numbers that were counted at all.
fn some(counts: &[u64; 256]) -> impl Iterator<Item = (u8, u64)> {
    (0..=u8::MAX).zip(*counts).filter(|(_, count)| *count > 0)
}

/// An action by its name in the format.
fn action_name(action: u8) -> &'static str {
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
