//! The options of `orchard replay`.

use std::path::PathBuf;

use clap::Args;
use strategy_host::paper::{BasisPoints, Capital, Fill, PaperRules};
use tick_ingest::feed::{Pace, Speed};
use tick_sdk::quantity::{count_within, parse_count, parse_duration_ns, parse_rate};

use crate::sources::{SelectionArgs, SourceArgs, with_mapping_help};

/// Options of `orchard replay`.
#[derive(Debug, Args)]
#[command(after_help = with_mapping_help(AFTER_HELP))]
pub(crate) struct ReplayArgs {
    /// Strategies, with parameters after a colon; repeat for several
    #[arg(
        long,
        value_name = "[NAME=]STRATEGY[:PARAM=VALUE,…]",
        default_value = "apple,pear",
        help_heading = "Strategies"
    )]
    pub(super) strategy: Vec<String>,
    /// Groups of instruments for strategies that trade them together, one `NAME = A B` a line
    #[arg(long, value_name = "FILE", help_heading = "Strategies")]
    pub(super) groups: Option<PathBuf>,
    /// Write every signal: OUT.csv, OUT.jsonl, or - to stream CSV to standard output
    #[arg(long, value_name = "OUT", help_heading = "Results")]
    pub(super) signals: Option<String>,
    /// Write every closed round trip: OUT.csv
    #[arg(long, value_name = "OUT.csv", help_heading = "Results")]
    pub(super) trades: Option<PathBuf>,
    /// Write a page with charts, accounts and timings
    #[arg(long, value_name = "OUT.html", help_heading = "Results")]
    pub(super) report: Option<PathBuf>,
    /// Replace --signals, --trades and --report if they are already there
    #[arg(long, help_heading = "Results")]
    pub(super) force: bool,
    /// The summary as one JSON object
    #[arg(long, help_heading = "Results")]
    pub(super) json: bool,
    /// No progress, and no summary beside streamed signals
    #[arg(long, help_heading = "Results")]
    pub(super) quiet: bool,
    /// Keep the ledger here, so that an interrupted run is resumed by the same command
    #[arg(long, value_name = "DIR", help_heading = "Results")]
    pub(super) state: Option<PathBuf>,
    #[command(flatten)]
    pub(super) sources: SourceArgs,
    #[command(flatten)]
    pub(super) selection: SelectionArgs,
    #[command(flatten)]
    pub(super) clock: ClockArgs,
    #[command(flatten)]
    pub(super) account: AccountArgs,
    #[command(flatten)]
    pub(super) market: GeneratedArgs,
    /// Shards to split instruments over; the signals do not depend on it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Machine")]
    pub(super) shards: u16,
    /// Ticks a frame, at most; the signals do not depend on it
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = count_within::<u32>(1..=65_536), help_heading = "Machine")]
    pub(super) frame_ticks: u32,
    /// Threads that run strategies [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Machine")]
    pub(super) threads: Option<u16>,
}

const AFTER_HELP: &str = "\
Examples:
  orchard replay capture.gz
  orchard replay capture.gz --signals out.csv --trades trades.csv --report out.html
  orchard replay 'BTCUSDT-trades-2024-*.zip'       every file of such a name, and so a folder
  orchard replay day1.gz day2.gz --strategy fast=apple:fast=8,slow=20 --strategy apple,pear
  orchard replay capture.gz --state run1           resumes where it was, after Ctrl-C or kill -9
  orchard replay capture.gz --speed 10x --signals - | head
  zcat capture.gz | orchard replay -
  orchard replay --ticks 10M --instruments 100        a generated market

Signals have the columns run, strategy, instrument, shard, seq, ts_event (ns since 1970), side
(buy, sell or flat: the wanted position) and price. Round trips have run, strategy, instrument,
side (buy: it was long), opened_at_ns, closed_at_ns (receive times, ns since 1970), entry, exit, fees
and profit (after slippage and fees). FIGURES.md defines every figure of the summary.";

/// The replay's clock.
#[derive(Debug, Args)]
#[command(next_help_heading = "Clock")]
pub(crate) struct ClockArgs {
    /// max, or so many times as fast as received: 1x, 10x, 0.5x
    #[arg(long, default_value = "max")]
    pub(super) speed: Speed,
    /// Ticks a second, as 5000, 40K or 1.5M, whatever their times
    #[arg(long, value_name = "N", conflicts_with = "speed", value_parser = parse_rate)]
    pub(super) rate: Option<f64>,
    /// Shorten longer pauses to this, as 5s
    #[arg(long, value_name = "TIME", value_parser = parse_duration_ns)]
    pub(super) max_gap: Option<u64>,
}

/// The paper account.
#[derive(Debug, Args)]
#[command(next_help_heading = "Paper account")]
pub(super) struct AccountArgs {
    /// Fill at the signal's price, or across the book: buy at the ask, sell at the bid
    #[arg(long, value_name = "signal|cross", default_value = "signal", value_parser = parse_fill)]
    pub(super) fill: Fill,
    /// How much worse than that, in basis points
    #[arg(long, value_name = "BP", default_value = "0", allow_negative_numbers = true)]
    pub(super) slippage: BasisPoints,
    /// The cost of each fill, in basis points of its price
    #[arg(long, value_name = "BP", default_value = "0", allow_negative_numbers = true)]
    pub(super) fee: BasisPoints,
    /// What percentages are of, in the quote unit [default: the first price of each instrument traded, summed]
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    pub(super) capital: Option<Capital>,
}

/// The generated market, which is played when there are no files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Generated market, without files")]
pub(crate) struct GeneratedArgs {
    /// How many ticks, as 500K, 100M or 2G
    #[arg(long, value_name = "N", default_value = "1M", value_parser = parse_count, conflicts_with = "files")]
    pub(super) ticks: u64,
    /// How many instruments
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = count_within::<u32>(1..=1_000_000), conflicts_with = "files")]
    pub(super) instruments: u32,
    /// Another seed is another market
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "files")]
    pub(super) seed: u64,
}

impl ClockArgs {
    pub(crate) fn pace(&self) -> Pace {
        Pace { speed: self.rate.map_or(self.speed, Speed::Rate), max_gap_ns: self.max_gap }
    }
}

fn parse_fill(text: &str) -> Result<Fill, String> {
    [Fill::Signal, Fill::Cross]
        .into_iter()
        .find(|fill| fill.name() == text)
        .ok_or_else(|| "write signal or cross".to_owned())
}

impl ReplayArgs {
    pub(super) fn rules(&self) -> PaperRules {
        PaperRules { fill: self.account.fill, slippage_bp: self.account.slippage, fee_bp: self.account.fee }
    }
}
