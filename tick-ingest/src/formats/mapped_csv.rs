//! CSV of any kind, by a [`Mapping`] from columns to a tick's fields.
//!
//! A trade row is one tick; a quote row is a bid tick, then an ask tick with LAST, and an empty price
//! an empty side. Without a column for it a size is 0. Blanks around a field do not count.

mod codes;
mod guess;
mod guessing;
mod mapping;
mod reader;

pub use guess::Guess;
pub use guessing::guess;
pub use mapping::{Aggressor, Column, Mapping, MappingError, Rows, TimeColumn};
pub use reader::MappedCsv;
