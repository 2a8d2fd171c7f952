//! The rows of a file, one row group after the other, as lines of text.

use std::fs::File;
use std::panic::{self, AssertUnwindSafe};

use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::reader::{FileReader, SerializedFileReader};

use super::cell::Cells;
use super::column::{Column, Leaf};
use super::text::push_text;
use crate::ReadError;

/// Rows that are decoded at once.
///
/// With a page of each wanted column (usually 1 MiB, by the format's own limit 2 GiB) they bound the
/// memory of one source.
const ROWS: usize = 1024;

/// Turns the rows of a file into lines of text.
pub(super) struct Rows {
    name: String,
    file: SerializedFileReader<File>,
    /// The table's columns, with where their values are, if those are wanted.
    columns: Vec<(String, Option<Leaf>)>,
    /// One for each column, of the row group that is being read.
    cells: Vec<Option<Cells>>,
    next_group: usize,
    /// Rows of the row group that are not decoded yet.
    group_rows: usize,
    /// Rows that are decoded, but not text yet.
    decoded: usize,
}

impl Rows {
    /// From the first row on; of a column that is not wanted every field is empty.
    pub(super) fn new(
        name: &str,
        file: SerializedFileReader<File>,
        columns: &[Column],
        wanted: impl Fn(usize) -> bool,
    ) -> Self {
        let leaf = |(i, column): (usize, &Column)| {
            let leaf = column.values.as_ref().ok().copied();
            (column.name.clone(), leaf.filter(|_| wanted(i)))
        };
        let columns = columns.iter().enumerate().map(leaf).collect();
        let name = name.to_owned();
        Self { name, file, columns, cells: Vec::new(), next_group: 0, group_rows: 0, decoded: 0 }
    }

    /// Rows that are ready to become text.
    pub(super) fn decoded(&self) -> usize {
        self.decoded
    }

    /// Decodes some rows, of which none are ready; `false` at the file's end.
    ///
    /// # Errors
    /// The file is damaged, or packed in a way that is not known.
    pub(super) fn decode(&mut self) -> Result<bool, ReadError> {
        while self.group_rows == 0 {
            if self.next_group == self.file.num_row_groups() {
                return Ok(false);
            }
            self.open_group()?;
        }
        let rows = self.group_rows.min(ROWS);
        for (cells, (column, _)) in self.cells.iter_mut().zip(&self.columns) {
            let Some(cells) = cells else { continue };
            let place = || format!("column {column} of row group {}", self.next_group);
            match guarded(|| cells.decode(rows)) {
                Ok(decoded) if decoded == rows => {}
                Ok(_) => return Err(damaged(&self.name, &format!("{} has too few rows", place()))),
                Err(error) => return Err(damaged(&self.name, &format!("{}: {error}", place()))),
            }
        }
        self.group_rows -= rows;
        self.decoded = rows;
        Ok(true)
    }

    fn open_group(&mut self) -> Result<(), ReadError> {
        let (file, columns, group) = (&self.file, &self.columns, self.next_group);
        let opened = guarded(|| {
            let reader = file.get_row_group(group)?;
            let rows = usize::try_from(reader.metadata().num_rows())?;
            let cells = columns.iter().map(|(_, leaf)| {
                let Some(leaf) = leaf else { return Ok(None) };
                check_place(reader.metadata().column(leaf.index))?;
                Ok(Some(Cells::new(*leaf, reader.get_column_reader(leaf.index)?)))
            });
            Ok((rows, cells.collect::<Result<Vec<_>, ParquetError>>()?))
        });
        self.next_group += 1;
        match opened {
            Ok((rows, cells)) => {
                self.group_rows = rows;
                self.cells = cells;
                Ok(())
            }
            Err(error) => Err(damaged(&self.name, &format!("row group {}: {error}", self.next_group))),
        }
    }

    /// Appends the next row, which must be decoded, as a line without its line break.
    pub(super) fn push_next(&mut self, line: &mut Vec<u8>) {
        self.decoded -= 1;
        for (i, cells) in self.cells.iter_mut().enumerate() {
            if i > 0 {
                line.push(b',');
            }
            if let Some(cells) = cells {
                cells.push_next(line);
            }
        }
    }
}

/// Whether a chunk can be where the footer says.
fn check_place(chunk: &ColumnChunkMetaData) -> Result<(), ParquetError> {
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    if start < 0 || chunk.compressed_size() < 0 {
        return Err(ParquetError::General("a column is at no place of the file".to_owned()));
    }
    Ok(())
}

/// The header line of the text that rows become.
pub(super) fn header(columns: &[Column]) -> Vec<u8> {
    let mut line = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        if i > 0 {
            line.push(b',');
        }
        push_text(column.name.as_bytes(), &mut line);
    }
    line
}

/// Calls the Parquet crate, which answers some damage of a file with a panic.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    panic::catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err(ParquetError::General("has values that cannot be".to_owned())))
}

#[cold]
pub(super) fn damaged(file: &str, what: &str) -> ReadError {
    ReadError::Format {
        file: file.to_owned(),
        reason: format!("is Parquet that cannot be decoded: {what}"),
        advice: "fetch or write the file again; if others read it, write it with another compression or \
                 encoding"
            .to_owned(),
    }
}
