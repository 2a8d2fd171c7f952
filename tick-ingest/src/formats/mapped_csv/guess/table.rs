//! A file's first lines, cut into a table: delimiter, preamble, header, comments, trailers, ragged rows.

use crate::formats::csv::fields::QuotedFields;
use crate::formats::csv::limits::MAX_COLUMNS;

/// One line of the head that is not empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// In the file, counted from 1, empty lines included.
    pub(super) number: usize,
    pub(super) text: &'a [u8],
}

/// A row of the table; a field that the line lacks is empty.
#[derive(Debug)]
pub(super) struct Row {
    /// Of its line in the file, counted from 1.
    pub(super) line: usize,
    pub(super) fields: Vec<String>,
}

/// The first lines, cut into columns.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) delimiter: u8,
    /// As written; `None` where there is no header.
    pub(super) header: Option<Vec<String>>,
    pub(super) rows: Vec<Row>,
    pub(super) columns: usize,
    /// Lines before the header, or before the first row.
    pub(super) skip: u32,
    pub(super) comment: Option<String>,
    pub(super) trailer: Option<String>,
    /// How many rows have fewer fields than there are columns, or empty ones too many.
    pub(super) ragged: usize,
    /// Lines that are none of this.
    pub(super) odd: usize,
}

/// How lines of comments begin.
const COMMENTS: [&str; 3] = ["#", "//", "%"];

/// Words that begin a line behind the last row, in files of several vendors.
const TRAILERS: [&str; 5] = ["END", "EOF", "TRAILER", "Total", "TOTAL"];

/// The whole lines at a source's start that are not empty.
pub(super) fn lines(head: &[u8]) -> Vec<Line<'_>> {
    let head = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head);
    // The end of `head` may cut a line in two; the last piece counts only where it is all there is.
    let end = memchr::memrchr(b'\n', head).unwrap_or(head.len());
    let lines = head[..end].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let numbered = lines.enumerate().map(|(i, text)| Line { number: i + 1, text });
    numbered.filter(|line| !line.text.is_empty()).collect()
}

impl Table {
    /// `None` where fewer than four of five lines behind the preamble are rows of one number of columns.
    pub(super) fn cut(lines: &[Line<'_>], delimiter: u8) -> Option<Self> {
        let cut: Vec<Vec<String>> = lines.iter().map(|line| cut(line.text, delimiter)).collect();
        let width = usual_width(&cut)?;
        let first = first_row(&cut, width)?;
        let header = first.checked_sub(1).filter(|at| is_header(&cut[*at], width));
        let start = header.unwrap_or(first);
        let columns = header.map_or(width, |at| cut[at].len());
        let mut table = Self {
            delimiter,
            header: header.map(|at| cut[at].clone()),
            rows: Vec::new(),
            columns,
            // Empty lines count as well.
            skip: if start == 0 { 0 } else { lines[start].number as u32 - 1 },
            comment: None,
            trailer: None,
            ragged: 0,
            odd: 0,
        };
        table.find_comments_before(&lines[..start], lines[start].text);
        let is_repeated_header = |fields: &Vec<String>| table.header.as_ref() == Some(fields);
        let body: Vec<usize> = (first..cut.len()).filter(|i| !is_repeated_header(&cut[*i])).collect();
        for (place, i) in body.iter().enumerate() {
            table.add(lines[*i], &cut[*i], place + 1 == body.len());
        }
        let (rows, odd) = (table.rows.len(), table.odd);
        (rows > 0 && rows >= 4 * odd).then_some(table)
    }

    /// Lines before the header that are all comments can stand anywhere, so that joined files are read.
    fn find_comments_before(&mut self, before: &[Line<'_>], start: &[u8]) {
        let all = |mark: &&&str| before.iter().all(|line| line.text.starts_with(mark.as_bytes()));
        let mark = COMMENTS.iter().find(all).filter(|mark| !start.starts_with(mark.as_bytes()));
        if let Some(mark) = mark.filter(|_| !before.is_empty()) {
            self.comment = Some((*mark).to_owned());
            self.skip = 0;
        }
    }

    fn add(&mut self, line: Line<'_>, fields: &[String], is_last: bool) {
        let is_values = fields.iter().any(|text| is_value(text));
        let is_trailer = TRAILERS.iter().any(|word| fields[0] == *word);
        if is_trailer && (is_last || fields.len() != self.columns) {
            self.trailer = Some(fields[0].clone());
            return;
        }
        let comment = COMMENTS.iter().find(|mark| line.text.starts_with(mark.as_bytes()));
        if let Some(mark) = comment.filter(|_| fields.len() != self.columns || !is_values) {
            self.comment = Some((*mark).to_owned());
            return;
        }
        if is_last && let Some(word) = trailer_word(line.text).filter(|_| fields.len() < 2 || !is_values) {
            self.trailer.get_or_insert(word);
            return;
        }
        let surplus = fields.get(self.columns..).unwrap_or_default();
        if !is_values || fields.len() < 2 || surplus.iter().any(|text| !text.is_empty()) {
            self.odd += 1;
            return;
        }
        self.ragged += usize::from(fields.len() != self.columns);
        let mut fields = fields.to_vec();
        fields.resize(self.columns, String::new());
        self.rows.push(Row { line: line.number, fields });
    }

    /// A column's name as written, or its number.
    pub(super) fn name(&self, column: usize) -> String {
        match self.header.as_ref().map(|names| names[column].as_str()) {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => format!("#{}", column + 1),
        }
    }

    pub(super) fn cells(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().map(move |row| row.fields[column].as_str())
    }
}

/// The word that a last line begins with that is no row: `Total rows: 5`.
fn trailer_word(line: &[u8]) -> Option<String> {
    let length = line.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    (length > 2).then(|| String::from_utf8_lossy(&line[..length]).into_owned())
}

/// A line whose quotes are broken has no fields but itself.
pub(super) fn cut(line: &[u8], delimiter: u8) -> Vec<String> {
    let fields = QuotedFields::new(line, delimiter).take(MAX_COLUMNS + 1);
    let fields: Option<Vec<String>> = fields.map(|field| field.ok().map(|field| field.text())).collect();
    fields.unwrap_or_else(|| vec![String::from_utf8_lossy(line).into_owned()])
}

/// The number of columns that most rows have.
fn usual_width(cut: &[Vec<String>]) -> Option<usize> {
    let mut counts: Vec<(usize, usize)> = Vec::new();
    for fields in cut.iter().filter(|fields| fields.iter().any(|text| is_value(text))) {
        match counts.iter_mut().find(|(width, _)| *width == fields.len()) {
            Some((_, count)) => *count += 1,
            None => counts.push((fields.len(), 1)),
        }
    }
    let (width, _) = counts.into_iter().max_by_key(|(width, count)| (*count, *width))?;
    (2..=MAX_COLUMNS).contains(&width).then_some(width)
}

/// The first row; shorter ones between a header and it are rows as well.
fn first_row(cut: &[Vec<String>], width: usize) -> Option<usize> {
    let is_row = |fields: &Vec<String>| fields.iter().any(|text| is_value(text));
    let mut first = cut.iter().position(|fields| fields.len() == width && is_row(fields))?;
    let before = cut[..first].iter().rposition(|fields| is_header(fields, width));
    if let Some(header) = before.filter(|at| cut[at + 1..first].iter().all(|f| f.len() >= 2 && is_row(f))) {
        first = header + 1;
    }
    Some(first)
}

/// Names and no values; there may be an optional last column that most rows lack, or an empty one too many.
fn is_header(fields: &[String], width: usize) -> bool {
    let named = fields.iter().filter(|text| !text.is_empty()).count();
    let is_near = fields.len().abs_diff(width) <= width.div_ceil(2);
    fields.len() >= 2 && is_near && named * 2 > fields.len() && !fields.iter().any(|text| is_value(text))
}

/// Whether a field is a number or a time, so that its line is no header.
pub(super) fn is_value(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = digits.strip_prefix(['.', ',']).unwrap_or(digits);
    // `2024-06-01T09:30:00Z`, `2024.06.01D09`, `1e-7`, `12:30 PM UTC`, `01-Mar-2024`, `1 234,5`.
    digits.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().filter(char::is_ascii_alphabetic).count()
            <= text.chars().filter(char::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_text(text: &str) -> Table {
        Table::cut(&lines(text.as_bytes()), b',').expect(text)
    }

    #[test]
    fn what_stands_around_the_rows_is_found() {
        let table = cut_text("# one\nhttps://x.org\nunix,price\n1,2\n3,4\n# note\nunix,price\n5,6\nEND,3\n");
        assert_eq!((table.skip, table.rows.len(), table.odd), (2, 3, 0));
        assert_eq!(table.header.as_deref(), Some(&["unix".to_owned(), "price".to_owned()][..]));
        assert_eq!((table.comment.as_deref(), table.trailer.as_deref()), (Some("#"), Some("END")));
        let lines: Vec<usize> = table.rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [4, 5, 8]);
    }

    #[test]
    fn comments_alone_are_no_preamble() {
        let table = cut_text("# one\n# two\nt,p\n1,2\n");
        assert_eq!((table.skip, table.comment.as_deref()), (0, Some("#")));
        let marked_header = cut_text("#time,price\n1,2\n");
        assert_eq!((marked_header.skip, marked_header.comment.as_deref()), (0, None));
    }

    #[test]
    fn rows_may_lack_their_last_fields() {
        let table = cut_text("t,p,s,c\n1,2,3\n1,2,3,x\n1,2,3,\n1,2,3,x,\n");
        assert_eq!((table.columns, table.rows.len(), table.ragged), (4, 4, 2));
        assert_eq!(table.rows[0].fields, ["1", "2", "3", ""]);
    }

    #[test]
    fn a_last_line_of_words_is_a_trailer() {
        assert_eq!(cut_text("t,p\n1,2\n3,4\nTotal rows: 2\n").trailer.as_deref(), Some("Total"));
        assert_eq!(cut_text("t,p\n1,2\n3,4\nsum,none\n").trailer.as_deref(), Some("sum"));
        assert_eq!(cut_text("t,p\n1,2\n3,4\n").trailer, None);
    }

    #[test]
    fn text_is_no_table() {
        assert!(Table::cut(&lines(b"Dear reader,\nno table here.\n"), b',').is_none());
        assert!(Table::cut(&lines(b"1,2\nabc\ndef\n"), b',').is_none());
        assert!(Table::cut(&lines(b""), b',').is_none());
    }
}
