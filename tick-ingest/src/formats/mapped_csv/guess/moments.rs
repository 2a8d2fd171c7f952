//! What the cells of a column say as times.

use jiff::civil::Date;

use super::numbers::{is_absent, number};
use super::shape::{Shape, shapes};
use crate::formats::time_text::TimeFormat;

/// When times are plausible, in nanoseconds since the UNIX epoch: from 1990 to a day ahead of now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plausible {
    latest: u64,
}

impl Plausible {
    const EARLIEST: u64 = 631_152_000_000_000_000;

    pub(super) fn until_a_day_after(now_ns: u64) -> Self {
        Self { latest: now_ns.saturating_add(86_400_000_000_000) }
    }

    fn holds(self, ns: u64) -> bool {
        (Self::EARLIEST..=self.latest).contains(&ns)
    }
}

/// A way to read all cells of a column, or of two joined ones, as instants.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) format: TimeFormat,
    /// Nanoseconds since the UNIX epoch of each row; `None` where it has none.
    pub(super) values: Vec<Option<u64>>,
    /// The texts do not say which zone they are of.
    pub(super) zoneless: bool,
    /// The pattern with day and month the other way round, if it reads all cells, too.
    pub(super) other_order: Option<String>,
    pub(super) is_text: bool,
}

/// What a column holds, if it holds times.
#[derive(Clone, Debug)]
pub(super) enum Moment {
    Instant(Reading),
    /// Days without a time of day: their patterns, the likelier first.
    Day(Vec<String>),
    /// Times of day: the pattern.
    Clock(String),
}

/// Units of numbers, with how many of them a second has.
const UNITS: [(TimeFormat, f64); 4] = [
    (TimeFormat::Seconds, 1.0),
    (TimeFormat::Millis, 1e3),
    (TimeFormat::Micros, 1e6),
    (TimeFormat::Nanos, 1e9),
];

/// What these cells hold; `None` where they are no times, or more than one in ten is none.
pub(super) fn moment(cells: &[&str], plausible: Plausible) -> Option<Moment> {
    if let Some(reading) = numbers(cells, plausible) {
        return Some(Moment::Instant(reading));
    }
    // Of texts of several lengths the longest shows all parts.
    let longest = cells.iter().filter(|text| !is_absent(text)).max_by_key(|text| text.len())?;
    let first = cells.iter().find(|text| text.len() == longest.len())?;
    [*first, *longest].into_iter().find_map(|text| moment_of_shape(cells, &shapes(text), plausible))
}

fn moment_of_shape(cells: &[&str], shapes: &[Shape], plausible: Plausible) -> Option<Moment> {
    let first = shapes.first()?;
    match (first.has_day, first.has_clock) {
        (true, true) => texts(cells, shapes, plausible).map(Moment::Instant),
        (true, false) => days(cells, shapes, plausible).map(Moment::Day),
        _ => {
            let dated: Vec<String> = cells.iter().map(|cell| dated("2000-01-01", cell)).collect();
            let format = pattern(&dated_pattern("%Y-%m-%d", &first.pattern))?;
            let values = read(&refs(&dated), &format, Plausible { latest: u64::MAX })?;
            values.iter().any(Option::is_some).then(|| Moment::Clock(first.pattern.clone()))
        }
    }
}

/// A day's column and a time of day's, joined.
pub(super) fn joined(
    days: &[&str],
    patterns: &[String],
    clocks: &[&str],
    clock: &str,
    plausible: Plausible,
) -> Option<Reading> {
    let cells: Vec<String> = days.iter().zip(clocks).map(|(day, clock)| dated(day, clock)).collect();
    let shape = |day: &String| Shape {
        pattern: dated_pattern(day, clock),
        has_day: true,
        has_clock: true,
        has_zone: false,
        is_joined: true,
    };
    texts(&refs(&cells), &patterns.iter().map(shape).collect::<Vec<_>>(), plausible)
}

/// A day's column and one of a number of units since midnight.
pub(super) fn day_and_count(
    days: &[&str],
    patterns: &[String],
    counts: &[&str],
    unit: &TimeFormat,
    plausible: Plausible,
) -> Option<Reading> {
    let reading = joined(days, patterns, &vec!["00:00:00"; days.len()], "%H:%M:%S", plausible)?;
    let TimeFormat::Pattern(found) = &reading.format else { return None };
    let day = found.text().strip_suffix(" %H:%M:%S")?.to_owned();
    let values = reading.values.iter().zip(counts).map(|(day, count)| since(*day, count, unit)).collect();
    let format = format!("{day}+{unit}").parse().ok()?;
    Some(Reading { format, values, ..reading })
}

/// Times of day of one known day.
pub(super) fn on_day(date: Date, cells: &[&str], clock: Option<&str>, unit: &TimeFormat) -> Option<Reading> {
    let day = date.to_string();
    let (format, values) = match clock {
        Some(clock) => {
            let dated: Vec<String> = cells.iter().map(|cell| dated(&day, cell)).collect();
            let whole = pattern(&dated_pattern("%Y-%m-%d", clock))?;
            (pattern(clock)?, read(&refs(&dated), &whole, Plausible { latest: u64::MAX })?)
        }
        None => {
            let midnight = TimeFormat::Rfc3339.parse(format!("{day}T00:00:00Z").as_bytes()).ok();
            (unit.clone(), cells.iter().map(|cell| since(midnight, cell, unit)).collect())
        }
    };
    Some(Reading { format, values, zoneless: true, other_order: None, is_text: true })
}

/// Nanoseconds since midnight are exact in the file's reader; here they need only be near.
fn since(midnight: Option<u64>, count: &str, unit: &TimeFormat) -> Option<u64> {
    let (_, a_second) = UNITS.iter().find(|(known, _)| known == unit)?;
    let seconds = number(count, Default::default())? / a_second;
    (0.0..86_400.0).contains(&seconds).then_some(midnight? + (seconds * 1e9) as u64)
}

/// The unit in which these numbers are all less than a day.
pub(super) fn unit_since_midnight(cells: &[&str]) -> Option<TimeFormat> {
    let numbers: Option<Vec<f64>> = cells.iter().map(|cell| number(cell, Default::default())).collect();
    let numbers =
        numbers.filter(|numbers| !numbers.is_empty() && numbers.iter().all(|number| *number >= 0.0))?;
    let largest = numbers.iter().copied().fold(0.0, f64::max);
    UNITS.iter().find(|(_, a_second)| largest < a_second * 86_400.0).map(|(unit, _)| unit.clone())
}

fn dated(day: &str, clock: &str) -> String {
    if is_absent(day) || is_absent(clock) { String::new() } else { format!("{day} {clock}") }
}

fn dated_pattern(day: &str, clock: &str) -> String {
    format!("{day} {clock}")
}

fn refs(cells: &[String]) -> Vec<&str> {
    cells.iter().map(String::as_str).collect()
}

fn pattern(text: &str) -> Option<TimeFormat> {
    text.parse().ok()
}

/// Numbers whose magnitude is that of plausible times; `auto` where the unit changes within the column.
fn numbers(cells: &[&str], plausible: Plausible) -> Option<Reading> {
    let unit = |cell: &&str| {
        let value = number(cell, Default::default())?;
        UNITS.iter().position(|(_, a_second)| {
            let ns = value / a_second * 1e9;
            ns.is_sign_positive() && ns < 1.8e19 && plausible.holds(ns as u64)
        })
    };
    let mut units: Vec<usize> = cells.iter().filter_map(unit).collect();
    units.sort_unstable();
    units.dedup();
    let format = match units[..] {
        [] => return None,
        [one] => UNITS[one].0.clone(),
        _ => "auto".parse().ok()?,
    };
    let values = read(cells, &format, plausible)?;
    Some(Reading { format, values, zoneless: false, other_order: None, is_text: false })
}

/// Of the patterns that the shape allows the one that reads most cells; then the one in whose reading
/// times rise.
fn texts(cells: &[&str], shapes: &[Shape], plausible: Plausible) -> Option<Reading> {
    let first = shapes.first()?;
    let has_zone = first.has_zone;
    if first.is_rfc3339()
        && let Some(values) = read(cells, &TimeFormat::Rfc3339, plausible)
    {
        return Some(Reading {
            format: TimeFormat::Rfc3339,
            values,
            zoneless: !has_zone,
            other_order: None,
            is_text: true,
        });
    }
    let read_by = |shape: &Shape| {
        let format = pattern(&shape.pattern)?;
        let values = read(cells, &format, plausible)?;
        let count = values.iter().flatten().count();
        Some((count, rising(&values), format, values))
    };
    let mut readings: Vec<_> = shapes.iter().filter_map(read_by).collect();
    // The first of equals stays first: the usual order of day and month.
    readings.sort_by_key(|(count, rising, ..)| std::cmp::Reverse((*count, *rising >= 0.9)));
    let mut readings = readings.into_iter();
    let (count, rises, format, values) = readings.next()?;
    let other =
        readings.next().filter(|(other, rising, ..)| (*other, *rising >= 0.9) == (count, rises >= 0.9));
    let other_order = other.map(|(_, _, format, _)| format.to_string());
    Some(Reading { format, values, zoneless: !has_zone, other_order, is_text: true })
}

fn days(cells: &[&str], shapes: &[Shape], plausible: Plausible) -> Option<Vec<String>> {
    let cells: Vec<String> = cells.iter().map(|cell| dated(cell, "00:00:00")).collect();
    let cells = refs(&cells);
    let reads = |shape: &&Shape| {
        let format = pattern(&dated_pattern(&shape.pattern, "%H:%M:%S"));
        format.is_some_and(|format| read(&cells, &format, plausible).is_some())
    };
    let patterns: Vec<String> = shapes.iter().filter(reads).map(|shape| shape.pattern.clone()).collect();
    (!patterns.is_empty()).then_some(patterns)
}

/// The instants; `None` where more than one filled cell in ten is no plausible one.
fn read(cells: &[&str], format: &TimeFormat, plausible: Plausible) -> Option<Vec<Option<u64>>> {
    let filled = cells.iter().filter(|text| !is_absent(text)).count();
    let mut failed = 0;
    let mut values = Vec::with_capacity(cells.len());
    for cell in cells {
        let value = format.parse(cell.as_bytes()).ok().filter(|ns| plausible.holds(*ns));
        failed += usize::from(value.is_none() && !is_absent(cell));
        if failed * 10 > filled {
            return None;
        }
        values.push(value);
    }
    (filled > failed).then_some(values)
}

/// Which share of the steps from row to row does not go back in time.
pub(super) fn rising(values: &[Option<u64>]) -> f64 {
    let known: Vec<u64> = values.iter().copied().flatten().collect();
    let steps = known.len().saturating_sub(1);
    let up = known.windows(2).filter(|pair| pair[0] <= pair[1]).count();
    if steps == 0 { 1.0 } else { up as f64 / steps as f64 }
}

/// How many decimals of a second the times have; -1 where they are whole minutes.
pub(super) fn resolution(values: &[Option<u64>]) -> i32 {
    let of = |ns: u64| {
        if ns.is_multiple_of(60_000_000_000) {
            return -1;
        }
        (0..=9).find(|decimals| ns.is_multiple_of(10u64.pow(9 - *decimals as u32))).unwrap_or(9)
    };
    values.iter().copied().flatten().map(of).max().unwrap_or(-1)
}
