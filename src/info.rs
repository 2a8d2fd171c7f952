//! `orchard info`: what is in a file, and how to read it.

use std::io::Write;

use anyhow::{Context, Result, bail};
use clap::Args;
use tick_ingest::feed::SourceSpec;
use tick_ingest::formats::mapped_csv::Guess;
use tick_ingest::{ReadError, ReadOptions};
use tick_sdk::quantity::count_within;

use crate::ended::{Ended, UsageError};
use crate::sources::{SourceArgs, Sources, with_mapping_help};
use crate::stdout::stdout;
use crate::text::quote_for_shell;

mod json;
mod show;
pub(crate) mod survey;

use survey::{Guessed, Survey};

/// Options of `orchard info`.
#[derive(Debug, Args)]
#[command(after_help = with_mapping_help(AFTER_HELP), mut_arg("on_bad_line", |arg| arg.default_value("skip")))]
pub(crate) struct InfoArgs {
    /// How many of the first ticks to show
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = count_within::<u32>(0..=1_000_000))]
    ticks: u32,
    /// Show every instrument, not only the first 20
    #[arg(long)]
    all: bool,
    /// One JSON object a file, on one line; it always has every instrument
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sources: SourceArgs,
}

const AFTER_HELP: &str = "\
Each file is read to its end. Malformed lines are counted, and the first are shown. For a CSV of no
kind that is known by itself the columns are guessed, and the command line that reads it is shown.

Examples:
  orchard info capture.gz
  orchard info *.csv.gz --ticks 0
  orchard info prices.csv --map 'time=ts:ms,symbol=sym,price=px,size=qty' --ticks 20
  orchard info capture.gz --json | jq .ticks";

pub(crate) fn run(args: InfoArgs) -> Result<Ended> {
    let Sources { specs, read } = args.sources.sources()?;
    if specs.is_empty() {
        return Err(UsageError("name at least one file: orchard info capture.gz".to_owned()).into());
    }
    let mut failed = 0;
    let mut shown = false;
    for spec in &specs {
        let SourceSpec::File { name, prefix, own } = spec else { continue };
        let (text, error) = describe(name, prefix, own.over(&read), &args);
        // Files stand apart; JSON is one line each.
        let gap = if shown && !text.is_empty() && !args.json { "\n" } else { "" };
        write!(stdout(), "{gap}{text}").context("writing to standard output")?;
        shown |= !text.is_empty();
        match error {
            None => {}
            Some(error) if specs.len() == 1 => return Err(error.into()),
            Some(error) => {
                eprintln!("error: {error}");
                failed += 1;
            }
        }
    }
    match failed {
        0 => Ok(Ended::Done),
        failed => bail!("{failed} of {} files cannot be read to their end", specs.len()),
    }
}

/// What can be said of a file, and what stopped its reading.
fn describe(name: &str, prefix: &str, options: ReadOptions, args: &InfoArgs) -> (String, Option<ReadError>) {
    let survey = match Survey::read(name, prefix, &options, args.ticks as usize) {
        // Standard input cannot be read once more; its error has the mapping, too.
        Err(ReadError::UnknownCsv { guess, .. }) if name != "-" => {
            by_guess(name, prefix, options, *guess, args.ticks as usize)
        }
        survey => survey,
    };
    match survey {
        Ok(mut survey) => {
            let error = survey.stopped_by.take();
            let text = if args.json {
                json::survey(&survey, error.as_ref())
            } else {
                show::survey(&survey, args.all)
            };
            (text, error)
        }
        Err(error) if args.json => (json::unreadable(name, &error), Some(error)),
        Err(ReadError::RefusedCsv { file, refusal }) => {
            (show::refused(&file, &refusal), Some(ReadError::RefusedCsv { file, refusal }))
        }
        Err(error) => (String::new(), Some(error)),
    }
}

/// Reads a table as its first lines suggest.
fn by_guess(
    name: &str,
    prefix: &str,
    mut options: ReadOptions,
    mut guess: Guess,
    first: usize,
) -> Result<Survey, ReadError> {
    const NO_SYMBOL: &str = "SYMBOL";
    let mut command = format!("orchard replay {}", quote_for_shell(name));
    let mut option = |name: &str, value: &str| {
        command.push_str(&format!(" --{name} {}", quote_for_shell(value)));
    };
    if guess.mapping.symbol.is_none() {
        let of_file = guess.symbol.clone();
        let symbol = options.symbol.get_or_insert_with(|| of_file.unwrap_or_else(|| NO_SYMBOL.to_owned()));
        option("symbol", symbol);
    }
    if !prefix.is_empty() {
        option("prefix", prefix);
    }
    if let Some(zone) = guess.zone.as_ref().and_then(|zone| zone.parse().ok())
        && !options.zone.is_given()
    {
        options.zone = zone;
    }
    if options.zone.is_given() {
        option("tz", &options.zone.to_string());
    }
    option("map", &guess.mapping.to_string());
    options.mapping = Some(guess.mapping.clone());
    let survey = Survey::read(name, prefix, &options, first)?;
    if let Some(late) = &survey.late {
        option("reorder", &late.window());
    }
    // The reader has said some of it as well.
    guess.notes.retain(|note| !survey.counts.notes.contains(note));
    Ok(Survey { guess: Some(Guessed { guess, command }), ..survey })
}
