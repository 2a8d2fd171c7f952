//! A mapping that cannot read the lines it was made from is no guess.

use super::super::mapping::Mapping;
use super::super::reader::MappedCsv;
use super::Refusal;
use super::sheet::Sheet;
use super::table::Line;
use crate::lines::LineParser;
use crate::{Batch, ReadOptions};

/// Reads the first lines by the mapping; one bad row in ten is a fault of the file.
pub(super) fn run(sheet: &mut Sheet<'_>, lines: &[Line<'_>], mapping: &Mapping) -> Result<(), Refusal> {
    let options = ReadOptions { symbol: Some("SYMBOL".to_owned()), ..ReadOptions::default() };
    let layout = &mapping.layout;
    let lines = lines.iter().filter(|line| line.number > layout.skip as usize);
    let first = lines.clone().map(|line| line.text).find(|line| layout.mark_of(line).is_none());
    let first = first.unwrap_or_default();
    let mut reader = MappedCsv::new(sheet.file, first, mapping, &options)
        .map_err(|error| Refusal::new(format!("is a table that no mapping reads: {error}"), ADVICE))?;
    let mut batch = Batch::default();
    let mut failures = Vec::new();
    for line in lines {
        if let Err(error) = reader.line(line.text, &mut batch) {
            failures.push(format!("line {}: {} {}", line.number, error.field, error.reason));
        }
    }
    let Some(failure) = failures.first() else { return Ok(()) };
    let rows = sheet.table.rows.len();
    if failures.len() * 10 > rows {
        let reason = format!(
            "is a table of no kind that is known by itself, and the likeliest mapping cannot read {} of its \
             first {rows} rows ({failure})",
            failures.len()
        );
        return Err(Refusal::new(
            reason,
            format!("that mapping is --map '{mapping}': correct it, or the file"),
        ));
    }
    sheet.note(format!("{} of the first {rows} rows cannot be read ({failure})", failures.len()));
    Ok(())
}

const ADVICE: &str =
    "say which column is what: --map 'time=COLUMN:UNIT,symbol=COLUMN,price=COLUMN,size=COLUMN'";
