//! How ticks travel from a source to strategies: [`Frame`]s of them over a [`transport`], a [`Cursor`] that
//! takes each tick once, and [`ticks_file`]s, which are mapped and not parsed.

#![deny(missing_docs, unnameable_types)]

pub mod atomic_file;
pub mod budget;
pub mod cursor;
pub mod frame;
pub mod plan;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;
pub mod run;
pub mod ticks_file;
pub mod transport;

pub use cursor::{Cursor, Verdict};
pub use frame::{Frame, FrameFlags, FrameHeader, NewInstrument};
pub use run::shard_of;
