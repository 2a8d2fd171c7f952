//! Orchard's load harness, `orchard perf`: how fast, how late, and where it stops.
//!
//! A workload is measured in steps, one for each offered rate. Each step's `Probe` notes
//! when ticks were due and when they passed each point of their way; a sampler looks at it once a second,
//! and at the end makes an [`Outcome`](outcome::Outcome) of it.

mod args;
mod bodies;
mod broker_metrics;
mod budget;
mod capacity;
mod command;
mod compare;
mod embedded;
mod environment;
mod feeds;
mod ledger_load;
mod limits;
mod live;
mod market;
pub mod outcome;
mod page;
mod peers;
mod probe;
mod rates;
#[cfg(test)]
mod sample;
mod sampler;
mod step;
mod table;
mod units;
mod vary;
mod way;

pub use budget::{BUDGET_FILE, BudgetError, MeasuredBudget, read_budget};
pub use capacity::CapacityError;
pub use command::{PerfArgs, PerfError, run};
pub use compare::CompareError;
pub use feeds::FeedsError;
pub use live::LiveError;
pub use market::MarketError;
pub use peers::PeersError;

use outcome::{Stage, Step};

/// The stage whose latency stands for a step: the signal, or the last one before it that there is.
fn latency_stage(step: &Step) -> Option<&Stage> {
    let named = |name: &str| step.stages.iter().find(|stage| stage.name == name);
    named("signal").or_else(|| step.stages.last())
}
