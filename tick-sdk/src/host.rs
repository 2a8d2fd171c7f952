//! For programs that run strategies: finding them by name, setting their parameters, giving their lanes
//! ticks, taking their signals and storing their state. A strategy's author needs none of it.
//!
//! ```
//! # use serde::{Deserialize, Serialize};
//! # use tick_sdk::{Context, Key, NoParams, Strategy, Tick, register};
//! # #[derive(Serialize, Deserialize)]
//! # struct Echo;
//! # impl Strategy for Echo {
//! #     const NAME: &'static str = "echo";
//! #     const SUMMARY: &'static str = "buys at every tick";
//! #     type Params = NoParams;
//! #     fn new(_: &NoParams, _: &Key<'_>) -> Result<Self, String> { Ok(Self) }
//! #     fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
//! #         if let Some(price) = tick.price() { context.buy(price) }
//! #     }
//! # }
//! # register!(Echo);
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use tick_sdk::Side;
//! use tick_sdk::groups::Groups;
//! use tick_sdk::host::Registration;
//!
//! let configured = Registration::find("echo")?.configure(&[])?;
//! let mut lane = configured.lane(&Arc::new(Groups::default()));
//! lane.open(0, "BTCUSDT", "BTCUSDT")?;
//! lane.run(0, &[Tick::trade(1, 1, 61_800_000_000_000, 0, Side::BUY)])?;
//! assert_eq!(lane.signals()[0].price, 61_800_000_000_000);
//! # Ok(())
//! # }
//! ```

pub use crate::strategy::{
    Configured, DuplicateStrategy, FindStrategyError, Lane, LaneError, LanePosition, Origin, ParamError,
    ParamInfo, Registration, TypedLane,
};
