//! A comparison as tables for a terminal.

use super::differences::{Comparison, Difference, MARKED, Row, Side, Unit};
use crate::units::{self, NOTHING};

/// Values longer than this have a line of their own.
const WIDEST: usize = 32;

pub(super) fn tables(comparison: &Comparison) -> String {
    let mut text = head(&comparison.a, &comparison.b);
    if comparison.throughput_only {
        text.push_str("\nThe workloads differ: only throughput is compared.\n");
    }
    text.push_str(&differences(&comparison.differ));
    if !comparison.best.is_empty() {
        text.push_str("\nOf all steps\n");
        text.push_str(&rows(&comparison.best));
    }
    for step in &comparison.steps {
        text.push_str(&format!("\n{}\n", capital(&offered(step.offered))));
        text.push_str(&rows(&step.rows));
    }
    for (name, rates) in [("A", &comparison.only_a), ("B", &comparison.only_b)] {
        if !rates.is_empty() {
            let rates: Vec<_> = rates.iter().map(|rate| offered(*rate)).collect();
            text.push_str(&format!("\nOnly {name} has: {}\n", rates.join(", ")));
        }
    }
    text.push_str(&verdict(comparison));
    text
}

fn head(a: &Side, b: &Side) -> String {
    let line = |name: &str, side: &Side| {
        vec![name.to_owned(), printable(&side.path), printable(&side.workload), printable(&side.at)]
    };
    let mut text = table(&[line("A", a), line("B", b)], 4);
    for (name, side) in [("A", a), ("B", b)] {
        for warning in &side.warnings {
            text.push_str(&format!("warning: {name}: {}\n", printable(warning)));
        }
    }
    text
}

fn differences(all: &[Difference]) -> String {
    if all.is_empty() {
        return "\nCircumstances and settings are the same.\n".to_owned();
    }
    let value = |value: &Option<String>| value.as_deref().map_or(NOTHING.to_owned(), printable);
    let is_long =
        |one: &Difference| [&one.a, &one.b].into_iter().any(|of| value(of).chars().count() > WIDEST);
    let (long, short): (Vec<_>, Vec<_>) = all.iter().partition(|one| is_long(one));
    let mut text = "\nCircumstances and settings that differ\n".to_owned();
    if !short.is_empty() {
        let mut lines = vec![["", "A", "B"].map(str::to_owned).to_vec()];
        lines.extend(short.iter().map(|one| vec![printable(&one.name), value(&one.a), value(&one.b)]));
        text.push_str(&indented(&table(&lines, 3)));
    }
    for one in long {
        let name = printable(&one.name);
        text.push_str(&format!("  {name}\n    A  {}\n    B  {}\n", value(&one.a), value(&one.b)));
    }
    text
}

fn rows(rows: &[Row]) -> String {
    let mut lines = vec![["", "A", "B", "B/A"].map(str::to_owned).to_vec()];
    for row in rows {
        let figure = |value: Option<f64>| match (value, row.unit) {
            (None, _) => NOTHING.to_owned(),
            (Some(value), Unit::PerSecond) => units::rate(value),
            (Some(value), Unit::BytesPerSecond) => format!("{}/s", units::bytes(value)),
            (Some(value), Unit::Nanoseconds) => units::time(value as u64),
        };
        let ratio = row.ratio.map_or(NOTHING.to_owned(), |ratio| format!("{ratio:.2}"));
        let mark = if row.b_is_worse { "worse" } else { "" };
        lines.push(vec![printable(&row.name), figure(row.a), figure(row.b), ratio, mark.to_owned()]);
    }
    indented(&table(&lines, 1))
}

fn verdict(comparison: &Comparison) -> String {
    let of_steps = comparison.steps.iter().flat_map(|step| &step.rows);
    let worse = comparison.best.iter().chain(of_steps).filter(|row| row.b_is_worse).count();
    let percent = MARKED * 100.0;
    if comparison.steps.is_empty() && comparison.best.is_empty() {
        return "\nNo step is in both: measure B at the offered rates of A.\n".to_owned();
    }
    match worse {
        0 => format!("\nB is nowhere worse by more than {percent:.0} %.\n"),
        1 => format!("\nB is worse by more than {percent:.0} % in 1 figure.\n"),
        _ => format!("\nB is worse by more than {percent:.0} % in {worse} figures.\n"),
    }
}

fn offered(rate: Option<f64>) -> String {
    rate.map_or("full speed".to_owned(), |rate| format!("offered {} ticks/s", units::rate(rate)))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// Lines of aligned columns: the first `left` of them to the left, the others to the right.
fn table(lines: &[Vec<String>], left: usize) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn indented(lines: &str) -> String {
    lines.lines().map(|line| format!("  {line}\n")).collect()
}

/// Text of a file as a terminal may show it: control characters are escaped.
pub(super) fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
