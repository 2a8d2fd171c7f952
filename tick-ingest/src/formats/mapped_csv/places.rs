//! Finds the columns that a mapping names.

use super::mapping::{Column, Mapping, TableLayout};
use super::reader::MappedCsv;
use crate::formats::csv::header::{Header, first_lines};
use crate::{ReadError, ReadOptions};

/// The first line that is not passed over, of a file that begins with `head`: the header or a row.
pub(crate) fn first_line<'a>(head: &'a [u8], layout: &TableLayout) -> Option<&'a [u8]> {
    let mut rest = head;
    for _ in 0..layout.skip {
        rest = &rest[memchr::memchr(b'\n', rest)? + 1..];
    }
    first_lines(rest).find(|line| layout.mark_of(line).is_none())
}

/// Adds to an error over columns that are not there which line would have them.
#[cold]
pub(crate) fn advise_skip(
    error: ReadError,
    name: &str,
    head: &[u8],
    mapping: &Mapping,
    options: &ReadOptions,
) -> ReadError {
    const LINES: usize = 100;
    let ReadError::Format { file, reason, mut advice } = error else { return error };
    let lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let has_all = |line: &[u8]| MappedCsv::new(name, line, mapping, options).is_ok();
    let skip = lines.take(LINES).position(has_all);
    if let (Some(skip), true) = (skip, mapping.layout.header) {
        advice += &format!("\n  line {} has all of them: add skip={skip} to --map", skip + 1);
    }
    ReadError::Format { file, reason, advice }
}

impl TableLayout {
    /// What a line is that is passed over because of its beginning.
    pub(super) fn mark_of(&self, line: &[u8]) -> Option<&'static str> {
        let begins =
            |mark: &Option<String>| mark.as_ref().is_some_and(|mark| line.starts_with(mark.as_bytes()));
        if begins(&self.comment) {
            Some("comment")
        } else if begins(&self.trailer) {
            Some("trailer")
        } else {
            None
        }
    }
}

/// Where `column` is in the file `file`, counted from 0.
///
/// # Errors
/// There is no such column, or its name is that of several.
pub(super) fn place(
    file: &str,
    column: &Column,
    header: &Header,
    has_header: bool,
) -> Result<usize, ReadError> {
    let wrong = |reason: String| ReadError::Format {
        file: file.to_owned(),
        reason,
        advice: format!("--map can name these columns: {}", listed(header, has_header)),
    };
    match column {
        Column::Number(number) if (1..=header.names.len()).contains(number) => Ok(number - 1),
        Column::Number(number) => Err(wrong(format!(
            "its first line has {} columns, and --map names #{number}",
            header.names.len()
        ))),
        Column::Name(name) if !has_header => {
            Err(wrong(format!("--map names column {name} and says that there is no header")))
        }
        Column::Name(name) => {
            let mut places = (0..header.names.len()).filter(|i| header.names[*i] == *name);
            let place = places.next().ok_or_else(|| wrong(format!("its header has no column {name}")))?;
            if places.next().is_some() {
                return Err(wrong(format!("its header has column {name} more than once: give its number")));
            }
            Ok(place)
        }
    }
}

fn listed(header: &Header, has_header: bool) -> String {
    const SHOWN: usize = 30;
    const LENGTH: usize = 40;
    let column = |(i, name): (usize, &String)| {
        let number = i + 1;
        if !has_header {
            return format!("#{number}");
        }
        format!("#{number} {}", name.chars().take(LENGTH).collect::<String>().escape_debug())
    };
    let shown: Vec<String> = header.names.iter().enumerate().take(SHOWN).map(column).collect();
    shown.join(", ") + if header.names.len() > SHOWN { ", …" } else { "" }
}

pub(super) fn no_symbol(file: &str) -> ReadError {
    ReadError::Format {
        file: file.to_owned(),
        reason: "no column of --map is the symbol".to_owned(),
        advice: "name one with symbol=COLUMN in --map, or give the file's symbol with --symbol".to_owned(),
    }
}
