//! Which CSV a file is, by its header, its first line, or a mapping.

use super::binance_csv;
use super::mapped_csv::{self, MappedCsv};
use super::orchard_csv::{self, OrchardCsv};
use super::tardis_csv::{self, Tardis};
use crate::lines::TextFormat;
use crate::{Format, ReadError, ReadOptions};

pub(crate) mod fields;
pub(crate) mod header;
pub(crate) mod limits;
pub(crate) mod row;

use header::Header;

/// The format of the CSV `name` that begins with `head`, and the parser of its lines, header line
/// included; `None` where it is not a CSV.
///
/// A mapping in `options` decides; without one the known formats are known by their first line.
///
/// # Errors
/// A CSV of no known format, with the `--map` that would probably read it; a mapping that does not
/// fit; a file whose symbol is named nowhere.
pub fn detect(name: &str, head: &[u8], options: &ReadOptions) -> Result<Option<TextFormat>, ReadError> {
    let first = header::first_lines(head).next();
    if let Some(mapping) = &options.mapping {
        let first = first.ok_or_else(|| empty(name))?;
        let parser = MappedCsv::new(name, first, mapping, options)?;
        return Ok(Some((Format::MappedCsv, Box::new(parser))));
    }
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
    if let Some(found) = binance_csv::detect(name, &header, options)? {
        return Ok(Some(found));
    }
    unknown(name, head, options).map_or(Ok(None), Err)
}

/// What to say about a CSV that only a mapping can read; `None` where it looks like no CSV at all.
fn unknown(name: &str, head: &[u8], options: &ReadOptions) -> Option<ReadError> {
    let file = name.to_owned();
    if let Some(guess) = mapped_csv::guess(name, head, options) {
        let notes: String = guess.notes.iter().map(|note| format!("\n  {note}")).collect();
        let mapping = quote_for_shell(&guess.mapping.to_string());
        let advice = format!("probably this reads it: --map {mapping}{notes}");
        return Some(ReadError::UnknownCsv { file, guess: Box::new(guess), advice });
    }
    is_table(head).then(|| ReadError::Format {
        file,
        reason: "is a CSV of no kind that is known by itself".to_owned(),
        advice: "say which column is what, as in --map \
                 'time=ts:ms,symbol=sym,price=px,size=qty,side=aggressor'"
            .to_owned(),
    })
}

/// `'text'` as a shell reads it back.
fn quote_for_shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A first line that begins as JSON does, or has control characters, is not a CSV's.
fn is_text(line: &[u8]) -> bool {
    !line.starts_with(b"{")
        && !line.starts_with(b"[")
        && !line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t')
}

/// Whether the first lines all have the same number of columns, and more than one.
fn is_table(head: &[u8]) -> bool {
    let lines: Vec<&[u8]> = header::first_lines(head).take(20).collect();
    b",;\t|".iter().any(|delimiter| {
        let mut counts = lines.iter().map(|line| Header::cut(line, *delimiter).names.len());
        counts.next().is_some_and(|first| first > 1 && lines.len() > 1 && counts.all(|count| count == first))
    })
}

fn empty(name: &str) -> ReadError {
    ReadError::Format {
        file: name.to_owned(),
        reason: "is empty".to_owned(),
        advice: "give a file that has at least one line".to_owned(),
    }
}

fn other_tardis(name: &str) -> ReadError {
    ReadError::Format {
        file: name.to_owned(),
        reason: "is a Tardis CSV that holds neither trades nor quotes".to_owned(),
        advice: "of Tardis' files, trades and quotes are read; others by --map, if their rows are trades or quotes".to_owned(),
    }
}
