//! The strategy interface: parameters in, ticks in, signals out, state that can be stored.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Tick;

mod context;
mod lane;
mod params;
mod registry;
mod timers;

pub use context::Context;
pub use lane::{Lane, LaneError, LanePosition, TypedLane};
pub use params::{NoParams, ParamError, ParamInfo, Params};
pub use registry::{Configured, DuplicateStrategy, FindStrategyError, Origin, Registration};

/// A strategy: the state of one key, and what each tick does to it.
///
/// It does no I/O, reads no clock and draws no randomness, so a replay equals the live run. It is
/// registered with one line, [`register!`](crate::register), and found by name. Fields that are
/// serialised are stored with the cursor, bit for bit.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tick_sdk::{Context, Key, Price, Strategy, Tick, params, register};
///
/// params! {
///     /// Buys above a level, once.
///     pub struct AboveParams {
///         /// The price to break.
///         level: Price = Price::whole(100),
///     }
/// }
///
/// #[derive(Serialize, Deserialize)]
/// struct Above { level: Price, bought: bool }
///
/// impl Strategy for Above {
///     const NAME: &'static str = "above";
///     const SUMMARY: &'static str = "buys above a level, once";
///     type Params = AboveParams;
///
///     fn new(params: &AboveParams, _key: &Key<'_>) -> Result<Self, String> {
///         Ok(Self { level: params.level, bought: false })
///     }
///
///     fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
///         let Some(price) = tick.trade_price() else { return };
///         if !self.bought && price > self.level {
///             self.bought = true;
///             context.buy(price);
///         }
///     }
/// }
///
/// register!(Above);
/// # fn main() {}
/// ```
pub trait Strategy: Serialize + DeserializeOwned + Send + 'static {
    /// The name a user calls it by: lower case, digits and `-`.
    const NAME: &'static str;
    /// One line for `orchard strategies`.
    const SUMMARY: &'static str;
    /// Raise it when the same parameters would give other signals, or the stored fields change.
    const VERSION: u32 = 1;
    /// What one object stands for.
    const SCOPE: Scope = Scope::Instrument;
    /// Typed parameters, made by [`params!`](crate::params).
    type Params: Params;

    /// Refuses parameters that make no sense together, before any tick.
    ///
    /// # Errors
    /// What is wrong, completing the sentence "strategy NAME: …".
    fn check(_params: &Self::Params) -> Result<(), String> {
        Ok(())
    }

    /// The state of a key that has seen nothing yet.
    ///
    /// # Errors
    /// Why this key cannot be traded, for example a pair of three.
    fn new(params: &Self::Params, key: &Key<'_>) -> Result<Self, String>;

    /// One tick of this key.
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>);

    /// A timer that [`Context::timer_at`] set, at its time `at` (ns since the UNIX epoch, receive
    /// time), before the first tick of this key that reaches it.
    fn on_timer(&mut self, _at: u64, _context: &mut Context<'_>) {}

    /// The end of the run, once per key.
    fn on_end(&mut self, _context: &mut Context<'_>) {}
}

/// What one object of a strategy stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One instrument.
    Instrument,
    /// One named group of instruments (`--groups FILE`), whose ticks it sees in order.
    Group,
}

impl Scope {
    /// `instrument` or `group`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Instrument => "instrument",
            Self::Group => "group",
        }
    }
}

/// The key that one object of a strategy stands for.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The instrument's symbol, or the group's name.
    pub name: &'a str,
    /// The symbols: one, or the group's members in the file's order.
    pub members: &'a [String],
}

/// Registers a [`Strategy`](crate::Strategy) under its name, in the file where it is written.
#[macro_export]
macro_rules! register {
    ($strategy:ty) => {
        $crate::inventory::submit! {
            $crate::host::Registration::of::<$strategy>($crate::host::Origin {
                package: ::core::env!("CARGO_PKG_NAME"),
                module: ::core::module_path!(),
            })
        }
    };
}
