//! `orchard generate`: a seeded market as a file of ticks.

use anyhow::Result;
use clap::Args;
use tick_ingest::ReadOptions;
use tick_ingest::feed::{SourceSpec, TickSelection};
use tick_ingest::generate::GenerateOptions;
use tick_sdk::quantity::{count_within, parse_count, parse_duration_ns};

use crate::ended::{Ended, UsageError};
use crate::tick_output::{OutputArgs, TickInput, write_ticks};

/// Options of `orchard generate`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct GenerateArgs {
    /// The file to write; - is standard output
    #[arg(value_name = "OUT.ticks|OUT.csv|-")]
    out: String,
    #[command(flatten)]
    market: MarketArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What the market is like.
#[derive(Debug, Args)]
#[command(next_help_heading = "Market")]
struct MarketArgs {
    /// How many ticks, as 500K, 100M or 2G; the last quote may add one
    #[arg(long, value_name = "N", default_value = "1M", value_parser = parse_count)]
    ticks: u64,
    /// How many instruments: S00000, which is the busiest, and on
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = count_within::<u32>(1..=1_000_000))]
    instruments: u32,
    /// Instrument i has a share of the events proportional to 1/i^SKEW; 0 is even
    #[arg(long, value_name = "SKEW", default_value = "1.0", value_parser = parse_skew)]
    skew: f64,
    /// The mean time between events
    #[arg(long, value_name = "TIME", default_value = "2ms", value_parser = parse_duration_ns)]
    mean_gap: u64,
    /// Another seed is another market; the same one gives the same file
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

const AFTER_HELP: &str = "\
Random walks of bid and ask, with trades at them: one event in five is a trade.

Examples:
  orchard generate market.ticks
  orchard generate big.ticks --ticks 100M --instruments 64 --skew 1.0 --seed 1
  orchard generate - --format csv --ticks 1K | head";

pub(crate) fn run(args: GenerateArgs) -> Result<Ended> {
    let options = args.market.options()?;
    let input = TickInput {
        sources: vec![SourceSpec::Generated(options)],
        read: ReadOptions::default(),
        selection: TickSelection::default(),
    };
    write_ticks(&input, &args.out, &args.output)
}

impl MarketArgs {
    fn options(&self) -> Result<GenerateOptions> {
        // A tick's time ends in 2554; the market begins in 2024 and lasts as long as its gaps.
        const LONGEST_NS: u128 = 500 * 365 * 86_400 * 1_000_000_000;
        // Each event has at least one tick, and each gap is below twice the mean.
        if u128::from(self.ticks) * u128::from(self.mean_gap) * 2 > LONGEST_NS {
            let reason = "so many ticks with such a --mean-gap would last longer than 500 years: lower one";
            return Err(UsageError(reason.to_owned()).into());
        }
        Ok(GenerateOptions {
            ticks: self.ticks,
            instruments: self.instruments,
            skew: self.skew,
            seed: self.seed,
            mean_gap_ns: self.mean_gap,
        })
    }
}

pub(crate) fn parse_skew(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(skew) if (0.0..=100.0).contains(&skew) => Ok(skew),
        _ => Err("write a number from 0 to 100".to_owned()),
    }
}
