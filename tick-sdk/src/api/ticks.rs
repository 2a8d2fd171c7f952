use crate::shape::Form;
use crate::{shape, texts};

texts! {
    /// What a tick is, as [`TickView::kind`] has it.
    pub mod tick_kind {
        /// A trade.
        TRADE = "trade";
        /// The best bid.
        BID = "bid";
        /// The best ask.
        ASK = "ask";
    }
}

shape! {
    /// A tick of a capture.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct TickView {
        /// The venue's own time, in ns since the UNIX epoch.
        pub ts_event: u64,
        /// When the capture received it, in ns since the UNIX epoch.
        pub ts_recv: u64,
        /// The receive time as text, cut to seven digits.
        pub at: String as Form::Time,
        /// What it is.
        pub kind: String as Form::OneOf(&tick_kind::TEXTS),
        /// Who was the aggressor of a trade, `buy` or `sell`; empty where that is not known, and for quotes.
        pub side: String,
        /// In decimal; null where that side of the book is empty.
        pub price: Option<String> as Form::Decimal,
        /// In decimal.
        pub size: String as Form::Decimal,
        /// Whether it is the last of its event.
        pub is_last: bool,
    }
}

shape! {
    /// The ticks of an instrument around a time, of a replay's captures.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct TicksView {
        /// The run.
        pub run: String,
        /// The instrument.
        pub symbol: String,
        /// The receive time that was asked for, in ns since the UNIX epoch.
        pub around: u64,
        /// How many of the ticks are later than that.
        pub later: u64,
        /// The ticks, in order of receipt.
        pub ticks: Vec<TickView>,
    }
}

shape! {
    /// The trades of one stretch of time; of an instrument without trades the middles of its book, with volume 0.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CandleView {
        /// Receive time at which it begins, in ms since the UNIX epoch.
        pub start_ms: u64,
        /// Of the first trade, in decimal.
        pub open: String as Form::Decimal,
        /// The highest.
        pub high: String as Form::Decimal,
        /// The lowest.
        pub low: String as Form::Decimal,
        /// Of the last trade.
        pub close: String as Form::Decimal,
        /// What was traded.
        pub volume: String as Form::Decimal,
        /// How many trades.
        pub trades: u64,
    }
}

shape! {
    /// The last candles of an instrument in a replay's captures, or the last before a time.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CandlesView {
        /// The run.
        pub run: String,
        /// The instrument.
        pub symbol: String,
        /// How long each is, in seconds.
        pub interval: u32,
        /// The candles, the oldest first.
        pub candles: Vec<CandleView>,
        /// Whether the captures were read as far as was asked for; if not, later candles are missing, as it takes too
        /// long.
        pub is_complete: bool,
    }
}
