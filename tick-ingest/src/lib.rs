//! Files and streams to ticks in time order.
//!
//! [`open`](detect::open) finds a file's format by its content and gives a [`Reader`], which decodes
//! it batch by batch in file order; nothing here holds a whole file.

#![deny(missing_docs, unnameable_types)]

pub mod batch;
pub mod detect;
mod encoding;
pub mod error;
pub mod feed;
pub mod file_identity;
pub mod format;
pub mod formats;
pub mod generate;
pub mod input;
pub mod lines;
pub mod manifest;
pub mod options;
pub mod outputs;
#[cfg(feature = "rabbitmq")]
pub mod publish;
#[cfg(feature = "services")]
pub mod replays;
pub mod sources;
pub mod symbol_in_name;

pub use batch::{Batch, Counts, LateTick, NamedSymbol, SymbolIds};
pub use error::{BadField, ReadError};
pub use format::Format;
pub use options::{BadLines, FileOptions, ReadOptions};

/// One source, decoded to ticks in its own order, with ids of its own.
pub trait Reader: Send {
    /// Appends some ticks (about [`Batch::TICKS`]) to `out`, which the caller has cleared; `false`
    /// when the source has ended, and then `out` may still hold its last ticks.
    ///
    /// # Errors
    /// The source cannot be read, or holds something that is not a tick and may not be skipped.
    fn read(&mut self, out: &mut Batch) -> Result<bool, ReadError>;
}
