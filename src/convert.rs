//! `orchard convert`: sources as one file of ticks.

use anyhow::Result;
use clap::Args;

use crate::ended::{Ended, UsageError};
use crate::sources::{SelectionArgs, SourceArgs, Sources, with_mapping_help};
use crate::tick_output::{OutputArgs, TickInput, write_ticks};

/// Options of `orchard convert`.
#[derive(Debug, Args)]
#[command(override_usage = "orchard convert [OPTIONS] <FILES>... <OUT.ticks|OUT.csv|->", after_help = with_mapping_help(AFTER_HELP))]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    sources: SourceArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

const AFTER_HELP: &str = "\
The last name is the output. It is written beside its place and gets its name when it is whole, so
that an interrupted convert leaves nothing behind. From .ticks to .csv and back nothing is lost.

Examples:
  orchard convert capture.gz capture.ticks                 what replays fastest
  orchard convert day1.gz day2.gz both.ticks               merged in order of receipt
  orchard convert capture.gz btc.csv --symbols BTCUSDT --from 2024-08-08 --to 2024-08-09
  orchard convert spot.gz futures.gz all.ticks --prefix spot: --prefix usdm:
  orchard convert '2024/*.csv.gz' year.ticks               all files of such a name
  orchard convert capture.ticks - --format csv | head";

pub(crate) fn run(mut args: ConvertArgs) -> Result<Ended> {
    let output = args.sources.files.pop();
    let Some(output) = output.filter(|_| !args.sources.files.is_empty()) else {
        let reason = "name at least one source, and then the output: orchard convert capture.gz out.ticks";
        return Err(UsageError(reason.to_owned()).into());
    };
    let Sources { specs, read } = args.sources.sources()?;
    let selection = args.selection.selection(&specs)?;
    let input = TickInput { sources: specs, read, selection };
    write_ticks(&input, &output, &args.output)
}
