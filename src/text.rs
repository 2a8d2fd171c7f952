//! Numbers and tables as people read them.

/// `153491` as `153,491`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 file`, `153,491 ticks`; `noun` is the singular.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(count))
}

/// Bytes with their unit, in powers of 1000: `812 bytes`, `3.6 MB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let size = count as f64;
    match UNITS.iter().find(|(unit, _)| size >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", size / unit),
        None => counted(count, "byte"),
    }
}

/// Text of a file as a terminal may show it: control characters are escaped.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Names as they are, or of many the first ones, how many more there are, and the last one.
pub(crate) fn summarised(names: &[String]) -> Vec<String> {
    const SHOWN: usize = 8;
    const FIRST: usize = 3;
    match names {
        [first @ .., last] if names.len() > SHOWN => {
            let between = format!("… {} more …", thousands((first.len() - FIRST) as u64));
            first[..FIRST].iter().cloned().chain([between, last.clone()]).collect()
        }
        _ => names.to_vec(),
    }
}

/// `text` as a shell reads it back; in quotes where something in it is special.
pub(crate) fn quote_for_shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Rows as lines of aligned columns: the first column to the left, the others to the right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    lines(rows, |column| column > 0)
}

/// Rows as lines of aligned columns: those of numbers to the right, the others to the left.
#[cfg(any(feature = "rabbitmq", feature = "services"))]
pub(crate) fn aligned(rows: &[Vec<String>], numbers: &[usize]) -> String {
    lines(rows, |column| numbers.contains(&column))
}

fn lines(rows: &[Vec<String>], is_right: impl Fn(usize) -> bool) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column > 0 { "  " } else { "" };
            line.push_str(gap);
            line.push_str(&if is_right(column) {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_summarised() {
        let names = |count: usize| (1..=count).map(|place| format!("{place}.csv")).collect::<Vec<_>>();
        assert_eq!(summarised(&names(8)), names(8));
        assert_eq!(summarised(&[]), names(0));
        assert_eq!(summarised(&names(700)).join(", "), "1.csv, 2.csv, 3.csv, … 696 more …, 700.csv");
    }

    #[test]
    fn numbers_and_tables() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(153_491), "153,491");
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(table(&[row("a", "12"), row("bcd", "3")]), "a    12\nbcd   3\n");
    }

    #[cfg(any(feature = "rabbitmq", feature = "services"))]
    #[test]
    fn columns_of_text_are_aligned_at_their_beginnings() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["name", "state", "n"]), row(["a", "on", "12"])];
        assert_eq!(aligned(&rows, &[2]), "name  state   n\na     on     12\n");
    }

    #[test]
    fn counts_and_bytes_have_units() {
        assert_eq!((counted(1, "line").as_str(), counted(0, "line").as_str()), ("1 line", "0 lines"));
        assert_eq!((bytes(1).as_str(), bytes(812).as_str()), ("1 byte", "812 bytes"));
        assert_eq!((bytes(3_637_062).as_str(), bytes(4_000_000_000).as_str()), ("3.6 MB", "4.0 GB"));
    }

    #[test]
    fn text_of_a_file_can_steer_neither_terminal_nor_shell() {
        assert_eq!(printable("A\u{1b}[2Jé"), "A\\u{1b}[2Jé");
        assert_eq!(quote_for_shell("data/a-1.csv"), "data/a-1.csv");
        assert_eq!(quote_for_shell("it's; rm"), r"'it'\''s; rm'");
        assert_eq!(quote_for_shell(""), "''");
    }
}
