//! What a Parquet file of no known kind might be.

use std::fs::File;

use ::parquet::file::reader::SerializedFileReader;

use super::column::Column;
use super::mapping::with_own_units;
use super::rows::{Rows, header};
use crate::formats::mapped_csv::{self, NoGuess};
use crate::input::Input;
use crate::{ReadError, ReadOptions};

/// The error that says how the file would be read.
///
/// The guess is the one for a CSV: it is shown the first rows as text.
pub(super) fn unknown(
    name: &str,
    file: SerializedFileReader<File>,
    columns: &[Column],
    options: &ReadOptions,
) -> ReadError {
    let mut rows = Rows::new(name, file, columns, |_| true);
    match head(&mut rows, columns) {
        Ok(head) => guessed(name, &head, columns, options),
        Err(error) => error,
    }
}

/// The first rows below the columns' names, as much as is looked at of a text.
fn head(rows: &mut Rows, columns: &[Column]) -> Result<Vec<u8>, ReadError> {
    let mut head = Vec::new();
    let mut line = header(columns);
    loop {
        // A line break within a field would end the line for the guess.
        head.extend(line.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
        head.push(b'\n');
        if head.len() >= Input::HEAD || rows.decoded() == 0 && !rows.decode()? {
            return Ok(head);
        }
        line.clear();
        rows.push_next(&mut line);
    }
}

fn guessed(name: &str, head: &[u8], columns: &[Column], options: &ReadOptions) -> ReadError {
    let file = name.to_owned();
    match mapped_csv::guess(name, head, options) {
        Ok(mut guess) => {
            (guess.mapping, _) = with_own_units(guess.mapping, columns);
            ReadError::UnknownCsv { file, advice: guess.advice(), guess: Box::new(guess) }
        }
        Err(NoGuess::Refused(mut refusal)) => {
            if columns.iter().any(|column| column.values.is_err()) {
                refusal.advice.push_str(&format!("\n  its columns are {}", listed(columns)));
            }
            ReadError::RefusedCsv { file, refusal }
        }
        Err(NoGuess::NoTable) => ReadError::Format {
            file,
            reason: "is Parquet of no kind that is known by itself".to_owned(),
            advice: format!(
                "say which column is what, as in --map 'time=ts:ms,symbol=sym,price=px,size=qty'; it has {}",
                listed(columns)
            ),
        },
    }
}

/// The columns' names, with why one cannot be read.
pub(super) fn listed(columns: &[Column]) -> String {
    const SHOWN: usize = 30;
    const LENGTH: usize = 40;
    let column = |column: &Column| {
        let name: String = column.name.chars().take(LENGTH).collect();
        let unread = if column.values.is_ok() { "" } else { " (not read)" };
        format!("{}{unread}", name.escape_debug())
    };
    let shown: Vec<String> = columns.iter().take(SHOWN).map(column).collect();
    shown.join(", ") + if columns.len() > SHOWN { ", …" } else { "" }
}
