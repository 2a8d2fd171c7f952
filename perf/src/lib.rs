//! Orchard's load harness, `perf`: how fast, how late, and where it stops.
//!
//! A workload is measured in steps, one for each offered rate. Each step's `Probe` notes
//! when ticks were due and when they passed each stage; a sampler looks at it once a second,
//! and at the end makes an [`Outcome`](outcome::Outcome) of it.

mod args;
mod bodies;
mod broker_metrics;
mod budget;
mod capacity;
mod command;
mod commands;
mod compare;
mod embedded;
mod environment;
mod error;
mod feeds;
mod hubs;
mod ledger_load;
mod limits;
mod live;
mod market;
pub mod outcome;
mod page;
mod peers;
mod probe;
mod prometheus;
mod rates;
#[cfg(test)]
mod sample;
mod sampler;
mod session;
mod step;
mod table;
mod trace;
mod units;
mod vary;
mod viewers;

pub use budget::BudgetError;
pub use capacity::CapacityError;
pub use command::{PerfArgs, run};
pub use commands::CommandsError;
pub use compare::CompareError;
pub use error::PerfError;
pub use feeds::FeedsError;
pub use hubs::HubsError;
pub use live::LiveError;
pub use market::MarketError;
pub use peers::PeersError;
pub use viewers::ViewersError;

use std::time::Duration;

use outcome::{Stage, Step};

/// The stage whose latency stands for a step: the signal, or the last one before it that there is.
fn latency_stage(step: &Step) -> Option<&Stage> {
    let named = |name: &str| step.stages.iter().find(|stage| stage.name == name);
    named("signal").or_else(|| step.stages.last())
}

/// Whether nearly all of an offered rate came through in time.
fn is_carried(step: &Step, offered: f64, limit: Duration) -> bool {
    const NEARLY_ALL: f64 = 0.98;
    /// As long as commits may rest: what came since the last one is through, and not yet counted.
    const REST: Duration = Duration::from_millis(250);
    let due = offered * step.seconds;
    // Ticks come at random, so that in a short time fewer may be due than that.
    let fewer = 3.0 * due.sqrt() + offered * REST.as_secs_f64();
    let came_through = step.totals.ticks_per_s * step.seconds >= NEARLY_ALL * due - fewer;
    came_through && latency_stage(step).is_some_and(|stage| u128::from(stage.p99) <= limit.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Totals;

    #[test]
    fn a_rate_is_carried_if_nearly_all_of_it_is_through_in_time() {
        let step = |seconds, ticks_per_s| Step {
            seconds,
            totals: Totals { ticks_per_s, ..Totals::default() },
            stages: vec![Stage { name: "signal".to_owned(), p99: 2_000, ..Stage::default() }],
            ..Step::default()
        };
        let (met, missed) = (Duration::from_micros(2), Duration::from_nanos(1_999));
        assert!(is_carried(&step(10.0, 981e3), 1e6, met));
        assert!(!is_carried(&step(10.0, 1e6), 1e6, missed));
        assert!(!is_carried(&step(10.0, 950e3), 1e6, met));
        // 700 of 1,000 may lack a commit and some luck, 950 of each 1,000 in 100 s do not.
        assert!(is_carried(&step(1.0, 700.0), 1e3, met));
        assert!(!is_carried(&step(1.0, 600.0), 1e3, met));
        assert!(!is_carried(&step(100.0, 950.0), 1e3, met));
        assert!(!is_carried(&Step { stages: Vec::new(), ..step(10.0, 1e6) }, 1e6, met));
    }
}
