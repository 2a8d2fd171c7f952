//! `perf viewers`: what people who look on cost a feed, and whether they see everything.
//!
//! The same step of a feed is measured while nobody looks on, with viewers, and with as many viewers beside some that
//! never read, in turn. Each viewer has a connection to `/hubs/market` and one to `/hubs/signals` of a gateway in this
//! process, which shows the feed's prices and publishes its signals in all three. Gateway, viewers and feed share the
//! machine, so that one clock times a signal from its commit to each client.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::{StartError, StoreError};
use clap::Args;
use gateway::GatewayError;
use thiserror::Error;

use crate::args::{BrokerArgs, LedgerArgs, LoadArgs, OutputArgs};
use crate::broker_metrics::BrokerMetrics;
use crate::error::PerfError;
use crate::feeds::{Feeds, Part, find_strategy};
use crate::outcome::Step;
use crate::rates::Rates;
use crate::session::Session;
use crate::step::StepPlan;
use crate::{is_carried, latency_stage, units};

mod client;
mod crowd;
mod served;
mod socket;
mod watched;

use crowd::{Crowd, Looked};
use served::Served;

/// Options of `perf viewers`.
#[derive(Debug, Args)]
pub(crate) struct ViewersArgs {
    /// Viewers, each with prices and signals
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=10_000), help_heading = "Load")]
    viewers: u16,
    /// Viewers beside them that never read
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(0..=10_000), help_heading = "Load")]
    stalled: u16,
    /// Updates of prices a second to each
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=20), help_heading = "Load")]
    per_second: u32,
    /// How often all are measured, in turn
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=100), help_heading = "Load")]
    rounds: u16,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    ledger: LedgerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Viewers that came to nothing.
#[derive(Debug, Error)]
pub enum ViewersError {
    /// Sockets, files, threads.
    #[error("the viewers: {0}")]
    Io(#[from] std::io::Error),
    /// The store of the signals.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bus.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The gateway.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Not everybody watches.
    #[error("after {seconds} s {watching} of {viewers} viewers watch: is the limit of open files too low?")]
    NotThere {
        /// How long it was waited for.
        seconds: u64,
        /// How many watch.
        watching: usize,
        /// How many there are.
        viewers: usize,
    },
}

/// Who looks on in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    Nobody,
    Viewers,
    WithStalled,
}

/// What all rounds came to.
#[derive(Debug, Default)]
struct Compared {
    steps: Vec<Step>,
    /// Of each audience the p99 of the feed, in ns.
    p99: [Vec<u64>; 3],
    looked: Vec<Looked>,
    are_carried: bool,
}

/// Measures, and prints.
///
/// # Errors
/// A server is not there, something fails meanwhile, or results cannot be written.
pub(crate) fn run(args: &ViewersArgs, stop: &AtomicBool) -> Result<(), PerfError> {
    let rate = check(args)?;
    let brokers = args.broker.brokers().map_err(PerfError::Usage)?;
    let folder = tempfile::tempdir().map_err(PerfError::Folder)?;
    let mut session = Session::open("viewers", &args.output, args.load.input.as_deref(), stop)?;
    session.brokers(&brokers)?;
    session.settings(args.broker.settings());
    session.settings(args.load.settings());
    session.set("viewers", args.viewers);
    session.set("stalled", args.stalled);
    session.set("updates-a-second", args.per_second);
    let ledger = session.ledger(&args.ledger, &folder)?;
    let plan = StepPlan::new(&args.load, Some(rate));
    let mut compared = Compared { are_carried: true, ..Compared::default() };
    let audiences = [Audience::Nobody, Audience::Viewers, Audience::WithStalled];
    let audiences = audiences.iter().filter(|one| **one != Audience::WithStalled || args.stalled > 0);
    for (number, audience) in (0..args.rounds).flat_map(|_| audiences.clone()).enumerate() {
        if stop.load(Ordering::Acquire) {
            break;
        }
        let name = audience.name(args);
        session.live.heading(&name);
        let served = Served::start(&folder.path().join(format!("served-{number}")), &ledger)?;
        let crowd = audience.gather(args, &served)?;
        let feeds = Feeds {
            part: Part::Whole,
            load: &args.load,
            options: &args.broker,
            brokers: brokers.clone(),
            metrics: BrokerMetrics::new(args.broker.metrics()),
            ledger: ledger.clone(),
            folder: folder.path(),
            onlooker: Some(served.onlooker()),
            stop,
        };
        let step = feeds.step(plan, &mut session.live)?;
        let looked =
            crowd.map(|crowd| crowd.finish(&served.watched)).transpose().map_err(ViewersError::Io)?;
        served.stop();
        compared.add(*audience, Step { name, ..step }, looked, rate, args);
    }
    let lines = compared.lines();
    for (name, value) in &lines {
        session.set(name, value);
    }
    session.finish(compared.steps, None)?;
    if !args.output.json {
        let text: String = lines.iter().map(|(name, value)| format!("{name:<32}{value}\n")).collect();
        std::io::stdout().write_all(text.as_bytes())?;
    }
    Ok(())
}

/// What a user got wrong is said before anything is connected. The rate at which all is measured.
fn check(args: &ViewersArgs) -> Result<f64, PerfError> {
    let usage = |reason: &str| Err(PerfError::Usage(reason.to_owned()));
    args.load.instances_of().iter().try_for_each(|(_, kind)| find_strategy(kind).map(drop))?;
    if args.broker.producers > 1 {
        return usage("viewers look at one feed: leave --producers out");
    }
    if args.ledger.state.as_deref() == Some("memory") {
        return usage(
            "signals are published of a ledger that can be opened twice: name a folder or PostgreSQL",
        );
    }
    match args.load.rates().map_err(PerfError::Usage)? {
        Some(Rates::Fixed(rate)) => Ok(rate),
        _ => usage("name one rate, as --rate 5M: all are measured at it"),
    }
}

impl Audience {
    fn name(self, args: &ViewersArgs) -> String {
        match self {
            Self::Nobody => "nobody".to_owned(),
            Self::Viewers => format!("{} viewers", args.viewers),
            Self::WithStalled => format!("{} viewers, {} that never read", args.viewers, args.stalled),
        }
    }

    fn gather(self, args: &ViewersArgs, served: &Served) -> Result<Option<Crowd>, ViewersError> {
        let stalled = if self == Self::WithStalled { args.stalled } else { 0 };
        let crowd = || Crowd::gather(served, args.viewers.into(), stalled.into(), args.per_second);
        (self != Self::Nobody).then(crowd).transpose()
    }
}

impl Compared {
    fn add(&mut self, audience: Audience, step: Step, looked: Option<Looked>, rate: f64, args: &ViewersArgs) {
        self.p99[audience as usize].push(latency_stage(&step).map_or(0, |stage| stage.p99));
        self.are_carried &= is_carried(&step, rate, args.load.knee);
        self.looked.extend(looked);
        self.steps.push(step);
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let [nobody, viewers, stalled] = [0, 1, 2].map(|audience: usize| mean(&self.p99[audience]));
        let sum = |part: fn(&Looked) -> u64| self.looked.iter().map(part).sum::<u64>();
        let slowest = |part: fn(&Looked) -> Duration| self.looked.iter().map(part).max().unwrap_or_default();
        let time = |duration: Duration| units::time(duration.as_nanos() as u64);
        let mut lines = vec![("p99 of the feed, nobody", units::time(nobody as u64))];
        lines.push(("with viewers", format!("{} ({:.2})", units::time(viewers as u64), viewers / nobody)));
        if stalled > 0.0 {
            let text = format!("{} ({:.2})", units::time(stalled as u64), stalled / nobody);
            lines.push(("with some that never read", text));
        }
        lines.extend([
            ("all ticks in time", if self.are_carried { "yes" } else { "no" }.to_owned()),
            ("signals, to each viewer", sum(|looked| looked.signals).to_string()),
            ("signals lost", sum(|looked| looked.lost).to_string()),
            ("signals twice", sum(|looked| looked.twice).to_string()),
            ("streams that were cut", sum(|looked| looked.cut).to_string()),
            ("p99 from commit to client", time(slowest(|looked| looked.from_commit))),
            ("p99 from published to client", time(slowest(|looked| looked.from_published))),
            ("updates of prices", sum(|looked| looked.quotes).to_string()),
        ]);
        lines
    }
}

fn mean(values: &[u64]) -> f64 {
    values.iter().sum::<u64>() as f64 / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audiences_are_compared_over_all_rounds() {
        let looked = |lost, ms| Looked { lost, from_commit: Duration::from_millis(ms), ..Looked::default() };
        let compared = Compared {
            p99: [vec![2_000_000, 4_000_000], vec![3_000_000, 6_000_000], vec![]],
            looked: vec![looked(1, 5), looked(2, 90)],
            are_carried: true,
            ..Compared::default()
        };
        let lines = compared.lines();
        let of = |name: &str| lines.iter().find(|line| line.0 == name).map(|line| line.1.as_str());
        assert!(of("with viewers").unwrap().ends_with("(1.50)"));
        assert_eq!(of("with some that never read"), None);
        assert_eq!((of("signals lost"), of("signals twice")), (Some("3"), Some("0")));
        assert!(of("p99 from commit to client").unwrap().starts_with("90"), "{lines:?}");
    }
}
