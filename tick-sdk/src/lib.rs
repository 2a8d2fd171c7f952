//! The Tick SDK: everything one needs to write a strategy or to feed one.
//!
//! A strategy author reads [`Strategy`]; a source of ticks reads [`Tick`], [`Frame`] and
//! [`ticks_file`]; a host reads [`Lane`], [`Cursor`] and [`transport`].

pub mod budget;
pub mod cursor;
pub mod decimal;
pub mod frame;
pub mod quantity;
pub mod rabbitmq;
pub mod run;
pub mod signal;
pub mod strategy;
pub mod test_kit;
pub mod tick;
pub mod ticks_file;
pub mod transport;

pub use cursor::{Cursor, Verdict};
pub use frame::{Frame, FrameFlags, FrameHeader, NewInstrument};
pub use run::{Groups, RunId, shard_of};
pub use signal::{Signal, Wanted};
pub use strategy::params::NoParams;
pub use strategy::{
    Configured, Context, Key, Lane, LaneError, ParamError, ParamInfo, Params, Registration, Scope, Strategy,
};
pub use tick::{Flags, Kind, Side, Tick, UNDEFINED_PRICE, UNITS_PER_ONE};

#[doc(hidden)]
pub use inventory;
