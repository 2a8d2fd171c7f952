//! What a load is made of, as a user writes it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tick_feed::budget::Budget;
use tick_feed::rabbitmq::{BrokerError, BrokerUrl, Durability};
use tick_ingest::outputs::{self, Output, OutputError};
use tick_sdk::names::StrategyName;
use tick_sdk::quantity::{count_within, parse_bytes, parse_count, parse_duration};

use crate::rates::Rates;
use crate::vary::Vary;

/// Ticks, and how they come.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoadArgs {
    /// Ticks/s that are due, whether those before have left or not; a ramp finds the knee. Without it, as fast as it goes
    #[arg(long, value_name = "RATE|FROM..TO xN", num_args = 1..=2, value_delimiter = None, help_heading = "Load")]
    pub(crate) rate: Vec<String>,
    /// How long, at each rate [default: 10s with --rate; without, until all --ticks are through]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Load")]
    pub(crate) duration: Option<Duration>,
    /// What comes first is left out [default: 2s where there is a duration]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Load")]
    pub(crate) warm_up: Option<Duration>,
    /// Full speed: so many ticks, once
    #[arg(long, value_name = "N", default_value = "50M", value_parser = parse_count, help_heading = "Load")]
    pub(crate) ticks: u64,
    /// A rate is carried if 99 of 100 ticks are through the strategy so soon, and 98 % of it comes through
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = parse_duration, help_heading = "Load")]
    pub(crate) knee: Duration,
    /// A capture instead of a generated market; its pauses are stretched to the rate
    #[arg(long, value_name = "FILE", help_heading = "Load")]
    pub(crate) input: Option<PathBuf>,
    /// Generated instruments
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = count_within::<u32>(1..=1_000_000), help_heading = "Load")]
    pub(crate) instruments: u32,
    /// Shards to split instruments over
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Load")]
    pub(crate) shards: u16,
    /// Strategies, each of which gets every tick, with parameters as apple:fast=500:slow=5000; or how many, Apple and Pear in turn
    #[arg(
        long,
        value_name = "NAME,…|N",
        default_value = "apple",
        value_delimiter = ',',
        help_heading = "Load"
    )]
    pub(crate) strategies: Vec<String>,
    /// Exactly so many ticks a frame, instead of what the budget allows
    #[arg(long, value_name = "N", value_parser = count_within::<u32>(1..=u64::from(u32::MAX)), help_heading = "Load")]
    pub(crate) frame_ticks: Option<u32>,
    /// A frame's largest size
    #[arg(long, value_name = "BYTES", default_value = "512K", value_parser = parse_bytes, help_heading = "Load")]
    pub(crate) frame_bytes: u64,
    /// One option through several values, a step each: instruments, shards, strategies, frame-ticks, frame-bytes, instances, producers, prefetch-bytes or confirm-window
    #[arg(long, value_name = "OPTION=A,B,…", help_heading = "Load")]
    pub(crate) vary: Option<Vary>,
    /// How long a tick may wait for others while the budget allows no message
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = parse_duration, help_heading = "Load")]
    pub(crate) linger: Duration,
}

/// The brokers between the ends.
#[derive(Clone, Debug, Args)]
pub(crate) struct BrokerArgs {
    /// A broker; repeat for several nodes [default: ORCHARD_TEST_AMQP…, as `scripts/services` sets them]
    #[arg(long, value_name = "URL", help_heading = "Broker")]
    pub(crate) broker: Vec<BrokerUrl>,
    /// Where a node shows its memory and queues, as http://host:15692; repeat for several [default: ORCHARD_TEST_PROMETHEUS…]
    #[arg(long, value_name = "URL", help_heading = "Broker")]
    pub(crate) broker_metrics: Vec<String>,
    /// memory: classic queues; replicated: quorum queues
    #[arg(long, value_name = "memory|replicated", default_value = "memory", help_heading = "Broker")]
    pub(crate) durability: Durability,
    /// Messages a second for each node, as 30000,15000, or off
    #[arg(long, value_name = "RATES", default_value_t = Budget::default(), help_heading = "Broker")]
    pub(crate) budget: Budget,
    /// Feeds beside each other, which share the rate
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Broker")]
    pub(crate) producers: u16,
    /// Hosts of each strategy, which share its shards
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Broker")]
    pub(crate) instances: u16,
    /// Bytes of each shard that may be in flight to a host or not yet stored
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = parse_bytes, help_heading = "Broker")]
    pub(crate) prefetch_bytes: u64,
    /// Bytes sent to a node without its confirm
    #[arg(long, value_name = "BYTES", default_value = "16M", value_parser = parse_bytes, help_heading = "Broker")]
    pub(crate) confirm_window: u64,
    /// A strategy's queue of one shard holds at most so much
    #[arg(long, value_name = "BYTES", default_value = "256M", value_parser = parse_bytes, help_heading = "Broker")]
    pub(crate) queue_bytes: u64,
}

/// Where signals and cursors go.
#[derive(Clone, Debug, Args)]
pub(crate) struct LedgerArgs {
    /// The ledger: postgres://…, a folder, or `memory` [default: ORCHARD_TEST_POSTGRES, else a temporary folder]
    #[arg(long, value_name = "URL|DIR|memory", help_heading = "Ledger")]
    pub(crate) state: Option<String>,
}

/// How results are given.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OutputArgs {
    /// Everything as one JSON object on standard output
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// A page with throughput over time and percentile curves
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) html: Option<PathBuf>,
    /// A standard HdrHistogram log, a tag a stage, an interval a second
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) hdr: Option<PathBuf>,
    /// Replace --html and --hdr if they are already there
    #[arg(long, help_heading = "Output")]
    pub(crate) force: bool,
    /// Serve what is measured to Prometheus at this address while it is measured
    #[arg(long, value_name = "IP:PORT", help_heading = "Output")]
    pub(crate) prometheus: Option<SocketAddr>,
    /// No lines a second
    #[arg(long, help_heading = "Output")]
    pub(crate) quiet: bool,
}

impl OutputArgs {
    /// Refuses a file that is the input or the other file, whose ending is not known, or that is
    /// already there.
    ///
    /// # Errors
    /// The first that is refused.
    pub(crate) fn check(&self, input: Option<&Path>) -> Result<(), OutputError> {
        let html = self.html.as_deref().map(|path| Output { option: "--html", path, endings: &["html"] });
        let hdr = self.hdr.as_deref().map(|path| Output { option: "--hdr", path, endings: &["hdr", "hlog"] });
        let outputs: Vec<_> = html.into_iter().chain(hdr).collect();
        outputs::check(&outputs, input.as_slice(), self.force)
    }
}

impl LoadArgs {
    /// The rates, if there are any.
    ///
    /// # Errors
    /// What was written is none.
    pub(crate) fn rates(&self) -> Result<Option<Rates>, String> {
        if self.rate.is_empty() {
            return Ok(None);
        }
        self.rate.join(" ").parse().map(Some)
    }

    /// The names of its strategies, which were found before: so they are valid.
    pub(crate) fn strategy_names(&self) -> Vec<StrategyName> {
        let instances = self.instances_of().into_iter();
        instances.map(|(name, _)| name.parse().expect("a strategy that was found has a valid name")).collect()
    }

    /// Names of strategies' instances, and what each runs.
    pub(crate) fn instances_of(&self) -> Vec<(String, String)> {
        let kinds: Vec<String> = match &self.strategies[..] {
            [count] if count.parse::<usize>().is_ok() => {
                let count = count.parse().unwrap_or(1).clamp(1, 64);
                ["apple", "pear"].iter().cycle().take(count).map(|name| (*name).to_owned()).collect()
            }
            names => names.to_vec(),
        };
        let name = |place: usize| {
            // Parameters are no part of a name.
            let strategy = |kind: &str| kind.split(':').next().unwrap_or_default().to_owned();
            let name = strategy(&kinds[place]);
            let before = kinds[..place].iter().filter(|kind| strategy(kind) == name).count();
            if before == 0 { name } else { format!("{name}-{}", before + 1) }
        };
        (0..kinds.len()).map(|place| (name(place), kinds[place].clone())).collect()
    }

    /// What decides the result, by name.
    pub(crate) fn settings(&self) -> BTreeMap<String, String> {
        let or = |value: Option<String>, other: &str| value.unwrap_or_else(|| other.to_owned());
        let input =
            self.input.as_ref().and_then(|input| Some(input.file_name()?.to_string_lossy().into_owned()));
        let kinds: Vec<String> = self.instances_of().into_iter().map(|(name, _)| name).collect();
        [
            ("rate", or(self.rates().ok().flatten().map(|rates| rates.to_string()), "max")),
            (
                "ticks",
                if self.rate.is_empty() && self.duration.is_none() {
                    self.ticks.to_string()
                } else {
                    "by time".to_owned()
                },
            ),
            ("input", or(input, "generated")),
            ("instruments", self.instruments.to_string()),
            ("shards", self.shards.to_string()),
            ("strategies", kinds.join(",")),
            ("frame-ticks", or(self.frame_ticks.map(|ticks| ticks.to_string()), "by budget")),
            ("frame-bytes", self.frame_bytes.to_string()),
            ("linger", format!("{:?}", self.linger)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// At most so many ticks a frame.
    pub(crate) fn frame_ticks(&self) -> usize {
        let room = (self.frame_bytes as usize).saturating_sub(FRAME_OVERHEAD) / size_of::<tick_sdk::Tick>();
        let most = tick_feed::frame::wire::MAX_FRAME_BYTES / 2 / size_of::<tick_sdk::Tick>();
        self.frame_ticks.map_or(room, |ticks| ticks as usize).clamp(1, most)
    }

    /// A frame's largest size.
    pub(crate) fn max_frame_bytes(&self) -> usize {
        FRAME_OVERHEAD + self.frame_ticks() * size_of::<tick_sdk::Tick>()
    }
}

/// A frame's prefix and what goes around its ticks, with some names.
const FRAME_OVERHEAD: usize = 256;

impl BrokerArgs {
    /// The brokers, those of the environment where none are named.
    ///
    /// # Errors
    /// There are none, or the environment names something else.
    pub(crate) fn brokers(&self) -> Result<Vec<BrokerUrl>, String> {
        Self::default_brokers(self.broker.clone())
    }

    /// These, or those of the environment where there are none.
    ///
    /// # Errors
    /// There are none, or the environment names something else.
    pub(crate) fn default_brokers(
        named: impl IntoIterator<Item = BrokerUrl>,
    ) -> Result<Vec<BrokerUrl>, String> {
        let named: Vec<_> = named.into_iter().collect();
        if !named.is_empty() {
            return Ok(named);
        }
        let brokers: Result<_, BrokerError> =
            Self::environment_urls()?.iter().map(|url| url.parse()).collect();
        brokers.map_err(|error| error.to_string())
    }

    /// The brokers of the environment as they are written there, logins included.
    ///
    /// # Errors
    /// There are none.
    pub(crate) fn environment_urls() -> Result<Vec<String>, String> {
        let urls = from_environment("ORCHARD_TEST_AMQP");
        if urls.is_empty() {
            return Err("no broker is named: use --broker URL, or start private servers by \
                        `eval \"$(scripts/services start rabbitmq postgres | grep '^export')\"`"
                .to_owned());
        }
        Ok(urls)
    }

    /// Where brokers show their statistics; empty where nothing is named.
    pub(crate) fn metrics(&self) -> Vec<String> {
        if self.broker_metrics.is_empty() {
            Self::default_metrics(!self.broker.is_empty())
        } else {
            self.broker_metrics.clone()
        }
    }

    /// Those of the environment, unless brokers are named that it knows nothing of.
    pub(crate) fn default_metrics(are_named: bool) -> Vec<String> {
        if are_named { Vec::new() } else { from_environment("ORCHARD_TEST_PROMETHEUS") }
    }

    /// What decides the result, by name.
    pub(crate) fn settings(&self) -> BTreeMap<String, String> {
        [
            ("durability", format!("{:?}", self.durability).to_lowercase()),
            ("budget", self.budget.to_string()),
            ("producers", self.producers.to_string()),
            ("instances", self.instances.to_string()),
            ("prefetch-bytes", self.prefetch_bytes.to_string()),
            ("confirm-window", self.confirm_window.to_string()),
            ("queue-bytes", self.queue_bytes.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

/// `NAME`, or where there are several, `NAME_1`, `NAME_2`, ….
fn from_environment(name: &str) -> Vec<String> {
    let numbered: Vec<_> = (1..=16).map_while(|node| std::env::var(format!("{name}_{node}")).ok()).collect();
    if numbered.is_empty() { std::env::var(name).into_iter().collect() } else { numbered }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Load {
        #[command(flatten)]
        load: LoadArgs,
    }

    fn load(args: &str) -> LoadArgs {
        Load::try_parse_from(["perf"].into_iter().chain(args.split(' ').filter(|arg| !arg.is_empty())))
            .expect("they are options")
            .load
    }

    #[test]
    fn a_ramp_may_stand_without_quotes() {
        let ramp = load("--rate 1k..1M x2 --shards 4");
        assert_eq!(ramp.rates(), Ok(Some("1K..1M x2".parse().expect("a ramp"))));
        assert_eq!(ramp.shards, 4);
        assert_eq!(load("").rates(), Ok(None));
        assert!(load("--rate fast").rates().is_err());
    }

    #[test]
    fn strategies_have_names_of_their_own() {
        let names =
            |args: &str| load(args).instances_of().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(""), ["apple"]);
        assert_eq!(names("--strategies 5"), ["apple", "pear", "apple-2", "pear-2", "apple-3"]);
        assert_eq!(names("--strategies pear,pear"), ["pear", "pear-2"]);
        assert_eq!(names("--strategies apple:fast=500:slow=5000,apple"), ["apple", "apple-2"]);
    }

    #[test]
    fn a_frame_is_as_large_as_its_bytes_allow() {
        assert_eq!(load("--frame-bytes 321K").frame_ticks(), 8211);
        assert_eq!(load("--frame-ticks 1").frame_ticks(), 1);
        assert_eq!(load("--frame-bytes 1").frame_ticks(), 1);
    }
}
