//! The options of `orchard ingest`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tick_feed::budget::Budget;
use tick_feed::rabbitmq::{BrokerUrl, Durability};
use tick_ingest::publish::{AtEnd, Begin, FeedStrategy};
use tick_sdk::names::{FeedName, InvalidName, RunId};
use tick_sdk::quantity::{count_within, parse_bytes, parse_duration};

use crate::commands::replay::{ClockArgs, GeneratedArgs};
use crate::sources::{SelectionArgs, SourceArgs, with_mapping_help};

/// Options of `orchard ingest`.
#[derive(Debug, Args)]
#[command(after_help = with_mapping_help(AFTER_HELP))]
pub(crate) struct IngestArgs {
    /// The feed's name, by which `orchard run` finds it
    #[arg(long, value_name = "NAME", help_heading = "Feed")]
    pub(super) feed: FeedName,
    /// Strategies that are waited for; one with a question mark is optional: see --abandon-after
    #[arg(long, value_name = "apple,pear?", required = true, value_delimiter = ',', value_parser = parse_strategy, help_heading = "Feed")]
    pub(super) strategies: Vec<FeedStrategy>,
    /// A broker, as amqp://user:password@host; repeat for several
    #[arg(long, value_name = "URL", required = true, help_heading = "Feed")]
    pub(super) broker: Vec<BrokerUrl>,
    /// Shards to split instruments over
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Feed")]
    pub(super) shards: u16,
    /// memory: what the broker loses is sent again from the sources; replicated: quorum queues
    #[arg(long, value_name = "memory|replicated", default_value = "memory", help_heading = "Feed")]
    pub(super) durability: Durability,
    /// Groups of instruments for strategies that trade them together, one `NAME = A B` a line
    #[arg(long, value_name = "FILE", help_heading = "Feed")]
    pub(super) groups: Option<PathBuf>,
    /// A strategy's queue of one shard holds at most so much; then the shard waits
    #[arg(long, value_name = "BYTES", default_value = "256M", value_parser = parse_bytes, help_heading = "Feed")]
    pub(super) queue_bytes: u64,
    /// Go on without a strategy with a question mark whose queue stays full for so long
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration, help_heading = "Feed")]
    pub(super) abandon_after: Duration,
    /// Where the run's position is kept [default: .orchard/NAME]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub(super) state: Option<PathBuf>,
    /// Go on with a run that was interrupted or killed, with the same files and options
    #[arg(long, value_name = "RUN", conflicts_with = "new", help_heading = "Run")]
    pub(super) resume: Option<RunId>,
    /// Abandon a run that has not ended, and begin another
    #[arg(long, help_heading = "Run")]
    pub(super) new: bool,
    /// End when everything is published, without waiting for the strategies
    #[arg(long, help_heading = "Run")]
    pub(super) detach: bool,
    /// Messages a second for each broker, as 30000,15000, or off [default: what `perf budget` measured, else 30000,15000]
    #[arg(long, value_name = "RATES", help_heading = "Pace")]
    pub(super) budget: Option<Budget>,
    /// How long a tick may wait for others while the budget allows no message
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = parse_duration, help_heading = "Pace")]
    pub(super) linger: Duration,
    /// Always so many ticks a frame, for measuring
    #[arg(long, value_name = "N", value_parser = count_within::<u32>(1..=1_000_000), help_heading = "Pace")]
    pub(super) frame_ticks: Option<u32>,
    /// A frame is at most so large
    #[arg(long, value_name = "BYTES", default_value = "512K", value_parser = parse_bytes, help_heading = "Pace")]
    pub(super) frame_bytes: u64,
    /// The summary as one JSON object
    #[arg(long, help_heading = "Results")]
    pub(super) json: bool,
    /// No progress
    #[arg(long, help_heading = "Results")]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) sources: SourceArgs,
    #[command(flatten)]
    pub(super) selection: SelectionArgs,
    #[command(flatten)]
    pub(super) clock: ClockArgs,
    #[command(flatten)]
    pub(super) market: GeneratedArgs,
}

const AFTER_HELP: &str = "\
Examples:
  orchard ingest capture.gz --feed btc --strategies apple,pear --broker amqp://localhost --shards 4
  orchard ingest capture.gz --feed btc --strategies apple,pear? --broker amqp://a --broker amqp://b
  orchard ingest capture.gz --feed btc … --resume RUN      after Ctrl-C or kill -9

The run's id is the first line on standard error. `orchard run --feed btc …` runs a strategy.";

/// Reads `apple`, or `pear?` for an optional one.
fn parse_strategy(text: &str) -> Result<FeedStrategy, InvalidName> {
    let (name, is_required) = text.strip_suffix('?').map_or((text, true), |name| (name, false));
    Ok(FeedStrategy { name: name.parse()?, is_required })
}

impl IngestArgs {
    pub(super) fn begin(&self) -> Begin {
        match self.resume {
            Some(run) => Begin::Resume(run),
            None if self.new => Begin::Replace,
            None => Begin::New,
        }
    }

    pub(super) fn at_end(&self) -> AtEnd {
        if self.detach { AtEnd::Detach } else { AtEnd::AwaitStrategies }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_read() {
        let pear = parse_strategy("pear?").unwrap();
        assert_eq!(pear.name.as_str(), "pear");
        assert!(!pear.is_required);
        assert!(parse_strategy("apple").unwrap().is_required);
        for wrong in ["", "?", "a b", "a.b"] {
            assert!(parse_strategy(wrong).is_err(), "{wrong}");
        }
    }
}
