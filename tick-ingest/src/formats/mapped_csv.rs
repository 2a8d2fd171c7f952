//! CSV of any kind, by a [`Mapping`] from columns to a tick's fields.
//!
//! A trade row is one tick; a quote row is a bid tick, then an ask tick with LAST. An absent side is an
//! empty one: an empty price, one of the names of nothing (NaN, null, -), or price 0 with size 0.
//! Without a column for it a size is 0. Blanks around a field do not count.

mod codes;
mod filter;
mod guess;
mod mapping;
mod numbers;
mod places;
mod reader;
mod rows;
mod times;

pub use guess::{ColumnFinding, Guess, NoGuess, Refusal, guess};
pub use mapping::{
    Aggressor, Column, EmptySide, Mapping, MappingError, NumberColumn, NumberStyle, RowFilter, Rows,
    TableLayout, TimeColumn,
};
pub(crate) use places::{advise_skip, first_line};
pub use reader::MappedCsv;
pub(crate) use reader::NO_SYMBOL_COLUMN;
