//! What every command that reads files asks: which, how, and which of their ticks.

use std::collections::HashSet;

use anyhow::{Context, Result};
use clap::Args;
use tick_ingest::feed::{self, SelectionError, SourceSpec, TickSelection};
use tick_ingest::formats::mapped_csv::Mapping;
use tick_ingest::{BadLines, ReadOptions};
use tick_sdk::quantity::parse_duration_ns;

use crate::duration::{format_time, parse_time_ns};
use crate::ended::UsageError;
use crate::text::printable;

/// Which files, and how they are read.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Sources")]
pub(crate) struct SourceArgs {
    /// Captures in any known format, plain, gzip or zstd; - is standard input
    #[arg(value_name = "FILES")]
    pub(crate) files: Vec<String>,
    /// The symbol of files that do not name one in their lines
    #[arg(long)]
    symbol: Option<String>,
    /// Put before every symbol of a file; once a file, in the files' order
    #[arg(long, value_name = "TEXT")]
    prefix: Vec<String>,
    /// Columns of a CSV of another kind, as `orchard info FILE` guesses them
    #[arg(long, value_name = "MAPPING")]
    map: Option<Mapping>,
    /// What to do with a malformed line
    #[arg(long, value_name = "stop|skip", default_value = "stop", value_parser = parse_bad_lines)]
    on_bad_line: BadLines,
}

/// Which of the ticks, and in which order.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Which ticks")]
pub(crate) struct SelectionArgs {
    /// Only these symbols, with their prefixes
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    pub(crate) symbols: Vec<String>,
    /// Only ticks received at this time or later, as 2024-08-08T23:54:18Z
    #[arg(long, value_name = "TIME", value_parser = parse_time_ns)]
    from: Option<u64>,
    /// Only ticks received before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time_ns)]
    to: Option<u64>,
    /// Play the files so many times, with times that go on
    #[arg(long = "loop", value_name = "K", default_value_t = 1)]
    repeats: u64,
    /// Put ticks that are late by up to this in their place, as 1s
    #[arg(long, value_name = "TIME", value_parser = parse_duration_ns, default_value = "0s")]
    reorder: u64,
}

fn parse_bad_lines(text: &str) -> Result<BadLines, String> {
    match text {
        "stop" => Ok(BadLines::Stop),
        "skip" => Ok(BadLines::Skip),
        _ => Err("write stop or skip".to_owned()),
    }
}

impl SourceArgs {
    /// Each file with its prefix.
    ///
    /// # Errors
    /// There are more or fewer prefixes than files.
    pub(crate) fn specs(&self) -> Result<Vec<SourceSpec>> {
        if !self.prefix.is_empty() && self.prefix.len() != self.files.len() {
            let (prefixes, files) = (self.prefix.len(), self.files.len());
            let reason = format!("{prefixes} --prefix for {files} files: give one a file, in their order");
            return Err(UsageError(reason).into());
        }
        let prefix = |place| self.prefix.get(place).cloned().unwrap_or_default();
        let spec =
            |(place, name): (usize, &String)| SourceSpec::File { name: name.clone(), prefix: prefix(place) };
        Ok(self.files.iter().enumerate().map(spec).collect())
    }

    /// How each file is read.
    pub(crate) fn read_options(&self) -> ReadOptions {
        ReadOptions {
            symbol: self.symbol.clone(),
            bad_lines: self.on_bad_line,
            mapping: self.map.clone(),
            ..ReadOptions::default()
        }
    }
}

impl SelectionArgs {
    /// What is taken of these sources.
    pub(crate) fn selection(&self, sources: &SourceArgs) -> Result<TickSelection> {
        if self.repeats == 0 {
            return Err(UsageError("--loop 0 plays nothing: give at least 1".to_owned()).into());
        }
        let symbols =
            (!self.symbols.is_empty()).then(|| self.symbols.iter().cloned().collect::<HashSet<_>>());
        let selection = TickSelection {
            symbols,
            from: self.from,
            to: self.to,
            repeats: self.repeats,
            reorder_ns: self.reorder,
        };
        feed::check(&sources.specs()?, &selection).map_err(usage)?;
        Ok(selection)
    }
}

fn usage(error: SelectionError) -> UsageError {
    match error {
        SelectionError::EmptySpan { from, to } => UsageError(format!(
            "--from {} is not before --to {}: no tick can be between them",
            format_time(from),
            format_time(to)
        )),
        error => UsageError(error.to_string()),
    }
}

/// Why no tick was left, where a selection left none; `None` where nothing was selected, so that the
/// sources hold none. `offered` are the first and last times that were read.
pub(crate) fn nothing_selected(selection: &TickSelection, offered: Option<(u64, u64)>) -> Option<String> {
    let TickSelection { symbols, from, to, .. } = selection;
    if let (None, Some(symbols)) = (offered, symbols) {
        let mut symbols: Vec<_> = symbols.iter().map(|symbol| printable(symbol)).collect();
        symbols.sort();
        let symbols = symbols.join(",");
        return Some(format!("no tick of --symbols {symbols}; `orchard info FILE` lists a file's symbols"));
    }
    let (first, last) = offered.filter(|_| from.is_some() || to.is_some())?;
    // Sources are not read beyond --to.
    let end = if to.is_some_and(|to| to <= last) { "later".to_owned() } else { format_time(last) };
    Some(format!(
        "no tick is within --from and --to: the sources' ticks are from {} to {end} UTC",
        format_time(first)
    ))
}

/// Calls `stop` at Ctrl-C or SIGTERM; a second one ends the process at once.
pub(crate) fn on_interrupt(stop: impl Fn() + Send + 'static) -> Result<()> {
    let mut before = false;
    ctrlc::set_handler(move || {
        if std::mem::replace(&mut before, true) {
            std::process::exit(130);
        }
        stop();
    })
    .context("watching for Ctrl-C")
}
