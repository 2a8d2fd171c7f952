//! A replay as a library: files through strategies in one process, exactly.
//!
//! A [`ReplayPlan`] goes in; [`start`] checks it, opens its ledger and gives a [`RunningReplay`], whose
//! progress can be watched and which can be cancelled from any thread; [`RunningReplay::finish`] gives
//! the [`ReplayOutcome`]. Nothing here prints, reads the command line or installs a signal handler.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use orchard::replay::{self, ReplayPlan};
//! use tick_ingest::feed::SourceSpec;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let strategies = replay::parse_strategies(&["apple", "slow=pear:window=500"])?;
//! let running = replay::start(ReplayPlan::new(vec![SourceSpec::file("capture.zst")], strategies))?;
//! while let Some(progress) = running.wait_progress(Duration::from_millis(200)) {
//!     println!("{progress}");
//!     if progress.ticks > 1_000_000 {
//!         running.cancel();
//!     }
//! }
//! let outcome = running.finish()?;
//! println!("{} signals", outcome.signals());
//! # Ok(())
//! # }
//! ```
//!
//! The calls block: async code makes them in `spawn_blocking`, or polls [`RunningReplay::progress`],
//! which does not.

mod error;
mod outcome;
mod plan;
mod progress;
mod running;
mod signals;
mod strategy_spec;
mod stream;
mod trades;

pub use error::{PlanError, ReplayError};
pub use outcome::{ConfiguredStrategy, ReplayOutcome};
pub use plan::ReplayPlan;
pub use progress::{ReplayProgress, Total};
#[cfg(all(feature = "rabbitmq", feature = "services"))]
pub(crate) use running::outcome_of_committed;
pub(crate) use running::outcome_of_kept;
pub use running::{Canceller, PreparedReplay, RunningReplay, prepare, start};
pub use signals::{SIGNAL_COLUMNS, SignalOutput, SignalSink, SignalWriter};
pub use strategy_spec::{StrategySpecError, instance_without_groups, parse_strategies};
pub use trades::{TRADE_COLUMNS, TradeSink, TradeWriter};

/// A count over a time, as a rate a second.
pub(crate) fn per_second(count: u64, elapsed: std::time::Duration) -> u64 {
    (count as f64 / elapsed.as_secs_f64().max(1e-9)) as u64
}
