//! What every command that reads files asks: which, how, and which of their ticks.

use std::collections::HashSet;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};
use clap::Args;
use tick_ingest::feed::{self, SelectionError, SourceSpec, TickSelection};
use tick_ingest::formats::mapped_csv::{Mapping, MappingError};
use tick_ingest::formats::time_text::Zone;
use tick_ingest::{BadLines, FileOptions, ReadOptions};
use tick_sdk::quantity::parse_duration_ns;

use crate::duration::{format_time, parse_time_ns};
use crate::ended::UsageError;
use crate::text::{counted, printable};

const MAPPING_HELP: &str = "\
--map KEY=COLUMN,KEY=COLUMN,…: which column is what; COLUMN is its name, or # and its number from 1
  time=COLUMN:UNIT        needed; UNIT is s, ms, us, ns, auto, rfc3339 or a pattern: %F %T%.f
  time=DAY+CLOCK:UNIT     two columns joined by a blank; %Y%m%d+ms: a day, and ms since its midnight
  recv=COLUMN:UNIT        when it was received; the time, where there is no such column
  date=2024-06-01         the day of all rows, where the time is only a time of day
  symbol=COLUMN           else --symbol, or the file's name
  price= size=            a trade; side=COLUMN: who took, buy or sell; side=COLUMN:BUY|SELL:
                          by these texts; maker=COLUMN: whether the buyer was the maker
  bid= bid_size= ask= ask_size=   a quote; empty=unchanged: an empty side is as it was
  price=COLUMN:1e-4       numbers in units of a power of ten; below 1e-9 it is the ticks' unit
  only=COLUMN:A|B         rows with another text there are left out and counted
  delimiter=tab header=no skip=2 comment=# trailer=END ragged=yes decimal=comma thousands=point
  tick-ingest/FORMATS.md has the command for the files of each vendor.";

/// A command's closing words, and what `--map` takes.
pub(crate) fn with_mapping_help(text: &str) -> String {
    format!("{text}\n\n{MAPPING_HELP}")
}

/// Which files, and how they are read.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Sources")]
pub(crate) struct SourceArgs {
    /// Captures in any known format, plain, gzip, zstd or zip; a folder or a quoted pattern, 'dir/*.csv', is
    /// its files; - is standard input
    #[arg(value_name = "FILES")]
    pub(crate) files: Vec<String>,
    /// The symbol of files that do not name one; once for all, or once a file, in their order
    #[arg(long, value_name = "SYMBOL")]
    symbol: Vec<String>,
    /// Put before every symbol; once for all, or once a file, in their order
    #[arg(long, value_name = "TEXT")]
    prefix: Vec<String>,
    /// Columns of CSV of other kinds, as `orchard info FILE` guesses them; once for all files that are not
    /// known by themselves, or once a file, in their order, where none is for one that is
    #[arg(long, value_name = "MAPPING")]
    map: Vec<MapArg>,
    /// Time zone of times that name none, as America/New_York or -05:00; once for all, or once a file; UTC
    /// where it is not given
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    tz: Vec<Zone>,
    /// What to do with a malformed line
    #[arg(long, value_name = "stop|skip", default_value = "stop")]
    on_bad_line: BadLines,
}

/// A mapping, or none for a file that needs none.
#[derive(Clone, Debug)]
struct MapArg(Option<Mapping>);

impl FromStr for MapArg {
    type Err = MappingError;

    fn from_str(text: &str) -> Result<Self, MappingError> {
        if text == "none" { Ok(Self(None)) } else { text.parse().map(|mapping| Self(Some(mapping))) }
    }
}

/// What is read, and how.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    /// Each file, with what is said of it alone.
    pub(crate) specs: Vec<SourceSpec>,
    /// How those are read of which nothing else is said.
    pub(crate) read: ReadOptions,
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
    /// Put ticks that are late by up to this in their place, as 1s or 2d
    #[arg(long, value_name = "TIME", value_parser = parse_duration_ns, default_value = "0s")]
    reorder: u64,
}

impl SourceArgs {
    /// Each file that is named, those of folders, patterns and archives included, and how it is read.
    ///
    /// # Errors
    /// A name stands for no file, or an option is given neither once nor once a file.
    pub(crate) fn sources(&self) -> Result<Sources> {
        let files = self.expand()?;
        let prefix = PerFile::of("--prefix", &self.prefix, &files)?;
        let symbol = PerFile::of("--symbol", &self.symbol, &files)?;
        let map = PerFile::of("--map", &self.map, &files)?;
        let zone = PerFile::of("--tz", &self.tz, &files)?;
        let spec = |(place, file): (usize, &NamedFile)| SourceSpec::File {
            name: file.name.clone(),
            prefix: prefix.of_file(place).or(prefix.of_all()).cloned().unwrap_or_default(),
            own: Box::new(FileOptions {
                symbol: symbol.of_file(place).cloned().filter(|symbol| !symbol.is_empty()),
                mapping: map.of_file(place).and_then(|map| map.0.clone()),
                zone: zone.of_file(place).cloned(),
            }),
        };
        let mapping = map.of_all().and_then(|map| map.0.clone());
        // Who says it of one file alone means that file.
        let (mapping, mapping_of_unknown) = if files.len() == 1 { (mapping, None) } else { (None, mapping) };
        let read = ReadOptions {
            symbol: symbol.of_all().cloned(),
            bad_lines: self.on_bad_line,
            mapping,
            mapping_of_unknown,
            zone: zone.of_all().cloned().unwrap_or_default(),
            ..ReadOptions::default()
        };
        Ok(Sources { specs: files.iter().enumerate().map(spec).collect(), read })
    }

    fn expand(&self) -> Result<Vec<NamedFile>> {
        let mut files = Vec::new();
        for (argument, name) in self.files.iter().enumerate() {
            let names = tick_ingest::sources::expand(name)?;
            files.extend(names.into_iter().map(|name| NamedFile { name, argument }));
        }
        Ok(files)
    }
}

/// A file, and which of the arguments stands for it.
struct NamedFile {
    name: String,
    argument: usize,
}

/// What an option that may be given once a file says of each.
enum PerFile<'a, T> {
    /// Nothing.
    None,
    /// The same of all.
    All(&'a T),
    /// Something of each.
    Each(Vec<&'a T>),
}

impl<'a, T> PerFile<'a, T> {
    /// Given once it is for all; given as often as files are named, each is for those that one name stands for;
    /// and else once a file.
    fn of(option: &str, values: &'a [T], files: &[NamedFile]) -> Result<Self, UsageError> {
        let named = files.last().map_or(0, |file| file.argument + 1);
        match values {
            [] => Ok(Self::None),
            [value] => Ok(Self::All(value)),
            _ if values.len() == named => {
                Ok(Self::Each(files.iter().map(|file| &values[file.argument]).collect()))
            }
            _ if values.len() == files.len() => Ok(Self::Each(values.iter().collect())),
            _ => {
                let (values, count) = (values.len(), counted(named as u64, "file"));
                let files = match files.len() {
                    files if files == named => String::new(),
                    files => format!(", which stand for {files}"),
                };
                Err(UsageError(format!(
                    "{values} {option} for {count}{files}: give it once for all, or once a file, in their order"
                )))
            }
        }
    }

    fn of_all(&self) -> Option<&'a T> {
        if let Self::All(value) = self { Some(value) } else { None }
    }

    fn of_file(&self, place: usize) -> Option<&'a T> {
        if let Self::Each(values) = self { values.get(place).copied() } else { None }
    }
}

impl SelectionArgs {
    /// What is taken of these sources.
    pub(crate) fn selection(&self, sources: &[SourceSpec]) -> Result<TickSelection> {
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
        feed::check(sources, &selection).map_err(usage)?;
        Ok(selection)
    }
}

/// The files on disk that sources are in.
pub(crate) fn files_of(sources: &[SourceSpec]) -> impl Iterator<Item = &Path> {
    sources.iter().filter_map(|source| match source {
        SourceSpec::File { name, .. } if name != "-" => Some(tick_ingest::sources::file_of(name)),
        _ => None,
    })
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
