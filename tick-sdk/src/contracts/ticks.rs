//! Replays: the context `ticks`.

use uuid::Uuid;

use super::strategies::StrategySpec;
use crate::shape::Form;
use crate::{command, event, shape, texts};

/// The context's name, which is also its endpoint's.
pub const TICKS: &str = "ticks";

texts! {
    /// What to do with a malformed line, as [`StartReplay::on_bad_line`] has it.
    pub mod on_bad_line {
        /// The replay fails.
        STOP = "stop";
        /// The line is left out and counted.
        SKIP = "skip";
    }
}

texts! {
    /// How the paper account fills, as [`StartReplay::fill`] has it.
    pub mod fill {
        /// At the price of the signal.
        SIGNAL = "signal";
        /// At the other side of the market.
        CROSS = "cross";
    }
}

shape! {
    /// Plays files through strategies. The replay's id is the command's id.
    ///
    /// Everything but `files` may be absent. Each option means what `orchard replay` means by it.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct StartReplay {
        /// Files, folders or patterns below the folder of captures, with `/` between the parts; at most 1,000.
        pub files: Vec<String> as Form::Items(1000),
        /// Only these instruments; empty for all.
        #[serde(default)]
        pub symbols: Vec<String>,
        /// From this receive time on: RFC 3339, with its zone.
        pub from: Option<String> as Form::Time,
        /// Up to this receive time, which is left out: RFC 3339, with its zone.
        pub to: Option<String> as Form::Time,
        /// How many times as fast as it was received; as fast as possible where absent.
        pub speed: Option<f64> as Form::Above(0),
        /// How often all of it is played, 1 to 1,000,000; once where absent.
        #[serde(rename = "loop")]
        pub repeats: Option<u32> as Form::Between { least: 1, most: 1_000_000 },
        /// Who sees the ticks; what is deployed where empty.
        #[serde(default)]
        pub strategies: Vec<StrategySpec>,
        /// What the columns of CSV files mean, as `--map`.
        pub map: Option<String>,
        /// The zone of times that name none, as `--tz`.
        pub time_zone: Option<String>,
        /// Ticks may be late by so much, as `--reorder`: `5ms`, `2s`.
        pub reorder: Option<String>,
        /// What to do with a malformed line; `stop` where absent.
        pub on_bad_line: Option<String> as Form::OneOf(&on_bad_line::TEXTS),
        /// The text of a groups file, one `NAME = SYMBOL SYMBOL` a line.
        pub groups: Option<String>,
        /// How the paper account fills.
        pub fill: Option<String> as Form::OneOf(&fill::TEXTS),
        /// Its slippage in basis points, as decimal text.
        pub slippage: Option<String> as Form::Decimal,
        /// Its fee in basis points, as decimal text.
        pub fee: Option<String> as Form::Decimal,
        /// What its percentages are of, in the quote unit, as decimal text above 0; the first price of each instrument
        /// traded, summed, where absent.
        pub capital: Option<String> as Form::Decimal,
    }
}
command!(StartReplay, version 1, endpoint TICKS);

shape! {
    /// Ends a replay within a second; what it has committed stays.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CancelReplay {
        /// The replay, which is the id of the command that started it.
        pub replay_id: Uuid,
    }
}
command!(CancelReplay, version 1, endpoint TICKS);

shape! {
    /// Forgets an ended replay with its signals and accounts; its prices stay with the instruments.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ForgetReplay {
        /// The replay, which is the id of the command that started it.
        pub replay_id: Uuid,
    }
}
command!(ForgetReplay, version 1, endpoint TICKS);

shape! {
    /// A replay is recorded and waits for a worker.
    #[derive(Clone, Debug, PartialEq)]
    pub struct ReplayAccepted {
        /// The replay.
        pub replay_id: Uuid,
        /// What was asked for, with the strategies that it will have.
        pub plan: StartReplay,
    }
}
event!(ReplayAccepted, version 1, context TICKS);

shape! {
    /// A worker plays it; said again when another has taken it over.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ReplayStarted {
        /// The replay.
        pub replay_id: Uuid,
        /// The run under which its signals stand.
        pub run: String,
        /// Whether it goes on where an earlier worker's last commit was.
        pub is_resumed: bool,
        /// The feed whose hosts run its strategies; its worker does where absent.
        #[serde(default)]
        pub feed: Option<String>,
    }
}
event!(ReplayStarted, version 1, context TICKS);

shape! {
    /// How far a replay is, about once a second.
    #[derive(Clone, Debug, PartialEq)]
    pub struct ReplayProgressed {
        /// The replay.
        pub replay_id: Uuid,
        /// Ticks played, by this worker.
        pub ticks: u64,
        /// The share that is done, 0 to 1, where it is known.
        pub share: Option<f64>,
        /// Ticks a second.
        pub ticks_per_second: u64,
    }
}
event!(ReplayProgressed, version 1, context TICKS);

shape! {
    /// A replay has played everything.
    #[derive(Clone, Debug, PartialEq)]
    pub struct ReplayCompleted {
        /// The replay.
        pub replay_id: Uuid,
        /// The run under which its signals stand.
        pub run: String,
        /// What came of it.
        pub outcome: ReplayOutcome,
    }
}
event!(ReplayCompleted, version 1, context TICKS);

shape! {
    /// A replay was stopped on somebody's wish.
    #[derive(Clone, Debug, PartialEq)]
    pub struct ReplayCancelled {
        /// The replay.
        pub replay_id: Uuid,
        /// The run, where it had begun.
        pub run: Option<String>,
        /// What came of it until then, where it had begun.
        pub outcome: Option<ReplayOutcome>,
    }
}
event!(ReplayCancelled, version 1, context TICKS);

shape! {
    /// A replay could not go on.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ReplayFailed {
        /// The replay.
        pub replay_id: Uuid,
        /// The run, where it had begun.
        pub run: Option<String>,
        /// Why, with file, line and field where there are some.
        pub reason: String,
    }
}
event!(ReplayFailed, version 1, context TICKS);

shape! {
    /// A replay is there no more. What it published is removed after this, run by run: see
    /// [`RunForgotten`](super::strategies::RunForgotten).
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ReplayForgotten {
        /// The replay.
        pub replay_id: Uuid,
        /// The run, where it had begun.
        pub run: Option<String>,
    }
}
event!(ReplayForgotten, version 1, context TICKS);

shape! {
    /// What a replay did, in the words and figures of `orchard replay --json`.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct ReplayOutcome {
        /// Ticks played.
        pub ticks: u64,
        /// Signals of all strategies.
        pub signals: u64,
        /// Receive time of the first tick, in ns since the UNIX epoch.
        pub first_ts_recv: Option<u64>,
        /// Receive time of the last tick, in ns since the UNIX epoch.
        pub last_ts_recv: Option<u64>,
        /// How long the worker played.
        pub elapsed_seconds: f64,
        /// Lines that could not be read and were skipped.
        pub bad_lines: u64,
        /// The instruments, with their last prices.
        pub instruments: Vec<InstrumentPrices>,
    }
}

shape! {
    /// One instrument's ticks and last prices; prices are decimal text.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct InstrumentPrices {
        /// Its symbol.
        pub symbol: String,
        /// Trades, bids, asks and others.
        pub ticks: u64,
        /// Of the last trade.
        pub last_trade: Option<String> as Form::Decimal,
        /// The last best bid.
        pub bid: Option<String> as Form::Decimal,
        /// The last best ask.
        pub ask: Option<String> as Form::Decimal,
        /// Receive time of its last tick, in ns since the UNIX epoch.
        pub last_ts_recv: Option<u64>,
    }
}
