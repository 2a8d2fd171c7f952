//! What is in a file, for people.

use jiff::Timestamp;
use tick_ingest::formats::mapped_csv::{ColumnFinding, Refusal};
use tick_sdk::decimal::format_decimal;
use tick_sdk::{Flags, Tick};

use super::survey::{Instrument, Late, Survey};
use crate::counts;
use crate::duration::{format_duration, format_time};
use crate::replay::per_second;
use crate::text::{counted, printable, table, thousands};
use crate::tick_output::in_parentheses;

/// How many instruments are shown unless all are asked for.
const INSTRUMENTS: usize = 20;

/// Everything about a file, as lines.
pub(super) fn survey(survey: &Survey, all: bool) -> String {
    let mut text = facts(survey);
    if let Some(guessed) = &survey.guess {
        text.push('\n');
        text.push_str(&columns(&guessed.guess.columns));
        text.push('\n');
    }
    let counts = &survey.counts;
    for example in &counts.bad_line_examples {
        text.push_str(&format!("malformed line: {example}\n"));
    }
    let more = counts.bad_lines - counts.bad_line_examples.len() as u64;
    if more > 0 {
        text.push_str(&format!("malformed line: and {} more\n", thousands(more)));
    }
    let traded: Vec<&Instrument> = survey.traded().collect();
    if !traded.is_empty() {
        text.push('\n');
        text.push_str(&instruments(&traded, all));
    }
    if !survey.first_ticks.is_empty() {
        text.push('\n');
        text.push_str(&first_ticks(survey));
    }
    text
}

/// A table that is not known to hold ticks: what was found in it. Its error says why.
pub(super) fn refused(file: &str, refusal: &Refusal) -> String {
    let mut text = format!("{:<13}{}\n", "File", printable(file));
    text.push_str(&format!("{:<13}{}\n\n", "Format", "table, not known to hold ticks"));
    text + &columns(&refusal.columns)
}

/// What a guess takes each column for, and why.
fn columns(found: &[ColumnFinding]) -> String {
    let titles = ["Column", "sample", "taken for", "why"].map(str::to_owned);
    let cells = found.iter().map(|column| {
        let texts = [column.name.as_str(), &column.sample, column.taken_for, &column.why];
        texts.map(printable)
    });
    let rows: Vec<[String; 4]> = std::iter::once(titles).chain(cells).collect();
    let width = |place: usize| rows.iter().map(|row| row[place].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), 0];
    let line = |row: &[String; 4]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn facts(survey: &Survey) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| text.push_str(&format!("{name:<13}{value}\n"));
    line("File", printable(&survey.file));
    line("Format", format(survey));
    if let Some(guessed) = &survey.guess {
        line("Columns", format!("guessed: {}", printable(&guessed.guess.mapping.to_string())));
        for note in &guessed.guess.notes {
            line("Check", printable(note));
        }
        line("Read it by", printable(&guessed.command));
    }
    if let Some(markets) = markets(&survey.instruments) {
        line("Market", markets);
    }
    line("Size", size(survey));
    line("Ticks", format!("{}{}", thousands(survey.ticks), in_parentheses(&survey.kinds)));
    if survey.has_no_ticks() {
        line("Warning", "the file is not empty, and no tick was found in it".to_owned());
    }
    line("Instruments", thousands(survey.traded().count() as u64));
    if let (Some(received), Some(event)) = (survey.received, survey.event) {
        line("Received", span(received));
        line("Event time", if event == received { "the same".to_owned() } else { span(event) });
        line("Order", order(survey.late.as_ref()));
    }
    for (name, value) in counts::lines(&survey.counts) {
        line(name, value);
    }
    let seconds = survey.elapsed.as_secs_f64();
    let rate = thousands(per_second(survey.ticks, survey.elapsed));
    let megabytes = per_second(survey.counts.bytes, survey.elapsed) as f64 * 1e-6;
    line("Speed", format!("{rate} ticks/s, {megabytes:.1} MB/s ({seconds:.3} s)"));
    text
}

fn format(survey: &Survey) -> String {
    let schema = survey.schema.map(|schema| format!(", schema {schema}")).unwrap_or_default();
    format!("{}{schema}, {}", survey.format, survey.compression.name())
}

fn markets(instruments: &[Instrument]) -> Option<String> {
    /// A file has one, or very few; a damaged one can have any number.
    const SHOWN: usize = 5;
    let mut markets: Vec<&str> = Vec::new();
    for market in instruments.iter().filter_map(|instrument| instrument.market.as_deref()) {
        if markets.contains(&market) {
            continue;
        }
        if markets.len() == SHOWN {
            markets.push("…");
            break;
        }
        markets.push(market);
    }
    (!markets.is_empty()).then(|| printable(&markets.join(", ")))
}

fn size(survey: &Survey) -> String {
    let counts = &survey.counts;
    let file = survey.file_bytes.map(|size| format!("{}; ", counted(size, "byte"))).unwrap_or_default();
    let content = counted(counts.bytes, "byte");
    format!("{file}content {content}, {} lines or records", thousands(counts.lines))
}

fn span((first, last): (u64, u64)) -> String {
    format!("{} to {} UTC ({})", format_time(first), format_time(last), format_duration(last - first))
}

fn order(late: Option<&Late>) -> String {
    let Some(late) = late else { return "in order of receipt".to_owned() };
    format!(
        "{} late by up to {}, the first at line {}: read it with --reorder {}",
        counted(late.ticks, "tick"),
        format_duration(late.largest_ns),
        thousands(late.first_line),
        late.window()
    )
}

fn instruments(instruments: &[&Instrument], all: bool) -> String {
    let shown = if all { instruments.len() } else { instruments.len().min(INSTRUMENTS) };
    let titles = ["Instrument", "trades", "bids", "asks", "first price", "last price"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for instrument in &instruments[..shown] {
        let [trades, bids, asks, _] = instrument.kinds.map(thousands);
        let price = |price: Option<i64>| price.map_or_else(|| "-".to_owned(), format_decimal);
        let prices = instrument.prices();
        let (first, last) = (price(prices.map(|p| p.0)), price(prices.map(|p| p.1)));
        rows.push(vec![printable(&instrument.symbol), trades, bids, asks, first, last]);
    }
    let mut text = table(&rows);
    if shown < instruments.len() {
        let more = thousands((instruments.len() - shown) as u64);
        text.push_str(&format!("and {more} more, with --all\n"));
    }
    text
}

fn first_ticks(survey: &Survey) -> String {
    let titles = ["Received (UTC)", "event time (UTC)", "symbol", "kind", "side", "price", "size", "flags"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for tick in &survey.first_ticks {
        rows.push(vec![
            time(tick.ts_recv),
            time(tick.ts_event),
            printable(&survey.instruments[tick.instrument as usize].symbol),
            tick.kind.name().to_owned(),
            tick.side.name().to_owned(),
            if tick.has_price() { format_decimal(tick.price) } else { "none".to_owned() },
            size_of_tick(tick),
            flags(tick.flags),
        ]);
    }
    table(&rows)
}

/// To the nanosecond.
fn time(ns: u64) -> String {
    match Timestamp::from_nanosecond(i128::from(ns)) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S%.9f").to_string(),
        Err(_) => format!("{ns} ns"),
    }
}

fn size_of_tick(tick: &Tick) -> String {
    let more = if tick.size == u64::MAX { " or more" } else { "" };
    format!("{}{more}", format_decimal(tick.size))
}

fn flags(flags: Flags) -> String {
    match flags {
        Flags::NONE => String::new(),
        Flags::LAST => "last".to_owned(),
        Flags(bits) => bits.to_string(),
    }
}
