//! A run's account as events.

use tick_sdk::contracts::results::PerformanceFigures;
use tick_sdk::contracts::strategies::{AccountFigures, AccountMarked, InstrumentFigures};
use tick_sdk::decimal::format_decimal;
use tick_sdk::names::RunId;

use crate::paper::{Figures, PaperResults, Performance, StrategyResult};

/// One event a strategy, in their order.
pub(super) fn events(run: RunId, account: &PaperResults) -> Vec<AccountMarked> {
    account.strategies.iter().map(|strategy| marked(run, strategy)).collect()
}

fn marked(run: RunId, result: &StrategyResult) -> AccountMarked {
    let instruments = result.instruments.iter().map(|instrument| InstrumentFigures {
        symbol: instrument.symbol.clone(),
        position: instrument.position.name().to_owned(),
        figures: figures(&instrument.figures, &instrument.performance),
    });
    AccountMarked {
        run: run.to_string(),
        strategy: result.strategy.clone(),
        total: figures(&result.total, &result.performance),
        instruments: instruments.collect(),
    }
}

/// The same text as `orchard replay --json` gives.
fn figures(figures: &Figures, performance: &Performance) -> AccountFigures {
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
        performance: of_performance(performance),
    }
}

fn of_performance(performance: &Performance) -> PerformanceFigures {
    let Performance { capital, drawdown, traded, .. } = performance;
    let depth = drawdown.map_or(0, |drawdown| drawdown.depth);
    PerformanceFigures {
        capital: capital.map(|capital| format_decimal(capital.amount)),
        capital_basis: capital.map(|capital| capital.basis().to_owned()),
        net_profit: Some(format_decimal(performance.net_profit)),
        net_profit_percent: performance.percent(performance.net_profit),
        sharpe: performance.sharpe,
        sortino: performance.sortino,
        return_stretch_ns: performance.returns.stretch_ns,
        return_stretches: performance.returns.stretches,
        max_drawdown_percent: performance.percent(depth),
        drawdown_begin: drawdown.map(|drawdown| drawdown.begin),
        drawdown_bottom: drawdown.map(|drawdown| drawdown.bottom),
        drawdown_recovered: drawdown.and_then(|drawdown| drawdown.recovered),
        drawdown_duration_ns: drawdown.map(|drawdown| drawdown.duration_ns),
        drawdown_recovery_ns: drawdown.and_then(|drawdown| drawdown.recovery_ns),
        under_water_ns: performance.under_water_ns,
        under_water: performance.under_water,
        losses: traded.losses,
        gross_profit: Some(format_decimal(traded.gross_profit)),
        gross_loss: Some(format_decimal(traded.gross_loss)),
        profit_factor: traded.profit_factor(),
        expectancy: traded.expectancy().map(format_decimal),
        average_win: traded.average_win().map(format_decimal),
        average_loss: traded.average_loss().map(format_decimal),
        largest_win: traded.largest_win.map(format_decimal),
        largest_loss: traded.largest_loss.map(format_decimal),
        turnover: Some(format_decimal(traded.turnover)),
        turnover_ratio: performance.turnover_ratio(),
    }
}
