//! What strategies' runs come to: figures, round trips and curves, as events of the context `strategies`.
//!
//! `FIGURES.md` has each figure with its formula. Whoever reads these computes none of them.

use super::strategies::{STRATEGIES, side};
use crate::shape::Form;
use crate::{event, shape, texts};

texts! {
    /// What percentages are of, as [`PerformanceFigures::capital_basis`] has it.
    pub mod capital_basis {
        /// A capital that was stated.
        STATED = "stated";
        /// The first price of each instrument traded, summed.
        NOTIONAL = "notional";
    }
}

shape! {
    /// How well a paper account did; money is decimal text in the quote unit. What cannot be computed is absent.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct PerformanceFigures {
        /// What percentages are of.
        #[serde(default)]
        pub capital: Option<String> as Form::Decimal,
        /// Whether that was stated.
        #[serde(default)]
        pub capital_basis: Option<String> as Form::OneOf(&capital_basis::TEXTS),
        /// Realised and open profit, less fees.
        #[serde(default)]
        pub net_profit: Option<String> as Form::Decimal,
        /// The same in percent of the capital.
        #[serde(default)]
        pub net_profit_percent: Option<f64>,
        /// The mean of the returns by their standard deviation, a year.
        #[serde(default)]
        pub sharpe: Option<f64>,
        /// The mean of the returns by the root of the mean square of the negative ones, a year.
        #[serde(default)]
        pub sortino: Option<f64>,
        /// The length of the stretches of time whose returns these are made of, in ns.
        #[serde(default)]
        pub return_stretch_ns: u64,
        /// How many such stretches there are.
        #[serde(default)]
        pub return_stretches: u64,
        /// The maximum drawdown in percent of the capital.
        #[serde(default)]
        pub max_drawdown_percent: Option<f64>,
        /// When the equity was last at its highest before that, in ns since the UNIX epoch.
        #[serde(default)]
        pub drawdown_begin: Option<u64>,
        /// When it was lowest, in ns since the UNIX epoch.
        #[serde(default)]
        pub drawdown_bottom: Option<u64>,
        /// When it was at its highest again, in ns since the UNIX epoch.
        #[serde(default)]
        pub drawdown_recovered: Option<u64>,
        /// From the begin to the recovery or the run's end.
        #[serde(default)]
        pub drawdown_duration_ns: Option<u64>,
        /// From the bottom to the recovery.
        #[serde(default)]
        pub drawdown_recovery_ns: Option<u64>,
        /// How long the equity was below its highest before.
        #[serde(default)]
        pub under_water_ns: u64,
        /// The same as a share of the run's time, 0 to 1.
        #[serde(default)]
        pub under_water: f64,
        /// Positions closed with a loss.
        #[serde(default)]
        pub losses: u64,
        /// The profits of all that were closed with one, after fees.
        #[serde(default)]
        pub gross_profit: Option<String> as Form::Decimal,
        /// The losses of all that were closed with one, as a positive number.
        #[serde(default)]
        pub gross_loss: Option<String> as Form::Decimal,
        /// Gross profit by gross loss.
        #[serde(default)]
        pub profit_factor: Option<f64>,
        /// The mean profit of a closed position, after fees.
        #[serde(default)]
        pub expectancy: Option<String> as Form::Decimal,
        /// The mean profit of those with one.
        #[serde(default)]
        pub average_win: Option<String> as Form::Decimal,
        /// The mean loss of those with one, as a positive number.
        #[serde(default)]
        pub average_loss: Option<String> as Form::Decimal,
        /// The greatest profit of a closed position.
        #[serde(default)]
        pub largest_win: Option<String> as Form::Decimal,
        /// The greatest loss of one, as a positive number.
        #[serde(default)]
        pub largest_loss: Option<String> as Form::Decimal,
        /// The prices of all fills, summed.
        #[serde(default)]
        pub turnover: Option<String> as Form::Decimal,
        /// The same by the capital.
        #[serde(default)]
        pub turnover_ratio: Option<f64>,
    }
}

shape! {
    /// Positions that a strategy opened and closed on paper in a run, in the order in which they were closed.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct TradesClosed {
        /// The run.
        pub run: String,
        /// The instance's name.
        pub strategy: String,
        /// The place of the first among all of the strategy in the run, from 0.
        pub first: u64,
        /// The trades, in their order.
        pub trades: Vec<ClosedTrade>,
    }
}
event!(TradesClosed, version 1, context STRATEGIES);

shape! {
    /// A position of one unit that was opened and closed; money is decimal text in the quote unit.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ClosedTrade {
        /// The instrument's symbol.
        pub symbol: String,
        /// What was done to open it: `buy` was long, `sell` was short.
        pub side: String as Form::OneOf(&side::TEXTS),
        /// Receive time of the tick at which it was opened, in ns since the UNIX epoch.
        pub opened_at_ns: u64,
        /// Receive time of the tick at which it was closed, in ns since the UNIX epoch.
        pub closed_at_ns: u64,
        /// What it was opened for.
        pub entry: String as Form::Decimal,
        /// What it was closed for.
        pub exit: String as Form::Decimal,
        /// Of both fills.
        pub fees: String as Form::Decimal,
        /// After fees.
        pub profit: String as Form::Decimal,
    }
}

shape! {
    /// What a strategy's account in a run looks like over time. Every list is bounded.
    #[derive(Clone, Debug, PartialEq)]
    pub struct CurvesDrawn {
        /// The run.
        pub run: String,
        /// The instance's name.
        pub strategy: String,
        /// The curves.
        #[serde(flatten)]
        pub curves: Curves,
    }
}
event!(CurvesDrawn, version 1, context STRATEGIES);

shape! {
    /// What an account looks like over time; money is decimal text in the quote unit.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct Curves {
        /// Realised and open profit less fees, with every extreme of what the points stand for.
        pub equity: Vec<CurvePoint>,
        /// How far the equity was below its highest before, likewise.
        pub drawdown: Vec<CurvePoint>,
        /// How much was held in each stretch of time.
        pub exposure: Vec<ExposureOfStretch>,
        /// What was earned by day (UTC).
        pub days: Vec<ProfitOfDay>,
        /// What was earned by hour of the day (UTC).
        pub hours: Vec<ProfitOfHour>,
        /// The width of each bin of the results, absent where no position was closed.
        pub result_width: Option<String> as Form::Decimal,
        /// How the results of closed positions are distributed: the bins that have any.
        pub results: Vec<ResultBin>,
    }
}

shape! {
    /// A value at a time.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CurvePoint {
        /// Receive time in ns since the UNIX epoch.
        pub ts_recv: u64,
        /// Money.
        pub value: String as Form::Decimal,
    }
}

shape! {
    /// How much was held in a stretch of time.
    #[derive(Clone, Debug, PartialEq)]
    pub struct ExposureOfStretch {
        /// Where it begins, in ns since the UNIX epoch.
        pub ts_recv: u64,
        /// For how long positions were held; two at once count twice.
        pub held_ns: u64,
        /// The same by the stretch's time and the number of instruments, 0 to 1.
        pub share: f64,
    }
}

shape! {
    /// What was earned in a day, or in several of a long run.
    #[derive(Clone, Debug, PartialEq)]
    pub struct ProfitOfDay {
        /// Its midnight (UTC), in ns since the UNIX epoch.
        pub start_ns: u64,
        /// How many days these are.
        pub days: u64,
        /// What was earned.
        #[serde(flatten)]
        pub figures: PeriodProfit,
    }
}

shape! {
    /// What was earned in an hour of all days.
    #[derive(Clone, Debug, PartialEq)]
    pub struct ProfitOfHour {
        /// 0 to 23, in UTC.
        pub hour: u16,
        /// What was earned.
        #[serde(flatten)]
        pub figures: PeriodProfit,
    }
}

shape! {
    /// What was earned in a period.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct PeriodProfit {
        /// What the equity changed by.
        pub net_profit: String as Form::Decimal,
        /// The same in percent of the capital.
        pub net_profit_percent: Option<f64>,
        /// Positions closed in it.
        pub trades: u64,
        /// Of those, with profit.
        pub wins: u64,
        /// Of those, with a loss.
        pub losses: u64,
        /// `wins / trades`, where there are trades.
        pub hit_rate: Option<f64>,
        /// Gross profit by gross loss.
        pub profit_factor: Option<f64>,
        /// The mean profit of a closed position, after fees.
        pub expectancy: Option<String> as Form::Decimal,
        /// The mean profit of those with one.
        pub average_win: Option<String> as Form::Decimal,
        /// The mean loss of those with one, as a positive number.
        pub average_loss: Option<String> as Form::Decimal,
        /// The greatest profit of a closed position.
        pub largest_win: Option<String> as Form::Decimal,
        /// The greatest loss of one, as a positive number.
        pub largest_loss: Option<String> as Form::Decimal,
        /// The prices of all fills, summed.
        pub turnover: String as Form::Decimal,
        /// Paid.
        pub fees: String as Form::Decimal,
        /// For how long positions were held; two at once count twice.
        pub held_ns: u64,
    }
}

shape! {
    /// Closed positions with about the same result.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ResultBin {
        /// The least profit of the bin.
        pub from: String as Form::Decimal,
        /// How many there are.
        pub trades: u64,
    }
}
