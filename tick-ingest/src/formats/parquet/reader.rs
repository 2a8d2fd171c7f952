//! Opens a Parquet file and reads it row by row.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::parquet::file::reader::{FileReader, SerializedFileReader};

use super::arrow_schema::pairs;
use super::column::{Column, Meaning, columns};
use super::guessing::{listed, unknown};
use super::mapping::{columns_of, find, with_own_layout, with_own_units};
use super::nautilus;
use super::rows::{Rows, damaged, guarded, header};
use crate::formats::csv::limits::MAX_COLUMNS;
use crate::formats::mapped_csv::{MappedCsv, Mapping, NO_SYMBOL_COLUMN};
use crate::lines::{LineParser, Lines};
use crate::symbol_in_name::{note_by_name, symbol_in_name};
use crate::{Batch, Format, ReadError, ReadOptions, Reader};

/// Reads a Parquet file by a mapping, or by itself where it is of a known kind.
pub struct ParquetReader {
    rows: Rows,
    lines: Lines<MappedCsv>,
    line: Vec<u8>,
    /// What is to be said of the reading, until it is said.
    notes: Vec<String>,
    progress: Progress,
}

/// How much of the file was read, taking each row for an equal part of it.
struct Progress {
    read_bytes: Arc<AtomicU64>,
    file_bytes: u64,
    all_rows: u64,
    rows: u64,
}

impl ParquetReader {
    /// Opens a file; its format is either Parquet by a mapping or one that is known by itself.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or is of no known kind and no mapping is given; the mapping does
    /// not fit, or nothing names the symbol.
    pub fn open(name: &str, options: &ReadOptions) -> Result<(Format, Self), ReadError> {
        let (file, file_bytes) = open_file(name)?;
        let file = guarded(|| SerializedFileReader::new(file))
            .map_err(|error| damaged(name, &format!("its footer: {error}")))?;
        let metadata = file.metadata().file_metadata();
        let all_rows = u64::try_from(metadata.num_rows()).unwrap_or(0);
        let pairs = pairs(metadata.key_value_metadata());
        let mut columns = columns(metadata.schema_descr());
        check_columns(name, &columns)?;
        let catalogue = nautilus::recognize(&mut columns, &pairs);
        if catalogue.is_none() {
            refuse_binary(&mut columns);
        }
        let mut options = options.clone();
        let (format, mapping) = match (options.mapping.take(), &catalogue) {
            (Some(mapping), _) => (Format::Parquet, mapping),
            (None, Some(catalogue)) => {
                let mapping = catalogue.mapping.clone();
                (Format::Nautilus, mapping.ok_or_else(|| nautilus::other_kind(name, &columns, &pairs))?)
            }
            (None, None) => match options.mapping_of_unknown.take() {
                Some(mapping) => (Format::Parquet, mapping),
                None => return Err(unknown(name, file, &columns, &options)),
            },
        };
        let instrument = catalogue.and_then(|catalogue| catalogue.instrument);
        let is_named = instrument.is_some();
        options.symbol = instrument.or(options.symbol);
        let by_name =
            if mapping.symbol.is_none() && options.symbol.is_none() { symbol_in_name(name) } else { None };
        options.symbol = options.symbol.or_else(|| by_name.clone());
        let mapping = with_own_layout(name, mapping, &columns)?;
        let (mapping, mut notes) = with_own_units(mapping, &columns);
        notes.extend(by_name.as_deref().map(note_by_name));
        let wanted = wanted(name, &mapping, &columns)?;
        let header = header(&columns);
        let mut parser = MappedCsv::new(name, &header, &mapping, &options)?;
        let mut first = Batch::default();
        parser.line(&header, &mut first).map_err(|bad| damaged(name, &bad.reason))?;
        // An instrument that the file names itself is not news.
        let is_news = |note: &String| !is_named || !note.starts_with(NO_SYMBOL_COLUMN);
        notes.extend(first.counts.notes.into_iter().filter(is_news));
        let reader = Self {
            rows: Rows::new(name, file, &columns, |i| wanted[i]),
            lines: Lines::new(name, parser, &options),
            line: Vec::new(),
            notes,
            progress: Progress { read_bytes: options.read_bytes, file_bytes, all_rows, rows: 0 },
        };
        Ok((format, reader))
    }
}

impl Reader for ParquetReader {
    fn read(&mut self, out: &mut Batch) -> Result<bool, ReadError> {
        self.notes.drain(..).for_each(|note| out.counts.note(&note));
        if self.rows.decoded() == 0 && !self.rows.decode()? {
            return Ok(false);
        }
        let before = self.rows.decoded();
        let mut result = Ok(());
        while result.is_ok() && self.rows.decoded() > 0 && !out.is_full() {
            self.line.clear();
            self.rows.push_next(&mut self.line);
            out.counts.bytes += self.line.len() as u64;
            result = self.lines.line(&self.line, out);
        }
        self.progress.add(before - self.rows.decoded());
        result.map(|()| true)
    }
}

impl Progress {
    fn add(&mut self, rows: usize) {
        let bytes =
            |rows: u64| u128::from(self.file_bytes) * u128::from(rows) / u128::from(self.all_rows.max(1));
        let before = bytes(self.rows);
        self.rows += rows as u64;
        let new = bytes(self.rows).saturating_sub(before);
        self.read_bytes.fetch_add(u64::try_from(new).unwrap_or(0), Ordering::Relaxed);
    }
}

fn open_file(name: &str) -> Result<(File, u64), ReadError> {
    let failed = |source| ReadError::Io { file: name.to_owned(), doing: "opening the file", source };
    let file = File::open(name).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    Ok((file, bytes))
}

fn check_columns(name: &str, columns: &[Column]) -> Result<(), ReadError> {
    let refused = |reason: String, advice: &str| {
        Err(ReadError::Format { file: name.to_owned(), reason, advice: advice.to_owned() })
    };
    if columns.len() > MAX_COLUMNS {
        let reason = format!("has {} columns, more than {MAX_COLUMNS}", columns.len());
        return refused(reason, "write out those that hold ticks");
    }
    if columns.iter().all(|column| column.values.is_err()) {
        let reason = format!("is Parquet without a column that is read; it has {}", listed(columns));
        return refused(reason, "write out flat columns of times, symbols, prices and sizes");
    }
    Ok(())
}

/// Bytes that might be anything are no field of a text.
fn refuse_binary(columns: &mut [Column]) {
    for column in columns {
        if let Ok(leaf) = column.values
            && let Meaning::FixedBinary { bytes } = leaf.meaning
        {
            column.values = Err(format!("holds {bytes} bytes a row of a meaning that the file does not say"));
        }
    }
}

/// Which columns the mapping names.
fn wanted(name: &str, mapping: &Mapping, columns: &[Column]) -> Result<Vec<bool>, ReadError> {
    let mut wanted = vec![false; columns.len()];
    for named in columns_of(mapping) {
        // A name that is none, or is several columns', is the reader's to refuse.
        let Some(found) = find(named, columns) else { continue };
        if let Err(why) = &found.values {
            return Err(ReadError::Format {
                file: name.to_owned(),
                reason: format!("column {} {why}", found.name),
                advice: format!("its columns are {}", listed(columns)),
            });
        }
        let place = columns.iter().position(|column| std::ptr::eq(column, found));
        place.into_iter().for_each(|place| wanted[place] = true);
    }
    Ok(wanted)
}
