//! A guess at the mapping of a table of unknown kind, from its first lines, or why there is none.
//!
//! Nothing is guessed that might be no tick: bars, levels of a book, orders, records of an account and
//! whatever has no price by its name or its values is refused, and the refusal says what was found.

use std::fmt;
use std::time::SystemTime;

use super::mapping::{Mapping, TableLayout};
use crate::ReadOptions;

mod choose;
mod filter;
mod headerless;
mod moments;
mod names;
mod numbers;
mod refuse;
mod shape;
mod sheet;
mod symbol;
mod table;
mod times;
mod trial;
mod vendors;

use moments::Plausible;
use numbers::StyleFinding;
use sheet::Sheet;
use table::{Line, Table};

/// A mapping that reads the first lines of a table, and what its user should check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    /// As `--map` takes it.
    pub mapping: Mapping,
    /// The instrument by the file's name, where no column names it.
    pub symbol: Option<String>,
    /// The zone that the vendor's times are in, as `--tz` takes it, where the shape of the file says whose
    /// it is and its times name none.
    pub zone: Option<String>,
    /// What was found, column by column.
    pub columns: Vec<ColumnFinding>,
    /// Sentences about what was assumed.
    pub notes: Vec<String>,
}

impl Guess {
    /// The sentence of an error that says which options read the file, and what to check.
    pub fn advice(&self) -> String {
        let option = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("--{name} {} ", quote_for_shell(value))).unwrap_or_default()
        };
        let (symbol, zone) = (option("symbol", &self.symbol), option("tz", &self.zone));
        let mapping = quote_for_shell(&self.mapping.to_string());
        let notes: String = self.notes.iter().map(|note| format!("\n  {note}")).collect();
        format!("probably this reads it: {symbol}{zone}--map {mapping}{notes}")
    }
}

/// `'text'` as a shell reads it back.
fn quote_for_shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What a guess takes a column for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnFinding {
    /// As the header has it, or `#` and its number.
    pub name: String,
    /// The first text in it, cut to 40 characters.
    pub sample: String,
    /// A key of a mapping, `time of day` or `nothing`.
    pub taken_for: &'static str,
    /// What says so.
    pub why: String,
}

/// Why there is no guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoGuess {
    /// The text is no table: its lines have no number of columns in common.
    NoTable,
    /// A table that is not known to hold ticks.
    Refused(Box<Refusal>),
}

/// Why a table is not taken for ticks, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Completes "FILE …", as in `holds bars, no ticks: …`.
    pub reason: String,
    /// What its user can do.
    pub advice: String,
    /// What was found, column by column.
    pub columns: Vec<ColumnFinding>,
}

impl Refusal {
    fn new(reason: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { reason: reason.into(), advice: advice.into(), columns: Vec::new() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.reason, self.advice)
    }
}

/// Guesses delimiter, header, columns and time unit from the first bytes of the file `name`, all whole lines
/// of them.
///
/// # Errors
/// It is no table, or one that is not known to hold ticks.
pub fn guess(name: &str, head: &[u8], options: &ReadOptions) -> Result<Guess, NoGuess> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    guess_at(name, head, options, now.as_nanos() as u64)
}

/// [`guess`] at a given time, in nanoseconds since the UNIX epoch: what is later than a day after it is no
/// time of a tick.
fn guess_at(name: &str, head: &[u8], options: &ReadOptions, now_ns: u64) -> Result<Guess, NoGuess> {
    /// Also in the order of trial: what separates columns must not stand in a number or a time.
    const DELIMITERS: &[u8] = b"\t;|, ";
    let lines = table::lines(head);
    let plausible = Plausible::until_a_day_after(now_ns);
    let mut found: Option<Result<Guess, Refusal>> = None;
    let mut most = 0;
    for delimiter in DELIMITERS {
        let Some(table) = Table::cut(&lines, *delimiter) else { continue };
        let columns = table.columns;
        let is_better = match &found {
            None => true,
            Some(Ok(_)) => false,
            // A table of words between blanks is prose.
            Some(Err(_)) => columns > most && *delimiter != b' ',
        };
        let guess = of_table(name, table, &lines, options, plausible);
        if is_better || guess.is_ok() && !matches!(found, Some(Ok(_))) {
            found = Some(guess);
            most = columns;
        }
    }
    match found {
        None if has_columns(&lines) => Err(NoGuess::Refused(Box::new(Refusal::new(
            "is a table without numbers, and so without ticks",
            "if a column is a price all the same, say which: --map 'time=COLUMN:UNIT,price=COLUMN'",
        )))),
        None => Err(NoGuess::NoTable),
        Some(Ok(guess)) => Ok(guess),
        Some(Err(refusal)) => Err(NoGuess::Refused(Box::new(refusal))),
    }
}

/// Whether the first lines all have the same number of columns, and more than one.
fn has_columns(lines: &[Line<'_>]) -> bool {
    const LINES: usize = 20;
    b",;\t|".iter().any(|delimiter| {
        let mut counts = lines.iter().take(LINES).map(|line| table::cut(line.text, *delimiter).len());
        counts.next().is_some_and(|first| first > 1 && lines.len() > 1 && counts.all(|count| count == first))
    })
}

fn of_table(
    name: &str,
    table: Table,
    lines: &[Line<'_>],
    options: &ReadOptions,
    plausible: Plausible,
) -> Result<Guess, Refusal> {
    let cells = table.rows.iter().flat_map(|row| row.fields.iter().map(String::as_str));
    let (style, is_sure) = match numbers::style(cells, table.delimiter) {
        StyleFinding::Sure(style) => (style, true),
        StyleFinding::Unclear => (Default::default(), false),
    };
    let mut sheet = Sheet::new(name, table, style, plausible);
    let found = if is_sure { of_sheet(&mut sheet, lines, options) } else { Err(unclear_numbers(&sheet)) };
    found.map_err(|refusal| Refusal { columns: sheet.findings(), ..refusal })
}

fn of_sheet(sheet: &mut Sheet<'_>, lines: &[Line<'_>], options: &ReadOptions) -> Result<Guess, Refusal> {
    let found = match vendors::find(sheet)? {
        Some(found) => found,
        None => {
            refuse::by_texts(sheet)?;
            refuse::by_names(sheet)?;
            refuse::by_values(sheet)?;
            if sheet.has_header() { choose::find(sheet)? } else { headerless::find(sheet)? }
        }
    };
    let symbol = symbol::find(sheet, &found, options)?;
    let only = found.only.clone().or_else(|| filter::find(sheet, &found.rows));
    let mapping = Mapping {
        time: found.time.mapped(sheet),
        recv: found.recv.as_ref().map(|recv| recv.mapped(sheet)),
        date: found.time.date,
        symbol: symbol.column,
        rows: found.rows,
        only,
        layout: layout(sheet, found.empty),
    };
    let zone = found.zone.filter(|_| found.time.reading.zoneless);
    symbol::note_zone(sheet, &found.time, zone.as_deref(), options);
    trial::run(sheet, lines, &mapping)?;
    note_layout(sheet);
    Ok(Guess { mapping, symbol: symbol.of_file, zone, columns: sheet.findings(), notes: sheet.notes.clone() })
}

/// What a choice of columns has found.
struct Found {
    time: times::Time,
    recv: Option<times::Time>,
    rows: super::mapping::Rows,
    empty: super::mapping::EmptySide,
    only: Option<super::mapping::RowFilter>,
    /// The zone of this vendor's times.
    zone: Option<String>,
    /// The instrument by the vendor's way to name files.
    symbol: Option<String>,
}

fn layout(sheet: &Sheet<'_>, empty: super::mapping::EmptySide) -> TableLayout {
    let table = &sheet.table;
    TableLayout {
        delimiter: table.delimiter,
        header: table.header.is_some(),
        skip: table.skip,
        comment: table.comment.clone(),
        trailer: table.trailer.clone(),
        ragged: table.ragged > 0,
        numbers: sheet.style,
        empty,
    }
}

fn note_layout(sheet: &mut Sheet<'_>) {
    let (ragged, rows) = (sheet.table.ragged, sheet.table.rows.len());
    if ragged > 0 {
        sheet.note(format!(
            "{ragged} of the first {rows} rows have another number of fields than the first line: with \
             ragged=yes those lacking at the end are empty"
        ));
    }
    if !sheet.has_header() {
        sheet.note("there is no header: check which column is what");
    }
}

fn unclear_numbers(sheet: &Sheet<'_>) -> Refusal {
    let is_grouped = |text: &str| text.contains(',');
    let place = sheet.columns().find_map(|column| Some((column, sheet.row_where(column, is_grouped)?)));
    let place = place.map(|(column, row)| sheet.place(column, row)).unwrap_or_default();
    Refusal::new(
        format!("has numbers with a comma before three digits, which may be decimals or thousands ({place})"),
        "say which: decimal=comma or thousands=comma in --map, as in \
         --map 'time=COLUMN:UNIT,price=COLUMN,delimiter=;,decimal=comma'",
    )
}
