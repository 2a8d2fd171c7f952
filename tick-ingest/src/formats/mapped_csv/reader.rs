//! Reads lines by a mapping.

use super::filter::Filter;
use super::mapping::{Column, EmptySide, Mapping, Rows};
use super::numbers::is_finer;
use super::places::{no_symbol, place};
use super::rows::{BookChanges, Books, RowColumns};
use super::times::Times;
use crate::formats::csv::fields::Splitter;
use crate::formats::csv::header::Header;
use crate::lines::{BYTE_ORDER_MARK, LineParser};
use crate::{BadField, Batch, ReadError, ReadOptions, SymbolIds};

/// Reads a CSV by a mapping.
pub struct MappedCsv {
    splitter: Splitter,
    mapping: Mapping,
    /// Where there is one, as it stands in the file.
    header: Option<Vec<u8>>,
    /// No line was read yet.
    at_start: bool,
    /// Some lines are passed over because of their beginning.
    has_marks: bool,
    times: Times,
    symbol: Symbol,
    filter: Option<Filter>,
    rows: RowColumns,
    /// Of each instrument, where an empty side of a quote means that it did not change.
    books: Option<Books>,
    symbols: SymbolIds,
}

/// How the note begins that says so.
pub(crate) const NO_SYMBOL_COLUMN: &str = "no column names the instrument";

enum Symbol {
    Column(usize),
    Always(Vec<u8>),
}

impl MappedCsv {
    /// For the file `name`, whose first line, but for those that are passed over, is `first`.
    ///
    /// # Errors
    /// The mapping names a column that is not there, or nothing names the symbol.
    pub fn new(
        name: &str,
        first: &[u8],
        mapping: &Mapping,
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        let layout = &mapping.layout;
        let header = Header::cut(first, layout.delimiter);
        let place = |column: &Column| place(name, column, &header, layout.header);
        let symbol = match (&mapping.symbol, &options.symbol) {
            (Some(column), _) => Symbol::Column(place(column)?),
            (None, Some(symbol)) => Symbol::Always(symbol.clone().into_bytes()),
            (None, None) => return Err(no_symbol(name)),
        };
        let filter = mapping.only.as_ref().map(|only| Ok(Filter::new(only, place(&only.column)?)));
        let has_books = layout.empty == EmptySide::Unchanged && matches!(mapping.rows, Rows::Quotes { .. });
        Ok(Self {
            splitter: Splitter::new(layout.delimiter, header.names.len()).ragged(layout.ragged),
            header: layout.header.then(|| first.trim_ascii_end().to_owned()),
            at_start: true,
            has_marks: layout.comment.is_some() || layout.trailer.is_some(),
            times: Times::new(name, mapping, &options.zone, place)?,
            symbol,
            filter: filter.transpose()?,
            rows: RowColumns::new(mapping, place)?,
            books: has_books.then(Books::default),
            mapping: mapping.clone(),
            symbols: SymbolIds::default(),
        })
    }

    #[inline(always)]
    fn row(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        let fields = self.splitter.split(line)?;
        if let Some(filter) = &mut self.filter
            && !filter.takes(&fields, out)
        {
            return Ok(());
        }
        let text = |column: usize| fields.trimmed(column);
        let (ts_event, ts_recv) = self.times.read(&fields, out)?;
        let symbol = match &self.symbol {
            Symbol::Column(column) => text(*column),
            Symbol::Always(symbol) => symbol,
        };
        let bad_symbol = |reason| BadField::new("symbol", reason);
        if let (Some(books), RowColumns::Quotes { bid, ask }) = (&mut self.books, &self.rows) {
            let changes = BookChanges::parse(bid, ask, &fields)?;
            if changes.is_nothing() {
                out.counts.skip("row without change", 1);
                return Ok(());
            }
            let id = self.symbols.id(symbol, None, out).map_err(bad_symbol)?;
            books.apply(id, changes).push(ts_event, ts_recv, id, out);
            return Ok(());
        }
        let Some(row) = self.rows.parse(&fields)? else {
            out.counts.skip("price 0 and size 0", 1);
            return Ok(());
        };
        let id = self.symbols.id(symbol, None, out).map_err(bad_symbol)?;
        row.push(ts_event, ts_recv, id, out);
        Ok(())
    }

    /// The first line that is not passed over: says whether it is the header.
    #[cold]
    fn start(&mut self, out: &mut Batch) -> bool {
        self.at_start = false;
        self.note_symbol(out);
        self.note_units(out);
        self.mapping.layout.header
    }

    fn note_symbol(&self, out: &mut Batch) {
        if let Symbol::Always(symbol) = &self.symbol {
            let symbol = String::from_utf8_lossy(symbol);
            out.counts.note(&format!("{NO_SYMBOL_COLUMN}: all rows are of {symbol}"));
        }
    }

    fn note_units(&self, out: &mut Batch) {
        for (what, keys) in [("prices", ["price", "bid"]), ("sizes", ["size", "bid_size"])] {
            let numbers = keys.iter().filter_map(|key| self.mapping.number_of(key));
            for scale in numbers.map(|number| number.scale).filter(|scale| is_finer(*scale)) {
                let shown = 10i64.pow(u32::from(scale.unsigned_abs()) - 9);
                out.counts.note(&format!(
                    "{what} are in units of 1e{scale} instead of 1e-9, as the scale of --map says: 1 is shown as {shown}"
                ));
            }
        }
    }

    /// A row that cannot be read is none where it is the header of another file that was joined.
    #[cold]
    fn odd_row(&mut self, line: &[u8], error: BadField, out: &mut Batch) -> Result<(), BadField> {
        let unmarked = line.strip_prefix(BYTE_ORDER_MARK);
        let plain = unmarked.unwrap_or(line);
        if self.header.as_deref() == Some(plain.trim_ascii_end()) {
            out.counts.skip("repeated header", 1);
            return Ok(());
        }
        if let Some(line) = unmarked.filter(|line| !line.starts_with(BYTE_ORDER_MARK)) {
            return self.line(line, out);
        }
        Err(self.advise(error))
    }

    /// Adds the column's own name to the mapping's name for it, and what the mapping may lack.
    fn advise(&self, error: BadField) -> BadField {
        if let Some(column) = self.mapping.column_of(&error.field) {
            return BadField::new(format!("{} (column {column})", error.field), error.reason);
        }
        let is_count = error.field == "line" && error.reason.ends_with("fields");
        if is_count && !self.mapping.layout.ragged {
            let reason = error.reason;
            let advice =
                "--map with ragged=yes reads lines whose last fields are missing, or too many and empty";
            return BadField::new(error.field, format!("{reason}; {advice}"));
        }
        error
    }
}

impl LineParser for MappedCsv {
    fn line(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        if self.has_marks
            && let Some(mark) = self.mapping.layout.mark_of(line)
        {
            out.counts.skip(mark, 1);
            return Ok(());
        }
        if self.at_start && self.start(out) {
            return Ok(());
        }
        self.row(line, out).or_else(|error| self.odd_row(line, error, out))
    }

    fn lines_before(&self) -> u64 {
        self.mapping.layout.skip.into()
    }
}
