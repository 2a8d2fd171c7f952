//! Which CSV a file is, by its header, its first line, or a mapping.

use super::binance_csv;
use super::databento_csv;
use super::mapped_csv::{self, MappedCsv, Mapping, NoGuess};
use super::orchard_csv::{self, OrchardCsv};
use super::tardis_csv::{self, Tardis};
use crate::lines::TextFormat;
use crate::symbol_in_name::symbol_in_name;
use crate::{Format, ReadError, ReadOptions};

pub(crate) mod absent;
pub(crate) mod fields;
pub(crate) mod header;
pub(crate) mod limits;
pub(crate) mod row;

use header::Header;

/// The format of the CSV `name` that begins with `head`, and the parser of its lines, header line
/// included; `None` where it is not a CSV.
///
/// A mapping in `options` decides, unless it is for unknown files only; else the known formats are known by their
/// first line.
///
/// # Errors
/// A CSV of no known format, with the `--map` that would probably read it; a mapping that does not
/// fit; a file whose symbol is named nowhere.
pub fn detect(name: &str, head: &[u8], options: &ReadOptions) -> Result<Option<TextFormat>, ReadError> {
    if let Some(mapping) = &options.mapping {
        return mapped(name, head, mapping, options).map(Some);
    }
    let first = header::first_lines(head).next();
    let Some(first) = first.filter(|line| is_text(line)) else { return Ok(None) };
    if first == orchard_csv::HEADER.as_bytes() {
        return Ok(Some((Format::OrchardCsv, Box::new(OrchardCsv::new()))));
    }
    let header = Header::cut(first, b',');
    match tardis_csv::detect(&header) {
        Tardis::Read(..) if name.to_ascii_lowercase().contains("liquidations") => {
            return Err(other_tardis(name));
        }
        Tardis::Read(format, parser) => return Ok(Some((format, parser))),
        Tardis::OtherSchema => return Err(other_tardis(name)),
        Tardis::No => {}
    }
    if let Some(found) = databento_csv::detect(name, head)? {
        return Ok(Some(found));
    }
    if let Some(found) = binance_csv::detect(name, &header, options)? {
        return Ok(Some(found));
    }
    if let Some(mapping) = &options.mapping_of_unknown {
        return mapped(name, head, mapping, options).map(Some);
    }
    unknown(name, head, options).map_or(Ok(None), Err)
}

fn mapped(
    name: &str,
    head: &[u8],
    mapping: &Mapping,
    options: &ReadOptions,
) -> Result<TextFormat, ReadError> {
    let first = mapped_csv::first_line(head, &mapping.layout).ok_or_else(|| no_line(name))?;
    let symbol = options.symbol.clone().or_else(|| symbol_of_name(name, Format::MappedCsv, options));
    let options = ReadOptions { symbol, ..options.clone() };
    let parser = MappedCsv::new(name, first, mapping, &options)
        .map_err(|error| mapped_csv::advise_skip(error, name, head, mapping, &options))?;
    Ok((Format::MappedCsv, Box::new(parser)))
}

/// The symbol that the name of a file of this format says, where nothing else says one.
pub(crate) fn symbol_of_name(name: &str, format: Format, options: &ReadOptions) -> Option<String> {
    let is_asked = match format {
        Format::MappedCsv => {
            let mapping = options.mapping.as_ref().or(options.mapping_of_unknown.as_ref());
            mapping.is_some_and(|mapping| mapping.symbol.is_none())
        }
        // As Binance names its files, there is no doubt of their symbol.
        Format::BinanceTrades | Format::BinanceAggTrades | Format::BinanceBookTicker => {
            binance_csv::kind_in_name(name).is_none()
        }
        _ => false,
    };
    if is_asked && options.symbol.is_none() { symbol_in_name(name) } else { None }
}

/// What to say about a table that only a mapping can read, or that is not known to hold ticks; `None` where
/// it looks like no table at all.
fn unknown(name: &str, head: &[u8], options: &ReadOptions) -> Option<ReadError> {
    let file = name.to_owned();
    match mapped_csv::guess(name, head, options) {
        Ok(guess) => Some(ReadError::UnknownCsv { file, advice: guess.advice(), guess: Box::new(guess) }),
        Err(NoGuess::Refused(refusal)) => Some(ReadError::RefusedCsv { file, refusal }),
        Err(NoGuess::NoTable) => None,
    }
}

/// A first line that begins as JSON does, or has control characters, is not a CSV's.
fn is_text(line: &[u8]) -> bool {
    !line.starts_with(b"{")
        && !line.starts_with(b"[")
        && !line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t')
}

fn no_line(name: &str) -> ReadError {
    ReadError::Format {
        file: name.to_owned(),
        reason: "has no line at its start that --map does not pass over".to_owned(),
        advice: "give a file that has at least one line behind those of skip=, comment= and trailer="
            .to_owned(),
    }
}

fn other_tardis(name: &str) -> ReadError {
    ReadError::Format {
        file: name.to_owned(),
        reason: "is a Tardis CSV that holds neither trades nor quotes".to_owned(),
        advice: "of Tardis' files, trades and quotes are read; others by --map, if their rows are trades or quotes".to_owned(),
    }
}
