//! Which column is the time.

use jiff::civil::Date;

use super::super::mapping::TimeColumn;
use super::Refusal;
use super::moments::{
    Moment, Reading, day_and_count, joined, on_day, resolution, rising, unit_since_midnight,
};
use super::names::{self, is_id};
use super::numbers::is_absent;
use super::sheet::Sheet;
use crate::formats::time_text::TimeFormat;

/// The time of a table's rows.
pub(super) struct Time {
    pub(super) column: usize,
    pub(super) clock: Option<usize>,
    /// The day of all rows, from the file's name.
    pub(super) date: Option<Date>,
    pub(super) reading: Reading,
    why: String,
}

impl Time {
    pub(super) fn mapped(&self, sheet: &Sheet<'_>) -> TimeColumn {
        TimeColumn {
            column: sheet.column(self.column),
            clock: self.clock.map(|clock| sheet.column(clock)),
            format: self.reading.format.clone(),
        }
    }
}

/// The event's time, and the time of receipt where there is one, marked in the sheet.
pub(super) fn choose(sheet: &mut Sheet<'_>) -> Result<(Time, Option<Time>), Refusal> {
    let time = event_time(sheet)?;
    let recv = receive_time(sheet, &time);
    note(sheet, &time);
    sheet.take(time.column, "time", time.why.clone());
    if let Some(clock) = time.clock {
        sheet.take(clock, "time of day", format!("joined to {}", sheet.shown(time.column)));
    }
    if let Some(recv) = &recv {
        sheet.take(recv.column, "recv", recv.why.clone());
    }
    note_fractions(sheet);
    Ok((time, recv))
}

/// A further column with a second's fraction, as Chinese futures have it, is not joined: that is said.
fn note_fractions(sheet: &mut Sheet<'_>) {
    const PARTS: [&str; 6] = ["millis", "msec", "micros", "usec", "nanos", "nsec"];
    let is_fraction = |column: &usize| {
        let name = sheet.plain_name(*column);
        let is_count = |text: &str| text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
        !sheet.is_taken(*column)
            && PARTS.iter().any(|part| name.contains(part))
            && sheet.cells(*column).into_iter().all(|text| is_absent(text) || is_count(text))
    };
    let found: Vec<usize> = sheet.columns().filter(is_fraction).collect();
    for column in found {
        let name = sheet.shown(column);
        sheet.note(format!(
            "{name} is not read: times are to the second, in the file's order; write it behind the time of day to have it"
        ));
    }
}

fn event_time(sheet: &Sheet<'_>) -> Result<Time, Refusal> {
    let instants: Vec<Time> = sheet.columns().filter_map(|column| instant(sheet, column)).collect();
    let instants = instants.into_iter().chain(dated_clock(sheet));
    let is_recv = |time: &Time| names::RECV.contains(&sheet.plain_name(time.column));
    let (received, happened): (Vec<Time>, Vec<Time>) = instants.partition(is_recv);
    let is_named = |time: &Time| rank(sheet, time.column).is_some();
    let known = happened.iter().any(is_named);
    // A column that is called a time is one before any other that only looks like one.
    let happened = happened.into_iter().filter(|time| !known || is_named(time));
    let finest = |time: &Time| {
        let rank = rank(sheet, time.column).unwrap_or(usize::MAX);
        (std::cmp::Reverse(resolution(&time.reading.values).max(0)), rank, time.column)
    };
    let chosen = happened.min_by_key(finest).or_else(|| received.into_iter().min_by_key(finest));
    let other = chosen.or_else(|| day_in_name(sheet));
    other.ok_or_else(|| no_time(sheet))
}

fn rank(sheet: &Sheet<'_>, column: usize) -> Option<usize> {
    names::TIME.iter().position(|name| sheet.name_is(column, name))
}

/// A column of instants that may be the time: ids are none, and times rise or fall.
fn instant(sheet: &Sheet<'_>, column: usize) -> Option<Time> {
    let Some(Moment::Instant(reading)) = &sheet.profiles[column].moment else { return None };
    let name = sheet.plain_name(column);
    let is_named = rank(sheet, column).is_some() || names::RECV.contains(&name);
    let sounds_so = ["time", "date", "stamp", "epoch"].iter().any(|part| name.contains(part));
    if is_id(name) && !is_named {
        return None;
    }
    if !is_named && !reading.is_text && !sounds_so && !moves_as_time_does(reading) {
        return None;
    }
    let by = if is_named { "its name and its values" } else { "its values" };
    Some(Time { column, clock: None, date: None, reading: reading.clone(), why: by.to_owned() })
}

/// Numbers that only look like times jump: by more than a year, or up and down.
fn moves_as_time_does(reading: &Reading) -> bool {
    const YEAR: u64 = 366 * 86_400_000_000_000;
    let known: Vec<u64> = reading.values.iter().copied().flatten().collect();
    let rises = rising(&reading.values);
    (rises >= 0.9 || rises <= 0.1) && known.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < YEAR)
}

/// A column of days and one of times of day, of which neither is the time alone.
fn dated_clock(sheet: &Sheet<'_>) -> Option<Time> {
    let (day, patterns) = sheet.columns().find_map(|column| match &sheet.profiles[column].moment {
        Some(Moment::Day(patterns)) if !is_id(sheet.plain_name(column)) => Some((column, patterns)),
        _ => None,
    })?;
    let days = sheet.cells(day);
    let why = |clock| format!("days, joined to the times of day of {}", sheet.shown(clock));
    if let Some((clock, pattern)) = clock(sheet, day) {
        let reading = joined(&days, patterns, &sheet.cells(clock), pattern, sheet.plausible)?;
        return Some(Time { column: day, clock: Some(clock), date: None, reading, why: why(clock) });
    }
    let counts = |column: &usize| is_count_of_day(sheet, *column);
    let clock = sheet.columns().filter(|column| *column != day).find(counts)?;
    let unit = unit_of_day(sheet, clock)?;
    let reading = day_and_count(&days, patterns, &sheet.cells(clock), &unit, sheet.plausible)?;
    Some(Time { column: day, clock: Some(clock), date: None, reading, why: why(clock) })
}

/// The nearest column of times of day.
fn clock<'s>(sheet: &'s Sheet<'_>, near: usize) -> Option<(usize, &'s str)> {
    let clocks = sheet.columns().filter_map(|column| match &sheet.profiles[column].moment {
        Some(Moment::Clock(pattern)) if is_clock(sheet, column, pattern) => Some((column, pattern.as_str())),
        _ => None,
    });
    clocks.min_by_key(|(column, _)| column.abs_diff(near))
}

/// Digits alone are a time of day only where their column says so, or where there are no names.
fn is_clock(sheet: &Sheet<'_>, column: usize, pattern: &str) -> bool {
    let rises = || {
        let cells: Vec<&str> = sheet.table.cells(column).filter(|text| !is_absent(text)).collect();
        cells.windows(2).filter(|pair| pair[0] <= pair[1]).count() * 10 >= (cells.len() - 1) * 9
    };
    pattern.contains(':') || sheet.plain_name(column).contains("time") || !sheet.has_header() && rises()
}

/// Whether a column counts from midnight, by its name.
fn is_count_of_day(sheet: &Sheet<'_>, column: usize) -> bool {
    const NAMES: [&str; 20] = [
        "time",
        "timeofday",
        "timestamp",
        "ms",
        "msofday",
        "millis",
        "milliseconds",
        "millisofday",
        "ns",
        "nsofday",
        "nanos",
        "nanoseconds",
        "s",
        "secondsofday",
        "seconds",
        "secs",
        "us",
        "usofday",
        "tod",
        "mofday",
    ];
    let is_named = NAMES.contains(&sheet.plain_name(column)) || sheet.plain_name(column).contains("midnight");
    is_named && unit_of_day(sheet, column).is_some()
}

/// The unit that the name gives, else the one in which the numbers are less than a day.
fn unit_of_day(sheet: &Sheet<'_>, column: usize) -> Option<TimeFormat> {
    let by_values = unit_since_midnight(&sheet.cells(column))?;
    let name = sheet.plain_name(column);
    let named = [("ms", "ms"), ("milli", "ms"), ("us", "us"), ("micro", "us"), ("ns", "ns"), ("nano", "ns")];
    let unit = named.iter().find(|(part, _)| name.starts_with(part) || name.ends_with(part));
    unit.map_or(Some(by_values), |(_, unit)| unit.parse().ok())
}

/// Times of day alone, of the day that the file's name says.
fn day_in_name(sheet: &Sheet<'_>) -> Option<Time> {
    let date = date_in(sheet.file)?;
    let why = format!("times of day, of {date} by the file's name");
    if let Some((column, pattern)) = clock(sheet, 0) {
        let reading = on_day(date, &sheet.cells(column), Some(pattern), &"s".parse().ok()?)?;
        return Some(Time { column, clock: None, date: Some(date), reading, why });
    }
    let column = sheet.columns().find(|column| is_count_of_day(sheet, *column))?;
    let unit = unit_of_day(sheet, column)?;
    let reading = on_day(date, &sheet.cells(column), None, &unit)?;
    let why = format!("{unit} since midnight of {date}, the day in the file's name");
    Some(Time { column, clock: None, date: Some(date), reading, why })
}

/// A column of numbers of a known unit since midnight of a known day.
pub(super) fn since_midnight(
    sheet: &Sheet<'_>,
    column: usize,
    date: Date,
    unit: &TimeFormat,
) -> Option<Time> {
    let reading = on_day(date, &sheet.cells(column), None, unit)?;
    Some(Time { column, clock: None, date: Some(date), reading, why: String::new() })
}

/// The one day in a file's name: `AAPL_2012-06-21_message_5.csv`, `20240102_spy_trade_tick.csv`.
pub(super) fn date_in(name: &str) -> Option<Date> {
    let parts = name.rsplit(['/', '\\']).take(2);
    let of_part = |part: &str| {
        let runs: Vec<&str> =
            part.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty()).collect();
        let joined =
            runs.iter().filter(|run| run.len() == 8).find_map(|run| day(&run[..4], &run[4..6], &run[6..]));
        let apart = runs.windows(3).filter(|run| [run[0].len(), run[1].len(), run[2].len()] == [4, 2, 2]);
        joined.or_else(|| apart.filter_map(|run| day(run[0], run[1], run[2])).next())
    };
    parts.into_iter().find_map(of_part)
}

fn day(year: &str, month: &str, day: &str) -> Option<Date> {
    let year = year.parse().ok().filter(|year| (1990..2100).contains(year))?;
    Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()
}

/// A second time column, of the receipt, that is less than a day from the first.
fn receive_time(sheet: &Sheet<'_>, time: &Time) -> Option<Time> {
    const DAY: u64 = 86_400_000_000_000;
    if names::RECV.contains(&sheet.plain_name(time.column)) {
        return None;
    }
    let near = |recv: &Time| {
        let pairs = recv.reading.values.iter().zip(&time.reading.values);
        pairs
            .filter_map(|(recv, time)| Some(recv.as_ref()?.abs_diff(*time.as_ref()?)))
            .all(|apart| apart < DAY)
    };
    let named =
        sheet.named(names::RECV).filter(|column| *column != time.column && Some(*column) != time.clock);
    named.filter_map(|column| instant(sheet, column)).find(near)
}

fn note(sheet: &mut Sheet<'_>, time: &Time) {
    let name = sheet.shown(time.column);
    let reading = &time.reading;
    if let Some(other) = &reading.other_order {
        sheet.note(format!(
            "{name} reads as {} and as {other}: no row shows which of day and month comes first",
            reading.format
        ));
    }
    if reading.format.to_string() == "auto" {
        sheet.note(format!("the unit of {name} changes: each number is read by its magnitude"));
    }
    if rising(&reading.values) < 0.1 && reading.values.len() > 2 {
        sheet.note("rows go back in time, the newest first: `tac FILE` turns them round, or --reorder");
    }
    if !sheet.has_header() {
        sheet.note(format!("column {name} is taken for the time because of its values"));
    }
}

/// Why no column is the time, and what would help.
fn no_time(sheet: &Sheet<'_>) -> Refusal {
    let of_kind = |is: fn(&Moment) -> bool| {
        sheet.columns().find(|i| sheet.profiles[*i].moment.as_ref().is_some_and(is))
    };
    if let Some(day) = of_kind(|moment| matches!(moment, Moment::Day(_))) {
        let row = sheet.row_where(day, |_| true).unwrap_or(0);
        return Refusal::new(
            format!("its times are days without a time of day ({})", sheet.place(day, row)),
            "a tick has a time of day: if another column holds it, join the two, as in \
             --map 'time=DATE+TIME:%Y-%m-%d %H:%M:%S%.f,…'",
        );
    }
    if let Some(clock) = of_kind(|moment| matches!(moment, Moment::Clock(_))) {
        let row = sheet.row_where(clock, |_| true).unwrap_or(0);
        return Refusal::new(
            format!("its times are times of day without a day ({})", sheet.place(clock, row)),
            "say which day it is: --map 'date=2024-06-01,time=COLUMN:%H:%M:%S%.f,…'",
        );
    }
    let named = sheet.named(names::TIME).next().or_else(|| sheet.name_with(&["time", "date"]));
    let reason = match named.and_then(|column| Some((column, sheet.row_where(column, |_| true)?))) {
        Some((column, row)) => format!("no column holds times of 1990 to now; {}", sheet.place(column, row)),
        None => "no column holds times of 1990 to now".to_owned(),
    };
    Refusal::new(
        reason,
        "if a column is a time, say which, and how it is written: --map 'time=COLUMN:UNIT,…', \
         UNIT is s, ms, us, ns, rfc3339 or a strftime pattern",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_in_a_name_is_found() {
        let day = |name| date_in(name).map(|date| date.to_string());
        assert_eq!(day("AAPL_2012-06-21_34200000_57600000_message_5.csv").as_deref(), Some("2012-06-21"));
        assert_eq!(day("x/20240102_trade.zip/20240102_spy_trade_tick.csv").as_deref(), Some("2024-01-02"));
        assert_eq!(day("EQY_US_ALL_TRADE_20180305.gz").as_deref(), Some("2018-03-05"));
        assert_eq!(day("trades-34200000.csv"), None);
    }
}
