//! What an account looks like over time, as events.

use tick_sdk::contracts::results::{
    CurvePoint, Curves, CurvesDrawn, ExposureOfStretch, PeriodProfit, ProfitOfDay, ProfitOfHour, ResultBin,
};
use tick_sdk::decimal::format_decimal;
use tick_sdk::names::RunId;

use crate::paper::{PaperResults, Performance, PeriodFigures, StrategyResult};

/// One event a strategy, in their order.
pub(super) fn events(run: RunId, account: &PaperResults) -> Vec<CurvesDrawn> {
    let drawn = |result: &StrategyResult| CurvesDrawn {
        run: run.to_string(),
        strategy: result.strategy.clone(),
        curves: curves(result),
    };
    account.strategies.iter().map(drawn).collect()
}

fn curves(result: &StrategyResult) -> Curves {
    let StrategyResult { performance, distribution, .. } = result;
    let point = |ts_recv, value| CurvePoint { ts_recv, value: format_decimal(value) };
    let exposure = result.exposure.iter().map(|point| ExposureOfStretch {
        ts_recv: point.ts_recv,
        held_ns: point.held_ns,
        share: point.share,
    });
    let days = result.days.iter().map(|day| ProfitOfDay {
        start_ns: day.start,
        days: day.days,
        figures: period(performance, &day.figures),
    });
    let hours = result.hours.iter();
    let hours = hours
        .map(|hour| ProfitOfHour { hour: hour.hour.into(), figures: period(performance, &hour.figures) });
    let results = distribution.bins.iter();
    let results = results.map(|bin| ResultBin { from: format_decimal(bin.from), trades: bin.trades });
    Curves {
        equity: result.curve.iter().map(|one| point(one.ts_recv, one.equity)).collect(),
        drawdown: result.drawdowns.iter().map(|one| point(one.ts_recv, one.depth)).collect(),
        exposure: exposure.collect(),
        days: days.collect(),
        hours: hours.collect(),
        result_width: (distribution.width > 0).then(|| format_decimal(distribution.width)),
        results: results.collect(),
    }
}

fn period(performance: &Performance, figures: &PeriodFigures) -> PeriodProfit {
    let PeriodFigures { profit, traded, held_ns } = figures;
    PeriodProfit {
        net_profit: format_decimal(*profit),
        net_profit_percent: performance.percent(*profit),
        trades: traded.trades,
        wins: traded.wins,
        losses: traded.losses,
        hit_rate: traded.hit_rate(),
        profit_factor: traded.profit_factor(),
        expectancy: traded.expectancy().map(format_decimal),
        average_win: traded.average_win().map(format_decimal),
        average_loss: traded.average_loss().map(format_decimal),
        largest_win: traded.largest_win.map(format_decimal),
        largest_loss: traded.largest_loss.map(format_decimal),
        turnover: format_decimal(traded.turnover),
        fees: format_decimal(traded.fees),
        held_ns: *held_ns,
    }
}
