//! The Tick SDK: everything one needs to write a strategy, on one page.
//!
//! # A strategy
//!
//! A strategy is a plain struct: parameters in, ticks in, positions out, state that can be stored. This one
//! buys when a trade is above a level, and is flat again an hour later:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tick_sdk::{Context, Key, Kind, Price, Strategy, TargetPosition, Tick, params, register};
//!
//! params! {
//!     /// Set by `--strategy breakout:level=61800`.
//!     pub struct BreakoutParams {
//!         /// The price to break.
//!         level: Price = Price::whole(100),
//!     }
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Breakout { level: Price } // what it remembers of one instrument
//!
//! const HOUR: u64 = 3_600_000_000_000;
//!
//! impl Strategy for Breakout {
//!     const NAME: &'static str = "breakout";
//!     const SUMMARY: &'static str = "buys above a level, for an hour";
//!     type Params = BreakoutParams;
//!
//!     fn new(params: &BreakoutParams, _: &Key<'_>) -> Result<Self, String> {
//!         Ok(Self { level: params.level })
//!     }
//!
//!     fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
//!         let Some(price) = tick.trade_price() else { return };
//!         if price > self.level && context.position() == TargetPosition::Flat {
//!             context.buy(price);
//!             context.timer_at(context.now() + HOUR);
//!         }
//!     }
//!
//!     fn on_timer(&mut self, _at: u64, context: &mut Context<'_>) {
//!         if let Some(bid) = context.newest(Kind::BID) {
//!             context.flat(bid);
//!         }
//!     }
//! }
//!
//! register!(Breakout);
//!
//! // Its test: ticks made by hand in a line, and the signals that they should give.
//! # fn main() {
//! use tick_sdk::test_kit::{Market, Trial};
//! let market = Market::new().quote("BTC", "98", "99").trades("BTC", "99 101 102");
//! assert_eq!(Trial::<Breakout>::new().run(&market), ["BTC buy 101"]);
//! let market = market.wait_ms(3_600_000).trades("BTC", "97");
//! assert_eq!(Trial::<Breakout>::new().run(&market), ["BTC buy 101", "BTC flat 98"]);
//! Trial::<Breakout>::new().check_restarts(&market, 2); // a field that is not stored would show
//! # }
//! ```
//!
//! # What holds for every strategy
//!
//! - One object stands for one instrument, or for a named group of them ([`Scope`]). It sees that key's
//!   ticks in order, and nothing else.
//! - It does no I/O, reads no clock but [`Context::now`] and draws no randomness, so a replay equals the live
//!   run to the last bit.
//! - What it must remember is a serialised field, stored with the run's cursor: an interrupted run goes on
//!   with the same signals. [`test_kit::Trial::check_restarts`] shows a field that is missing.
//! - Prices are exact decimal numbers ([`Price`]); [`Price::as_f64`] is for statistics.
//! - [`register!`] makes it known by its name; there is no list to edit.
//!
//! # For programs that run strategies
//!
//! [`host`] has what a host needs, [`signal`] how signals are stored, [`names`] the names that travel between
//! programs, [`groups`] the groups file, [`decimal`] and [`quantity`] numbers as text. An author needs none
//! of them.
//!
//! # For services, and for programs that use them
//!
//! The feature `contracts` adds `contracts` (commands, events, and the envelope both travel in) and `api` (what
//! the routes of the gateway take and give), each with its `shape`; `client` adds the typed `client` of the gateway.
//! Without them nothing here does I/O.

#![deny(missing_docs, unnameable_types)]

#[cfg(feature = "contracts")]
pub mod api;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "contracts")]
pub mod contracts;
pub mod decimal;
pub mod groups;
pub mod host;
pub mod names;
mod position;
mod price;
pub mod quantity;
#[cfg(feature = "contracts")]
pub mod shape;
pub mod signal;
mod strategy;
pub mod test_kit;
mod tick;

pub use position::TargetPosition;
pub use price::Price;
pub use strategy::{Context, Key, NoParams, Params, Scope, Strategy};
pub use tick::{Flags, Kind, Side, Tick};

#[doc(hidden)]
pub use inventory;
