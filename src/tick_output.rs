//! Ticks of any source into one file: what `convert` and `generate` have in common.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use tick_ingest::ReadOptions;
use tick_ingest::feed::{FeedControl, Merged, SourceSpec, TickSelection};
use tick_ingest::outputs::{self, Output, OutputError};

use crate::counts;
use crate::ended::{Ended, UsageError};
use crate::progress_display::ProgressThread;
use crate::replay::Total;
use crate::sources::{files_of, nothing_selected};

mod encode;
mod file;
mod summary;

use encode::{Tally, TickEncoder};
use file::{OutputFile, Unfinished};
use summary::Summary;
pub(crate) use summary::in_parentheses;

/// How the output is written.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// What to write, where the output's name does not say
    #[arg(long, value_name = "ticks|csv", hide_possible_values = true)]
    format: Option<OutputFormat>,
    /// Replace the output if it is already there
    #[arg(long)]
    force: bool,
    /// The summary as one JSON object
    #[arg(long)]
    json: bool,
    /// No progress
    #[arg(long)]
    quiet: bool,
}

/// A format that ticks are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Orchard's tick file: checked, mapped into memory, the fastest to replay
    Ticks,
    /// One line a tick, for everything else
    Csv,
}

impl OutputFormat {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ticks => "ticks",
            Self::Csv => "csv",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        let extension = Path::new(name).extension()?.to_str()?;
        Self::from_str(extension, true).ok()
    }
}

/// Where ticks come from, and which of them are taken.
pub(crate) struct TickInput {
    pub(crate) sources: Vec<SourceSpec>,
    pub(crate) read: ReadOptions,
    pub(crate) selection: TickSelection,
}

/// Writes all ticks of `input`, in order, to the file `output`, or to standard output for `-`, and
/// says what they came to.
///
/// # Errors
/// The command line makes no sense, a source cannot be read, or the output not be written; then no
/// output is left.
pub(crate) fn write_ticks(input: &TickInput, output: &str, args: &OutputArgs) -> Result<Ended> {
    let format = format_of(output, args)?;
    check_output(output, &input.sources, args)?;
    let unfinished = Unfinished::remove_at_interrupt()?;
    let mut merged = Merged::open(&input.sources, &input.read, &input.selection)?;
    let file = match output {
        "-" => OutputFile::stdout(unfinished),
        name => OutputFile::create(Path::new(name), args.force, unfinished)?,
    };
    let started = Instant::now();
    let (bytes, tally) = {
        let control = Arc::new(FeedControl::default());
        let total = Total::of(&input.sources, input.selection.repeats)?;
        let _progress =
            ProgressThread::start(control.clone(), input.read.read_bytes.clone(), total, args.quiet);
        encode(&mut merged, &input.selection, format, file, &control, output)?
    };
    let counts = merged.counts();
    let source_bytes = bytes_of(&input.sources);
    let elapsed = started.elapsed();
    let summary = Summary { name: output.to_owned(), format, bytes, tally, counts, source_bytes, elapsed };
    say(&summary, args)?;
    Ok(Ended::Done)
}

/// Refuses an output that is a source, that is there already, or that could not be written.
fn check_output(output: &str, sources: &[SourceSpec], args: &OutputArgs) -> Result<(), OutputError> {
    if output == "-" {
        return Ok(());
    }
    let sources: Vec<_> = files_of(sources).collect();
    // Its ending was looked at when the format was chosen.
    let output = Output { option: "", path: Path::new(output), endings: &[] };
    outputs::check(&[output], &sources, args.force)
}

fn encode(
    merged: &mut Merged,
    selection: &TickSelection,
    format: OutputFormat,
    file: OutputFile,
    control: &FeedControl,
    output: &str,
) -> Result<(u64, Tally)> {
    let writing =
        || if output == "-" { "writing to standard output".to_owned() } else { format!("writing {output}") };
    let mut encoder = TickEncoder::new(format, file).with_context(writing)?;
    let mut ticks = Vec::new();
    while merged.read(&mut ticks)? {
        encoder.write(&ticks, merged.symbols()).with_context(writing)?;
        control.sent(ticks.len() as u64);
        ticks.clear();
    }
    let (file, tally) = encoder.finish().with_context(writing)?;
    if tally.ticks == 0
        && let Some(reason) = nothing_selected(selection, merged.offered())
    {
        bail!("{reason}; nothing was written");
    }
    Ok((file.finish()?, tally))
}

/// How large the files are on disk; `None` where a source is none.
fn bytes_of(sources: &[SourceSpec]) -> Option<u64> {
    let size = |source: &SourceSpec| match source {
        SourceSpec::File { name, .. } if name != "-" => tick_ingest::sources::packed_bytes(name).ok(),
        _ => None,
    };
    sources.iter().map(size).sum()
}

fn say(summary: &Summary, args: &OutputArgs) -> Result<()> {
    if summary.tally.ticks == 0 && !args.quiet {
        let reason = counts::nothing_but(&summary.counts);
        eprintln!("No tick was written: {}.", reason.as_deref().unwrap_or("the sources have none"));
    }
    let text = if args.json { summary.json() } else { summary.text() };
    match &*summary.name {
        // There the ticks are.
        "-" => eprint!("{text}"),
        _ => crate::stdout::stdout().write_all(text.as_bytes()).context("writing to standard output")?,
    }
    Ok(())
}

fn format_of(output: &str, args: &OutputArgs) -> Result<OutputFormat> {
    args.format.or_else(|| OutputFormat::of_name(output)).ok_or_else(|| {
        let reason = match output {
            "-" => "say what to write to standard output: --format csv or --format ticks".to_owned(),
            _ => format!(
                "{output}: the last name is the output; let it end in .ticks or .csv, or say --format ticks \
                 or --format csv"
            ),
        };
        UsageError(reason).into()
    })
}
