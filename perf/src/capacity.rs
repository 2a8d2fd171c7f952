//! `perf capacity`: what a market needs, where the machine at hand cannot follow it: a
//! simulation from ticks to committed signals, with what was measured as its constants.
//!
//! CAPACITY.md says what it is made of and how near it comes to measured values.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use thiserror::Error;
use tick_feed::budget::Budget;
use tick_sdk::quantity::{count_within, parse_bytes, parse_count, parse_duration_ns};

mod assignment;
mod costs;
mod hosts;
mod ingester;
mod ladder;
mod latency;
mod market;
mod need;
mod node;
mod report;
mod scenario;
mod server;
mod simulation;
#[cfg(test)]
mod tests;
mod ticks;

pub(crate) use costs::Costs;
pub(crate) use need::Resource;
pub(crate) use report::Report;
pub(crate) use scenario::Scenario;

/// No simulation takes more memory and time than somebody waits for.
const MOST_TICKS: f64 = 1e12;

/// Options of `perf capacity`.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CapacityArgs {
    /// A market's shape; `opra` also sets what is not given of rate, peak and instruments
    #[arg(long, value_name = "flat|day|opra", default_value = "flat")]
    pub(crate) market: Market,
    /// Ticks/s on average [default: 1M; opra: 17.1M]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) rate: Option<u64>,
    /// A burst's rate, of the average [default: 1, no bursts; opra: 14]
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub(crate) peak: Option<f64>,
    /// A burst's length; shorter where the ticks in bursts do not last for one
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = parse_duration_ns)]
    pub(crate) burst: u64,
    /// The part of all ticks that come in bursts
    #[arg(long, value_name = "PART", default_value = "0.2", value_parser = part)]
    pub(crate) burst_share: f64,
    /// Instruments [default: 1000; opra: 1.4M]
    #[arg(long, value_name = "N", value_parser = count_within::<u32>(1..=u64::from(u32::MAX)))]
    pub(crate) instruments: Option<u32>,
    /// Instrument i has a part of the ticks proportional to 1/i^SKEW; 0 is even
    #[arg(long, value_name = "SKEW", default_value = "0.8", value_parser = skew)]
    pub(crate) skew: f64,
    /// Groups of channels, each with an ingester, nodes, hosts and a ledger of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) feeds: u16,
    /// Shards of each feed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) shards: u16,
    /// Strategies; each gets every frame
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) strategies: u16,
    /// Hosts of each strategy in each feed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) instances: u16,
    /// Broker nodes of each feed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) nodes: u16,
    /// Messages/s of each node, as 30000,15000, or off
    #[arg(long, value_name = "RATES", default_value_t)]
    pub(crate) budget: Budget,
    /// A full frame
    #[arg(long, value_name = "BYTES", default_value = "512K", value_parser = parse_bytes)]
    pub(crate) frame_bytes: u64,
    /// How long a tick waits for others while the budget allows no message
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = parse_duration_ns)]
    pub(crate) linger: u64,
    /// How long is simulated
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration_ns)]
    pub(crate) duration: u64,
    /// Decides where bursts fall
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Simulate the ladder of CAPACITY.md, and write its tables as Markdown
    #[arg(long)]
    pub(crate) ladder: bool,
    /// What a machine of 2 cores costs an hour, for the ladder
    #[arg(long, value_name = "PRICE", default_value = "0.10", value_parser = price, requires = "ladder")]
    pub(crate) machine_price: f64,
    /// JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// What each part costs.
    #[command(flatten)]
    pub(crate) costs: Costs,
}

const AFTER_HELP: &str = "\
Everything is simulated: nothing is sent, and no machine has to be able to follow. Utilisation is of
the busiest one of its kind: \"busy\" is what was simulated, \"needs\" what the rate needs at the least,
with full frames. The resource of which the peak needs most is the one that binds.

Examples:
  perf capacity --rate 5K
  perf capacity --rate 20M --peak 3 --shards 12 --nodes 3 --instances 3
  perf capacity --market opra --feeds 8 --nodes 4 --budget 30000 --shards 16 --instances 4
  perf capacity --ladder";

/// How a market's rate goes over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Market {
    /// The same at all times, but for bursts.
    Flat,
    /// A trading day in small: busy at the open and at the close.
    Day,
    /// The options of all exchanges of the United States, as a day.
    Opra,
}

/// A simulation that is not made, or whose result goes nowhere.
#[derive(Debug, Error)]
pub enum CapacityError {
    /// Too large.
    #[error("{ticks:.1e} ticks are too many to simulate: lower --duration or --rate")]
    TooMany {
        /// How many there would be.
        ticks: f64,
    },
    /// Too short.
    #[error("there would be no tick at all: raise --duration or --rate")]
    Nothing,
    /// Bursts have more ticks than there are.
    #[error("so many ticks in bursts leave none for the rest: lower --burst-share, or raise --peak")]
    NoRest,
    /// A frame holds no tick.
    #[error("a frame of {bytes} bytes holds no tick: raise --frame-bytes to 240 or more")]
    SmallFrame {
        /// As given.
        bytes: f64,
    },
    /// The result cannot be written as JSON.
    #[error("the result cannot be written as JSON: leave --json out")]
    Json(#[from] serde_json::Error),
    /// Standard output does not take it.
    #[error("writing to standard output: see that something reads it")]
    Output(#[source] io::Error),
}

/// Simulates, and writes what it came to.
///
/// # Errors
/// The options contradict each other, or standard output takes nothing.
pub(crate) fn run(args: &CapacityArgs) -> Result<(), CapacityError> {
    let text = match (args.ladder, args.json) {
        (true, true) => serde_json::to_string(&ladder::run(args)?)? + "\n",
        (true, false) => ladder::markdown(&ladder::run(args)?, args.machine_price),
        (false, json) => {
            let report = capacity(&args.scenario())?;
            if json { serde_json::to_string(&report)? + "\n" } else { report.text() }
        }
    };
    io::stdout().write_all(text.as_bytes()).map_err(CapacityError::Output)
}

/// Simulates one scenario.
///
/// # Errors
/// It is too large, or contradicts itself.
pub(crate) fn capacity(scenario: &Scenario) -> Result<Report, CapacityError> {
    let ticks = scenario.rate * scenario.seconds;
    if ticks > MOST_TICKS {
        return Err(CapacityError::TooMany { ticks });
    }
    if ticks < 1.0 {
        return Err(CapacityError::Nothing);
    }
    if scenario.peak > 1.0 && scenario.burst_share >= scenario.peak.min(1.0) {
        return Err(CapacityError::NoRest);
    }
    if scenario.frame_bytes < Scenario::bytes(1) {
        return Err(CapacityError::SmallFrame { bytes: scenario.frame_bytes });
    }
    Ok(simulation::simulate(scenario))
}

impl CapacityArgs {
    fn scenario(&self) -> Scenario {
        let (rate, peak, instruments) = match self.market {
            Market::Opra => (ladder::OPRA_RATE, ladder::OPRA_PEAK, ladder::OPRA_INSTRUMENTS),
            Market::Flat | Market::Day => (1e6, 1.0, 1_000),
        };
        Scenario {
            rate: self.rate.map_or(rate, |rate| rate as f64),
            peak: self.peak.unwrap_or(peak),
            burst: self.burst,
            burst_share: self.burst_share,
            day: self.market != Market::Flat,
            instruments: self.instruments.unwrap_or(instruments),
            skew: self.skew,
            feeds: self.feeds,
            shards: self.shards,
            nodes: self.nodes,
            budget: self.budget.clone(),
            strategies: self.strategies,
            instances: self.instances,
            frame_bytes: self.frame_bytes as f64,
            linger: self.linger,
            seconds: self.duration as f64 * 1e-9,
            seed: self.seed,
            costs: self.costs.clone(),
        }
    }
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("'{text}' is not within it: write a number from {least} to {most}")),
    }
}

fn ratio(text: &str) -> Result<f64, String> {
    number(text, 1.0, 1_000.0)
}

fn part(text: &str) -> Result<f64, String> {
    number(text, 0.0, 0.9)
}

fn price(text: &str) -> Result<f64, String> {
    number(text, 0.0, 1e6)
}

fn skew(text: &str) -> Result<f64, String> {
    number(text, 0.0, 100.0)
}
