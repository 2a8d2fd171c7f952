//! `orchard plan`: how many broker nodes and shards a feed needs, and what runs out first.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use tick_feed::budget::Budget;
use tick_feed::plan::{self, Brokers, Demand, Key, NodeCosts, PlanError};
use tick_feed::rabbitmq::Durability;
use tick_ingest::feed::SourceSpec;
use tick_sdk::groups::Groups;
use tick_sdk::quantity::{count_within, parse_bytes, parse_count, parse_duration_ns};

use crate::budget;
use crate::ended::{Ended, UsageError};
use crate::generate::parse_skew;
use crate::info::survey::Survey;
use crate::sources::{SourceArgs, Sources};

mod json;
mod show;

/// Options of `orchard plan`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct PlanArgs {
    /// Ticks that come in, as 50M
    #[arg(long, value_name = "N", value_parser = parse_count)]
    ticks_per_second: u64,
    /// Strategies; each is given every frame
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1000))]
    strategies: u16,
    /// 99 of 100 ticks are to reach their strategy within this
    #[arg(long, value_name = "TIME", value_parser = parse_duration_ns)]
    p99: Option<u64>,
    /// What the broker does with frames
    #[arg(long, value_name = "memory|replicated", default_value = "memory")]
    durability: Durability,
    /// Plan with this number of shards, rather than choose it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    shards: Option<u16>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    spread: SpreadArgs,
    #[command(flatten)]
    brokers: BrokerArgs,
    #[command(flatten)]
    sources: SourceArgs,
}

/// How ticks spread over instruments, where no file says it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Instruments")]
struct SpreadArgs {
    /// How many instruments, if no file is named
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = count_within::<u32>(1..=1_000_000), conflicts_with = "files")]
    instruments: u32,
    /// Instrument i has a share of the ticks proportional to 1/i^SKEW; 0 is even
    #[arg(long, value_name = "SKEW", default_value = "0.8", value_parser = parse_skew, conflicts_with = "files")]
    skew: f64,
    /// Groups of instruments, which are always in one shard, one `NAME = A B` a line
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,
}

/// What a broker node and its clients can do. The defaults are for a node on 2 cores that it shares
/// with its clients, and make it as fast as was measured with one strategy and two: perf/CAPACITY.md
/// says how. Measure yours.
#[derive(Debug, Args)]
#[command(next_help_heading = "Brokers")]
struct BrokerArgs {
    /// Messages a second that the first node of a cluster may be given, and each further one. A
    /// node that is in no cluster counts as a first one [default: what `perf budget`
    /// measured, else 30000,15000]
    #[arg(long, value_name = "N,N…|off")]
    budget: Option<Budget>,
    /// Bytes a second that a node takes if it does nothing else
    #[arg(long, value_name = "BYTES", default_value = "2.2G", value_parser = parse_count)]
    node_bytes_in: u64,
    /// Bytes a second that a node delivers if it does nothing else, each strategy's copy counted
    #[arg(long, value_name = "BYTES", default_value = "2.75G", value_parser = parse_count)]
    node_bytes_out: u64,
    /// How long a node is busy with taking a message, beside its bytes
    #[arg(long, value_name = "TIME", default_value = "11us", value_parser = parse_duration_ns)]
    message_in: u64,
    /// How long a node is busy with delivering a message, beside its bytes
    #[arg(long, value_name = "TIME", default_value = "9us", value_parser = parse_duration_ns)]
    message_out: u64,
    /// How long a message takes through a broker that is idle
    #[arg(long, value_name = "TIME", default_value = "500us", value_parser = parse_duration_ns)]
    hop: u64,
    /// A full frame
    #[arg(long, value_name = "BYTES", default_value = "512K", value_parser = parse_bytes)]
    frame_bytes: u64,
    /// Ticks a second that the one ingester of a feed reads and cuts into shards. 44M is computed;
    /// measured, with the broker on the same two cores: 42.9M into one shard, where nothing is cut,
    /// and 30.5M into four (`perf ingest --ticks 20M`, with `--shards 4`)
    #[arg(long, value_name = "N", default_value = "44M", value_parser = parse_count)]
    ingester_ticks: u64,
    /// Ticks a second that the one consumer of a shard takes
    #[arg(long, value_name = "N", default_value = "31.5M", value_parser = parse_count)]
    shard_ticks: u64,
    /// Percent of everything that stay unused
    #[arg(long, value_name = "PERCENT", default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=90))]
    headroom: u8,
}

const AFTER_HELP: &str = "\
All ticks of a feed pass one ingester, and a feed with more than that takes has to be split. Each
broker node has a budget of messages, and is busy for some time with each message and each byte. A
shard is on one node, and its ticks go to one consumer of each strategy. Frames are as small as the
budget allows, then as the node's time allows. Two plans are made: one cluster, whose further nodes
have smaller budgets, as they also carry what their peers' clients send and know all its queues; and
nodes that know nothing of each other, each with a first node's budget. Replicated queues need a
cluster; how fast its disks are is not in the model: give --node-bytes-in and --node-bytes-out as you
measured them.

Examples:
  orchard plan --ticks-per-second 20M --strategies 4
  orchard plan --ticks-per-second 5M --strategies 2 --p99 5ms --instruments 500 --skew 1
  orchard plan --ticks-per-second 20M capture.gz";

pub(crate) fn run(args: PlanArgs) -> Result<Ended> {
    let demand = Demand {
        ticks: args.ticks_per_second as f64,
        strategies: f64::from(args.strategies),
        p99: args.p99.map(|ns| ns as f64 * 1e-9),
        shards: args.shards,
        keys: keys(&args)?,
    };
    let layouts = plan::layouts(&demand, &args.brokers.brokers(args.durability)?).map_err(usage)?;
    let text = if args.json {
        json::plan(&demand, &layouts)
    } else {
        show::plan(&args, &demand, &layouts).map_err(usage)?
    };
    crate::stdout::stdout().write_all(text.as_bytes()).context("writing to standard output")?;
    Ok(Ended::Done)
}

/// What cannot be planned is what was asked on the command line.
fn usage(error: PlanError) -> UsageError {
    UsageError(error.to_string())
}

impl BrokerArgs {
    fn brokers(&self, durability: Durability) -> Result<Brokers> {
        Ok(Brokers {
            budget: budget::or_measured(self.budget.as_ref())?,
            ingester_ticks: self.ingester_ticks as f64,
            costs: NodeCosts {
                message_in: self.message_in as f64 * 1e-9,
                message_out: self.message_out as f64 * 1e-9,
                bytes_in: self.node_bytes_in as f64,
                bytes_out: self.node_bytes_out as f64,
            },
            replicas: if durability == Durability::Replicated { 3 } else { 1 },
            frame_bytes: self.frame_bytes as f64,
            shard_ticks: self.shard_ticks as f64,
            hop: self.hop as f64 * 1e-9,
            headroom: f64::from(self.headroom) / 100.0,
        })
    }
}

/// Every key with its share of the ticks: of the files, else as the options say.
fn keys(args: &PlanArgs) -> Result<Vec<Key>> {
    let groups = groups(args)?;
    let sources = args.sources.sources()?;
    let shares = if sources.specs.is_empty() {
        plan::zipf(args.spread.instruments, args.spread.skew)
    } else {
        plan::shares(ticks(&sources)?).map_err(usage)?
    };
    Ok(plan::keys(&shares, &groups))
}

fn groups(args: &PlanArgs) -> Result<Groups> {
    let Some(path) = &args.spread.groups else { return Ok(Groups::default()) };
    let name = || path.display().to_string();
    std::fs::read_to_string(path).with_context(name)?.parse().with_context(name)
}

/// The instruments of all files, each with its number of ticks.
fn ticks(sources: &Sources) -> Result<Vec<(String, f64)>> {
    let mut ticks = Vec::new();
    for spec in &sources.specs {
        let SourceSpec::File { name, prefix, own } = spec else { continue };
        let mut survey = Survey::read(name, prefix, &own.over(&sources.read), 0)?;
        if let Some(error) = survey.stopped_by.take() {
            return Err(error.into());
        }
        ticks
            .extend(survey.traded().map(|instrument| (instrument.symbol.clone(), instrument.ticks() as f64)));
    }
    Ok(ticks)
}
