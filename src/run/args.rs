//! The options of `orchard run`.

use clap::{Args, ValueEnum};
use strategy_host::run::{AtEnd, Begin};
use tick_feed::rabbitmq::BrokerUrl;
use tick_sdk::names::{FeedName, StrategyName};
use tick_sdk::quantity::parse_bytes;

/// Options of `orchard run`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RunArgs {
    /// The feed, as its ingester names it
    #[arg(long, value_name = "NAME")]
    pub(super) feed: FeedName,
    /// The strategy, with parameters after a colon
    #[arg(long, value_name = "[NAME=]STRATEGY[:PARAM=VALUE,…]")]
    pub(super) strategy: String,
    /// A broker; for several nodes repeat it, in the ingester's order
    #[arg(long, value_name = "URL", required = true)]
    pub(super) broker: Vec<BrokerUrl>,
    /// The ledger: postgres://… for several machines, or a folder for this one
    #[arg(long, value_name = "URL|DIR")]
    pub(super) state: String,
    /// Where a strategy that the feed does not have yet begins
    #[arg(long, value_enum, default_value_t = From::Start)]
    pub(super) from: From,
    /// Run it beside the others of its kind, under this name
    #[arg(long = "as", value_name = "NAME")]
    pub(super) name: Option<StrategyName>,
    /// Take the strategy out of the feed, with its queues, and end
    #[arg(long)]
    pub(super) leave: bool,
    /// Go on behind ticks that cannot be had again, and count them
    #[arg(long)]
    pub(super) accept_gap: bool,
    /// End when the feed's run has ended, also if it had before; else the next run is waited for
    #[arg(long)]
    pub(super) once: bool,
    /// Bytes of each shard that may be under way or not yet stored
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = parse_bytes)]
    pub(super) prefetch_bytes: u64,
    /// The summary as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// No progress
    #[arg(long)]
    pub(super) quiet: bool,
}

impl RunArgs {
    pub(super) fn at_end(&self) -> AtEnd {
        if self.once { AtEnd::Stop } else { AtEnd::WaitForNext }
    }
}

/// Where a strategy that the feed does not have yet begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum From {
    /// At the run's first tick: it is caught up
    Start,
    /// At the next tick
    Now,
}

impl std::convert::From<From> for Begin {
    fn from(from: From) -> Self {
        match from {
            From::Start => Self::Start,
            From::Now => Self::Now,
        }
    }
}

const AFTER_HELP: &str = "\
Examples:
  orchard run --feed day --strategy apple --broker amqp://localhost --state postgres://localhost/orchard
  orchard run --feed day --strategy fast=apple:fast=8,slow=20 --broker amqp://localhost --state ledger
Any number of these share a strategy's shards: start the same command again, here or elsewhere.
Whoever is killed is taken over from within seconds; Ctrl-C hands over at once.
When a run has ended, the feed's next one is waited for and taken part in, until Ctrl-C; --once ends there.";
