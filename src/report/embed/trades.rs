//! The round trips that a page lists, for its data.

use std::collections::HashMap;

use serde::Serialize;
use tick_sdk::signal::TRADE_COLUMNS;

use super::{quote_units, rounded};
use crate::report::ReportTrades;

/// Round trips in the order in which they were closed.
#[derive(Serialize)]
pub(super) struct Trades<'a> {
    /// How many there are in all.
    count: u64,
    /// The columns of their CSV.
    columns: &'static str,
    symbols: Vec<&'a str>,
    rows: Vec<Row>,
}

/// Strategy, place of the symbol, side (1 is long, -1 short), ns from the one before's close to this
/// one's (the first from the run's start), ns held, entry, exit, fees, profit, profit in percent of the
/// entry.
type Row = (usize, usize, i64, u64, u64, f64, f64, f64, f64, Option<f64>);

impl<'a> Trades<'a> {
    pub(super) fn of(trades: &'a ReportTrades, run_start: u64) -> Self {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut symbols = Vec::new();
        let mut closed_before = run_start;
        let rows = trades.listed.iter().map(|one| {
            let place = *places.entry(&one.symbol).or_insert_with(|| {
                symbols.push(&*one.symbol);
                symbols.len() - 1
            });
            let trade = &one.trade;
            let closed_at = trade.closed_at.max(closed_before);
            let since = closed_at - std::mem::replace(&mut closed_before, closed_at);
            (
                one.strategy,
                place,
                trade.side.units(),
                since,
                trade.closed_at.saturating_sub(trade.opened_at),
                quote_units(trade.entry),
                quote_units(trade.exit),
                quote_units(trade.fees),
                quote_units(trade.profit),
                one.percent().map(rounded),
            )
        });
        let rows = rows.collect();
        Self { count: trades.count, columns: TRADE_COLUMNS.trim_ascii_end(), symbols, rows }
    }
}
