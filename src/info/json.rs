//! What is in a file, for machines: one object on one line.
//!
//! Times are in ns since the UNIX epoch, prices and sizes in exact decimal text, `null` where there
//! is none.

use serde_json::{Value, json};
use tick_ingest::ReadError;
use tick_ingest::formats::mapped_csv::ColumnFinding;
use tick_sdk::Tick;
use tick_sdk::decimal::format_decimal;

use super::survey::{Instrument, Survey};
use crate::counts;

/// Everything about a file, with what stopped its reading.
pub(super) fn survey(survey: &Survey, error: Option<&ReadError>) -> String {
    let [trades, bids, asks, others] = survey.kinds;
    let guess = survey.guess.as_ref();
    let late = survey.late.as_ref();
    let counts = &survey.counts;
    let mut value = json!({
        "file": survey.file,
        "format": survey.format.name(),
        "compression": survey.compression.name(),
        "schema": survey.schema,
        "guessed_mapping": guess.map(|guessed| guessed.guess.mapping.to_string()),
        "guess_notes": guess.map(|guessed| &guessed.guess.notes),
        "columns": guess.map(|guessed| columns(&guessed.guess.columns)),
        "command": guess.map(|guessed| &guessed.command),
        "file_bytes": survey.file_bytes,
        "content_bytes": counts.bytes,
        "lines": counts.lines,
        "ticks": survey.ticks,
        "warning": survey.has_no_ticks().then_some("the file is not empty, and no tick was found in it"),
        "ticks_by_kind": { "trades": trades, "bids": bids, "asks": asks, "others": others },
        "first_ts_recv": survey.received.map(|span| span.0),
        "last_ts_recv": survey.received.map(|span| span.1),
        "first_ts_event": survey.event.map(|span| span.0),
        "last_ts_event": survey.event.map(|span| span.1),
        "late_ticks": late.map_or(0, |late| late.ticks),
        "first_late_line": late.map(|late| late.first_line),
        "largest_late_ns": late.map_or(0, |late| late.largest_ns),
        "suggested_reorder": late.map(|late| late.window()),
        "instruments": survey.traded().map(instrument).collect::<Vec<_>>(),
        "first_ticks": survey.first_ticks.iter().map(|tick| first_tick(survey, tick)).collect::<Vec<_>>(),
        "elapsed_seconds": survey.elapsed.as_secs_f64(),
        "error": error.map(ToString::to_string),
    });
    counts::add_to_json(&mut value, counts);
    format!("{value}\n")
}

/// A file of which nothing is known, or a table that is not known to hold ticks.
pub(super) fn unreadable(file: &str, error: &ReadError) -> String {
    let found = match error {
        ReadError::RefusedCsv { refusal, .. } => Some(columns(&refusal.columns)),
        _ => None,
    };
    let reason = match error {
        ReadError::RefusedCsv { refusal, .. } => Some(&refusal.reason),
        _ => None,
    };
    format!("{}\n", json!({ "file": file, "error": error.to_string(), "refused": reason, "columns": found }))
}

/// What a guess takes each column for, and why.
fn columns(found: &[ColumnFinding]) -> Value {
    let column = |column: &ColumnFinding| {
        let ColumnFinding { name, sample, taken_for, why } = column;
        json!({ "name": name, "sample": sample, "taken_for": taken_for, "why": why })
    };
    found.iter().map(column).collect()
}

fn instrument(instrument: &Instrument) -> Value {
    let [trades, bids, asks, others] = instrument.kinds;
    let prices = instrument.prices();
    json!({
        "symbol": instrument.symbol,
        "market": instrument.market,
        "ticks": instrument.ticks(),
        "trades": trades,
        "bids": bids,
        "asks": asks,
        "others": others,
        "first_price": prices.map(|prices| format_decimal(prices.0)),
        "last_price": prices.map(|prices| format_decimal(prices.1)),
    })
}

fn first_tick(survey: &Survey, tick: &Tick) -> Value {
    json!({
        "ts_event": tick.ts_event,
        "ts_recv": tick.ts_recv,
        "symbol": survey.instruments[tick.instrument as usize].symbol,
        "kind": tick.kind.name(),
        "side": tick.side.name(),
        "price": tick.has_price().then(|| format_decimal(tick.price)),
        "size": format_decimal(tick.size),
        "flags": tick.flags.0,
    })
}
