//! The Tick SDK: everything one needs to write a strategy.
//!
//! A strategy's author reads [`Strategy`], [`Context`] and [`Tick`], and tests with [`test_kit`].

pub mod decimal;
pub mod groups;
pub mod names;
pub mod quantity;
pub mod signal;
pub mod strategy;
pub mod test_kit;
pub mod tick;

pub use groups::Groups;
pub use names::{FeedName, InvalidName, RunId, StrategyName};
pub use signal::{Signal, TargetPosition};
pub use strategy::params::NoParams;
pub use strategy::{
    Configured, Context, Key, Lane, LaneError, ParamError, ParamInfo, Params, Registration, Scope, Strategy,
};
pub use tick::{Flags, Kind, Side, Tick, UNDEFINED_PRICE, UNITS_PER_ONE};

#[doc(hidden)]
pub use inventory;
