use crate::contracts::results::Curves;
use crate::contracts::strategies::side;
use crate::shape;
use crate::shape::Form;

shape! {
    /// A position of one unit that a strategy opened and closed on paper in a run.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct TradeView {
        /// The run.
        pub run: String,
        /// The instance's name.
        pub strategy: String,
        /// Its place among all of the strategy in the run, from 0.
        pub number: u64,
        /// The instrument's symbol.
        pub symbol: String,
        /// What was done to open it: `buy` was long, `sell` was short.
        pub side: String as Form::OneOf(&side::TEXTS),
        /// Receive time of the tick at which it was opened, in ns since the UNIX epoch.
        pub opened_at_ns: u64,
        /// The same as text, cut to seven digits.
        pub opened_at: String as Form::Time,
        /// Receive time of the tick at which it was closed, in ns since the UNIX epoch.
        pub closed_at_ns: u64,
        /// The same as text, cut to seven digits.
        pub closed_at: String as Form::Time,
        /// What it was opened for, after slippage.
        pub entry: String as Form::Decimal,
        /// What it was closed for, after slippage.
        pub exit: String as Form::Decimal,
        /// Of both fills.
        pub fees: String as Form::Decimal,
        /// After slippage and fees.
        pub profit: String as Form::Decimal,
    }
}

shape! {
    /// What a strategy's account in a run looks like over time. Every list is bounded.
    #[derive(Clone, Debug, PartialEq)]
    pub struct CurvesView {
        /// The run.
        pub run: String,
        /// The instance's name.
        pub strategy: String,
        /// The curves.
        #[serde(flatten)]
        pub curves: Curves,
    }
}
