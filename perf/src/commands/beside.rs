//! `perf beside`: what commands on the same broker cost a feed.
//!
//! The same step of a feed is measured without commands and with them, in turn, and the p99 from when a tick was due
//! until its signal is compared. A host stops at the first tick that is missing, so that a step which comes to its end
//! has lost nothing.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use super::broker::{CameThrough, CommandsBeside, servers_of};
use crate::args::{BrokerArgs, LedgerArgs, LoadArgs, OutputArgs};
use crate::broker_metrics::BrokerMetrics;
use crate::error::PerfError;
use crate::feeds::{Feeds, Part, find_strategy};
use crate::outcome::Step;
use crate::rates::Rates;
use crate::session::Session;
use crate::step::StepPlan;
use crate::{is_carried, latency_stage, units};

/// Options of `perf beside`.
#[derive(Debug, Args)]
pub(crate) struct BesideArgs {
    /// Commands a second, each carried out by a service in another process
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Load")]
    commands: u32,
    /// How often both are measured, in turn
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

/// What all rounds came to.
#[derive(Debug, Default)]
struct Compared {
    steps: Vec<Step>,
    alone: Vec<u64>,
    beside: Vec<u64>,
    commands: Vec<CameThrough>,
    are_carried: bool,
}

/// Measures, and prints.
///
/// # Errors
/// A server is not there, something fails meanwhile, or results cannot be written.
pub(crate) fn run(args: &BesideArgs, stop: &AtomicBool) -> Result<(), PerfError> {
    let rate = rate_of(&args.load)?;
    args.load.instances_of().iter().try_for_each(|(_, kind)| find_strategy(kind).map(drop))?;
    if !args.broker.broker.is_empty() {
        let reason =
            "name the broker by ORCHARD_TEST_AMQP instead of --broker: the commands' service reads it there";
        return Err(PerfError::Usage(reason.to_owned()));
    }
    let brokers = args.broker.brokers().map_err(PerfError::Usage)?;
    if brokers.len() > 1 {
        return Err(PerfError::Usage("name one broker: commands and the feed share it".to_owned()));
    }
    let servers = servers_of(None, None)?;
    let folder = tempfile::tempdir().map_err(PerfError::Folder)?;
    let mut session = Session::open("beside", &args.output, args.load.input.as_deref(), stop)?;
    session.brokers(&brokers)?;
    session.settings(args.broker.settings());
    session.settings(args.load.settings());
    session.set("commands", args.commands);
    let ledger = session.ledger(&args.ledger, &folder)?;
    let metrics = BrokerMetrics::new(args.broker.metrics());
    let feeds = Feeds {
        part: Part::Whole,
        load: &args.load,
        options: &args.broker,
        brokers,
        metrics,
        ledger,
        folder: folder.path(),
        onlooker: None,
        stop,
    };
    let plan = StepPlan::new(&args.load, Some(rate));
    let mut compared = Compared { are_carried: true, ..Compared::default() };
    for _ in 0..args.rounds {
        for is_beside in [false, true] {
            if stop.load(Ordering::Acquire) {
                break;
            }
            let name = if is_beside { format!("beside {}", args.commands) } else { "alone".to_owned() };
            session.live.heading(&name);
            let commands =
                is_beside.then(|| CommandsBeside::start(servers.clone(), args.commands)).transpose()?;
            let step = feeds.step(plan, &mut session.live);
            let came_through = commands.map(CommandsBeside::stop).transpose()?;
            compared.add(Step { name, ..step? }, came_through, rate, args);
        }
    }
    let lines = compared.lines(args.commands);
    for (name, value) in &lines {
        session.set(name, value);
    }
    session.finish(compared.steps, None)?;
    if !args.output.json {
        let text: String = lines.iter().map(|(name, value)| format!("{name:<28}{value}\n")).collect();
        std::io::stdout().write_all(text.as_bytes())?;
    }
    Ok(())
}

fn rate_of(load: &LoadArgs) -> Result<f64, PerfError> {
    match load.rates().map_err(PerfError::Usage)? {
        Some(Rates::Fixed(rate)) => Ok(rate),
        _ => Err(PerfError::Usage("name one rate, as --rate 5M: both are measured at it".to_owned())),
    }
}

impl Compared {
    fn add(&mut self, step: Step, commands: Option<CameThrough>, rate: f64, args: &BesideArgs) {
        let p99 = latency_stage(&step).map_or(0, |stage| stage.p99);
        let all = if commands.is_some() { &mut self.beside } else { &mut self.alone };
        all.push(p99);
        self.are_carried &= is_carried(&step, rate, args.load.knee);
        self.commands.extend(commands);
        self.steps.push(step);
    }

    fn lines(&self, per_s: u32) -> Vec<(&'static str, String)> {
        let (alone, beside) = (mean(&self.alone), mean(&self.beside));
        let missing: usize = self.commands.iter().map(|one| one.missing).sum();
        let slowest = self.commands.iter().map(|one| one.p99_ms).fold(0.0, f64::max);
        vec![
            ("p99 alone", units::time(alone as u64)),
            ("p99 beside commands", units::time(beside as u64)),
            ("beside of alone", format!("{:.2}", beside / alone)),
            ("all ticks in time", if self.are_carried { "yes" } else { "no" }.to_owned()),
            ("p99 of commands", format!("{slowest:.1} ms at {per_s}/s, {missing} events late")),
        ]
    }
}

fn mean(values: &[u64]) -> f64 {
    values.iter().sum::<u64>() as f64 / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Stage;

    #[test]
    fn both_are_compared_over_all_rounds() {
        let compared = Compared {
            alone: vec![2_000_000, 4_000_000],
            beside: vec![3_000_000, 6_000_000],
            commands: vec![CameThrough { p99_ms: 5.0, missing: 1 }, CameThrough { p99_ms: 7.25, missing: 0 }],
            are_carried: true,
            steps: vec![Step { stages: vec![Stage::default()], ..Step::default() }],
        };
        let lines = compared.lines(500);
        assert_eq!(lines[2], ("beside of alone", "1.50".to_owned()));
        assert_eq!(lines[4].1, "7.2 ms at 500/s, 1 events late");
    }
}
