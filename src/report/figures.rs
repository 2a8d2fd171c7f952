//! The figures of strategies, side by side: which there are, what each is called, and what it means.

use strategy_host::paper::{DrawdownFigures, Performance, StrategyResult};

use super::numbers::{decimal, duration, money, percent, share, signed, signed_percent};
use crate::text::thousands;

/// A value, and whether it is a profit or a loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// How a value is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Profit,
    Loss,
}

/// A figure of a strategy.
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) of: fn(&StrategyResult) -> Cell,
}

/// Figures that belong together.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) figures: &'static [Figure],
}

/// All of them.
pub(super) const GROUPS: [Group; 4] = [
    Group { name: "Profit", figures: PROFIT },
    Group { name: "Risk", figures: RISK },
    Group { name: "Round trips", figures: TRIPS },
    Group { name: "Signals and fills", figures: FILLS },
];

/// What a table of many strategies shows of each.
pub(super) const MAIN: [&Figure; 8] =
    [&PROFIT[0], &PROFIT[1], &RISK[2], &RISK[0], &TRIPS[2], &TRIPS[0], &TRIPS[1], &RISK[7]];

const PROFIT: &[Figure] = &[
    Figure {
        name: "Net profit",
        meaning: "Realised and open profit less fees, of one unit of each instrument, in the quote unit",
        of: |one| coloured(one.performance.net_profit, signed(one.performance.net_profit)),
    },
    Figure {
        name: "In percent",
        meaning: "Net profit in percent of the capital",
        of: |one| match one.performance.percent(one.performance.net_profit) {
            Some(value) => coloured(one.performance.net_profit, signed_percent(value)),
            None => dash(),
        },
    },
    Figure {
        name: "Capital",
        meaning: "As stated by --capital; else the notional: the first price of each instrument traded, summed",
        of: |one| {
            let capital = one.performance.capital;
            or_dash(capital.map(|capital| format!("{} {}", money(capital.amount), capital.basis())))
        },
    },
    Figure {
        name: "Realised",
        meaning: "Profit of closed round trips, after slippage and before fees",
        of: |one| coloured(one.total.realised, signed(one.total.realised)),
    },
    Figure {
        name: "Open",
        meaning: "Profit of what is held at the end, at its last price, after slippage and before fees",
        of: |one| coloured(one.total.open, signed(one.total.open)),
    },
    Figure { name: "Fees", meaning: "Of all fills", of: |one| plain(money(one.total.fees)) },
];

const RISK: &[Figure] = &[
    Figure {
        name: "Sharpe",
        meaning: "Mean of the returns by their standard deviation, annualised by 365 days of 24 h",
        of: |one| ratio(one.performance.sharpe),
    },
    Figure {
        name: "Sortino",
        meaning: "Mean of the returns by the root of the mean square of the negative ones, annualised likewise",
        of: |one| ratio(one.performance.sortino),
    },
    Figure {
        name: "Max drawdown",
        meaning: "Deepest fall of equity below its highest value before",
        of: |one| plain(money(one.total.max_drawdown)),
    },
    Figure {
        name: "Drawdown in percent",
        meaning: "Max drawdown in percent of the capital",
        of: |one| or_dash(one.performance.percent(one.total.max_drawdown).map(percent)),
    },
    Figure {
        name: "Drawdown lasted",
        meaning: "From the highest value before to the recovery, or to the end of the run",
        of: |one| of_drawdown(&one.performance, |fall| Some(duration(fall.duration_ns))),
    },
    Figure {
        name: "Recovery took",
        meaning: "From the lowest value of the max drawdown until equity was at its highest again",
        of: |one| {
            let recovery = |fall: &DrawdownFigures| {
                Some(fall.recovery_ns.map_or_else(|| "not recovered".to_owned(), duration))
            };
            of_drawdown(&one.performance, recovery)
        },
    },
    Figure {
        name: "Time under water",
        meaning: "How long equity was below its highest value before, and the share of the run's time",
        of: |one| {
            let Performance { under_water_ns, under_water, .. } = one.performance;
            let share = share(under_water).replace(' ', "\u{a0}");
            plain(format!("{} ({share})", duration(under_water_ns)))
        },
    },
    Figure {
        name: "Exposure",
        meaning: "Share of the run's time with a position, mean over the instruments",
        of: |one| plain(share(one.total.exposure)),
    },
];

const TRIPS: &[Figure] = &[
    Figure {
        name: "Round trips",
        meaning: "Positions that were opened and closed",
        of: |one| plain(thousands(one.total.trades)),
    },
    Figure {
        name: "Hit rate",
        meaning: "Share of round trips with a profit after their fees",
        of: |one| or_dash(one.performance.traded.hit_rate().map(share)),
    },
    Figure {
        name: "Profit factor",
        meaning: "Gross profit by gross loss",
        of: |one| ratio(one.performance.traded.profit_factor()),
    },
    Figure {
        name: "Expectancy",
        meaning: "Mean profit of a round trip",
        of: |one| match one.performance.traded.expectancy() {
            Some(value) => coloured(value, signed(value)),
            None => dash(),
        },
    },
    Figure {
        name: "Average win",
        meaning: "Mean profit of those that won",
        of: |one| or_dash(one.performance.traded.average_win().map(money)),
    },
    Figure {
        name: "Average loss",
        meaning: "Mean loss of those that lost",
        of: |one| or_dash(one.performance.traded.average_loss().map(money)),
    },
    Figure {
        name: "Largest win",
        meaning: "Greatest profit of one round trip",
        of: |one| or_dash(one.performance.traded.largest_win.map(money)),
    },
    Figure {
        name: "Largest loss",
        meaning: "Greatest loss of one round trip",
        of: |one| or_dash(one.performance.traded.largest_loss.map(money)),
    },
];

const FILLS: &[Figure] = &[
    Figure { name: "Signals", meaning: "All signals", of: |one| plain(thousands(one.total.signals)) },
    Figure {
        name: "Not traded",
        meaning: "Signals for the position already held, or without any price",
        of: |one| plain(thousands(one.total.redundant + one.total.unpriced)),
    },
    Figure {
        name: "Turnover",
        meaning: "The prices of all fills",
        of: |one| plain(money(one.performance.traded.turnover)),
    },
    Figure {
        name: "Turnover by capital",
        meaning: "How often the capital was bought and sold",
        of: |one| or_dash(one.performance.turnover_ratio().map(|times| format!("{} ×", decimal(times, 2)))),
    },
];

fn plain(text: String) -> Cell {
    Cell { text, tone: Tone::Plain }
}

fn dash() -> Cell {
    plain("–".to_owned())
}

fn or_dash(text: Option<String>) -> Cell {
    text.map_or_else(dash, plain)
}

fn ratio(value: Option<f64>) -> Cell {
    or_dash(value.map(|value| decimal(value, 2)))
}

fn coloured(amount: i128, text: String) -> Cell {
    let tone = match amount.signum() {
        1 => Tone::Profit,
        -1 => Tone::Loss,
        _ => Tone::Plain,
    };
    Cell { text, tone }
}

fn of_drawdown(performance: &Performance, of: impl Fn(&DrawdownFigures) -> Option<String>) -> Cell {
    or_dash(performance.drawdown.as_ref().and_then(of))
}
