//! The first lines of a CSV, for telling what it is.

use super::fields::QuotedFields;
use super::limits::MAX_COLUMNS;

/// The first line of a CSV, cut into names (or values, where there is no header).
pub(crate) struct Header {
    /// The line as it is, without its line break.
    pub(crate) line: Vec<u8>,
    /// Its fields, without quotes and blanks around them.
    pub(crate) names: Vec<String>,
}

impl Header {
    /// Cuts `line`; a line whose quotes are broken has no names.
    pub(crate) fn cut(line: &[u8], delimiter: u8) -> Self {
        let fields = QuotedFields::new(line, delimiter).take(MAX_COLUMNS + 1);
        let names = fields.map(|field| field.map(|field| field.text())).collect::<Result<_, _>>();
        Self { line: line.to_owned(), names: names.unwrap_or_default() }
    }

    /// Where the column of this name is; the first, if several have it.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// Where these columns are, if all of them are there.
    pub(crate) fn columns<const N: usize>(&self, names: &[&str; N]) -> Option<[usize; N]> {
        let mut found = [0; N];
        for (slot, name) in found.iter_mut().zip(names) {
            *slot = self.column(name)?;
        }
        Some(found)
    }
}

/// The whole lines at a source's start that are not empty, without line breaks and byte order mark.
pub(crate) fn first_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let head = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head);
    // The end of `head` may cut a line in two; the last piece counts only where it is all there is.
    let end = memchr::memrchr(b'\n', head).unwrap_or(head.len());
    let lines = head[..end].split(|byte| *byte == b'\n');
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).filter(|line| !line.is_empty())
}
