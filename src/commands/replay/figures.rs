//! All figures of an account as JSON; `FIGURES.md` defines them.

use serde_json::{Map, Value, json};
use strategy_host::paper::{
    DayFigures, Distribution, Figures, HourFigures, Performance, PeriodFigures, StrategyResult,
};
use tick_sdk::decimal::format_decimal;

/// A strategy with its instruments, its days and hours, and its curves.
pub(super) fn of_strategy(strategy: &StrategyResult) -> Value {
    let StrategyResult { performance, .. } = strategy;
    let mut value = of_account("strategy", &strategy.strategy, &strategy.total, performance);
    let instruments = strategy.instruments.iter();
    let instruments = instruments
        .map(|one| Value::Object(of_account("instrument", &one.symbol, &one.figures, &one.performance)));
    let days = strategy.days.iter().map(|DayFigures { start, days, figures }| {
        period(json!({"start_ns": start, "days": days}), performance, figures)
    });
    let hours = strategy.hours.iter();
    let hours =
        hours.map(|HourFigures { hour, figures }| period(json!({"hour": hour}), performance, figures));
    let exposure = strategy.exposure.iter().map(|point| json!([point.ts_recv, point.held_ns, point.share]));
    let equity = strategy.curve.iter().map(|point| json!([point.ts_recv, format_decimal(point.equity)]));
    let drawdown = strategy.drawdowns.iter().map(|point| json!([point.ts_recv, format_decimal(point.depth)]));
    value.insert("instruments".to_owned(), instruments.collect());
    value.insert("days".to_owned(), days.collect());
    value.insert("hours".to_owned(), hours.collect());
    value.insert("results".to_owned(), distribution(&strategy.distribution));
    value.insert(
        "curves".to_owned(),
        json!({
            "equity": equity.collect::<Value>(),
            "drawdown": drawdown.collect::<Value>(),
            "exposure": exposure.collect::<Value>(),
        }),
    );
    Value::Object(value)
}

fn of_account(kind: &str, name: &str, figures: &Figures, performance: &Performance) -> Map<String, Value> {
    let mut value = counts(kind, name, figures);
    value.extend(of_performance(performance));
    value
}

fn counts(kind: &str, name: &str, figures: &Figures) -> Map<String, Value> {
    object(json!({
        kind: name,
        "signals": figures.signals,
        "trades": figures.trades,
        "wins": figures.wins,
        "hit_rate": figures.hit_rate(),
        "realised": format_decimal(figures.realised),
        "open": format_decimal(figures.open),
        "fees": format_decimal(figures.fees),
        "equity": format_decimal(figures.equity()),
        "max_drawdown": format_decimal(figures.max_drawdown),
        "exposure": figures.exposure,
    }))
}

/// The same names and values as the contract `PerformanceFigures` has them.
fn of_performance(performance: &Performance) -> Map<String, Value> {
    let Performance { capital, drawdown, traded, .. } = performance;
    let depth = drawdown.map_or(0, |drawdown| drawdown.depth);
    let mut value = object(json!({
        "capital": capital.map(|capital| format_decimal(capital.amount)),
        "capital_basis": capital.map(|capital| capital.basis()),
        "net_profit": format_decimal(performance.net_profit),
        "net_profit_percent": performance.percent(performance.net_profit),
        "sharpe": performance.sharpe,
        "sortino": performance.sortino,
        "return_stretch_ns": performance.returns.stretch_ns,
        "return_stretches": performance.returns.stretches,
        "max_drawdown_percent": performance.percent(depth),
        "drawdown_begin": drawdown.map(|drawdown| drawdown.begin),
        "drawdown_bottom": drawdown.map(|drawdown| drawdown.bottom),
        "drawdown_recovered": drawdown.and_then(|drawdown| drawdown.recovered),
        "drawdown_duration_ns": drawdown.map(|drawdown| drawdown.duration_ns),
        "drawdown_recovery_ns": drawdown.and_then(|drawdown| drawdown.recovery_ns),
        "under_water_ns": performance.under_water_ns,
        "under_water": performance.under_water,
    }));
    value.extend(object(json!({
        "losses": traded.losses,
        "gross_profit": format_decimal(traded.gross_profit),
        "gross_loss": format_decimal(traded.gross_loss),
        "profit_factor": traded.profit_factor(),
        "expectancy": traded.expectancy().map(format_decimal),
        "average_win": traded.average_win().map(format_decimal),
        "average_loss": traded.average_loss().map(format_decimal),
        "largest_win": traded.largest_win.map(format_decimal),
        "largest_loss": traded.largest_loss.map(format_decimal),
        "turnover": format_decimal(traded.turnover),
        "turnover_ratio": performance.turnover_ratio(),
    })));
    value
}

fn period(name: Value, performance: &Performance, figures: &PeriodFigures) -> Value {
    let PeriodFigures { profit, traded, held_ns } = figures;
    let mut value = object(name);
    value.extend(object(json!({
        "net_profit": format_decimal(*profit),
        "net_profit_percent": performance.percent(*profit),
        "trades": traded.trades,
        "wins": traded.wins,
        "losses": traded.losses,
        "hit_rate": traded.hit_rate(),
        "profit_factor": traded.profit_factor(),
        "expectancy": traded.expectancy().map(format_decimal),
        "average_win": traded.average_win().map(format_decimal),
        "average_loss": traded.average_loss().map(format_decimal),
        "largest_win": traded.largest_win.map(format_decimal),
        "largest_loss": traded.largest_loss.map(format_decimal),
        "turnover": format_decimal(traded.turnover),
        "fees": format_decimal(traded.fees),
        "held_ns": held_ns,
    })));
    Value::Object(value)
}

fn distribution(distribution: &Distribution) -> Value {
    let bins = distribution.bins.iter();
    let bins = bins.map(|bin| json!({"from": format_decimal(bin.from), "trades": bin.trades}));
    let width = (distribution.width > 0).then(|| format_decimal(distribution.width));
    json!({"width": width, "bins": bins.collect::<Value>()})
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
