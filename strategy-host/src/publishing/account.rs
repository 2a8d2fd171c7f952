//! A run's account as events.

use tick_sdk::contracts::strategies::{AccountFigures, AccountMarked, InstrumentFigures};
use tick_sdk::decimal::format_decimal;
use tick_sdk::names::RunId;

use crate::paper::{Figures, PaperResults, StrategyResult};

/// One event a strategy, in their order.
pub(super) fn events(run: RunId, account: &PaperResults) -> Vec<AccountMarked> {
    account.strategies.iter().map(|strategy| marked(run, strategy)).collect()
}

fn marked(run: RunId, result: &StrategyResult) -> AccountMarked {
    let instruments = result.instruments.iter().map(|instrument| InstrumentFigures {
        symbol: instrument.symbol.clone(),
        position: instrument.position.name().to_owned(),
        figures: figures(&instrument.figures),
    });
    AccountMarked {
        run: run.to_string(),
        strategy: result.strategy.clone(),
        total: figures(&result.total),
        instruments: instruments.collect(),
    }
}

/// The same text as `orchard replay --json` gives.
fn figures(figures: &Figures) -> AccountFigures {
    AccountFigures {
        signals: figures.signals,
        trades: figures.trades,
        wins: figures.wins,
        hit_rate: figures.hit_rate(),
        realised: format_decimal(figures.realised),
        open: format_decimal(figures.open),
        fees: format_decimal(figures.fees),
        equity: format_decimal(figures.equity()),
        max_drawdown: format_decimal(figures.max_drawdown),
        exposure: figures.exposure,
    }
}
