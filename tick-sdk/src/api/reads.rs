use serde_json::Value;
use uuid::Uuid;

use crate::contracts::strategies::{AccountFigures, InstrumentFigures, side};
use crate::contracts::{CommandId, ConversationId, MessageId};
use crate::shape::Form;
use crate::{shape, texts};

shape! {
    /// A committed signal.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SignalView {
        /// The run.
        pub run: String,
        /// The instance's name.
        pub strategy: String,
        /// The instrument's symbol.
        pub symbol: String,
        /// The shard.
        pub shard: u16,
        /// The tick's place in its shard.
        pub seq: u64,
        /// Counts the signals of one (strategy, shard, seq).
        pub n: u32,
        /// The tick's event time, in ns since the UNIX epoch.
        pub ts_event: u64,
        /// The tick's receive time, in ns since the UNIX epoch.
        pub ts_recv: u64,
        /// The event time as text, cut to seven digits.
        pub at: String as Form::Time,
        /// What it asks for.
        pub side: String as Form::OneOf(&side::TEXTS),
        /// In decimal; null where it is undefined.
        pub price: Option<String> as Form::Decimal,
    }
}

shape! {
    /// What a strategy earned on paper in a run, as its report has it.
    #[derive(Clone, Debug, PartialEq)]
    pub struct PositionView {
        /// The run.
        pub run: String,
        /// The instance's name.
        pub strategy: String,
        /// Over all instruments.
        pub total: AccountFigures,
        /// By instrument, in order of symbol.
        pub instruments: Vec<InstrumentFigures>,
        /// When it was so marked.
        pub marked_at: String as Form::Time,
    }
}

shape! {
    /// An instrument with the last prices that a replay had.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct InstrumentView {
        /// Its symbol.
        pub symbol: String,
        /// Its ticks in that replay.
        pub ticks: u64,
        /// The price of the last trade.
        pub last_trade: Option<String> as Form::Decimal,
        /// The last best bid.
        pub bid: Option<String> as Form::Decimal,
        /// The last best ask.
        pub ask: Option<String> as Form::Decimal,
        /// Receive time of its last tick, in ns since the UNIX epoch.
        pub last_ts_recv: Option<u64>,
        /// The same as text, cut to seven digits.
        pub last_at: Option<String> as Form::Time,
        /// The replay that had it: of all, the one with the latest tick.
        pub replay_id: Uuid,
    }
}

shape! {
    /// An event of a context's log.
    #[derive(Clone, Debug, PartialEq)]
    pub struct EventView {
        /// The context.
        pub context: String,
        /// Its place in the context's log.
        pub position: u64,
        /// The message.
        pub message_id: MessageId,
        /// Its contract, as `UserCreated`.
        pub name: String,
        /// The contract's version.
        pub version: u32,
        /// The command of which it came.
        pub command_id: Option<CommandId>,
        /// The first of the tree of causes.
        pub correlation_id: Option<ConversationId>,
        /// The command that caused its command.
        pub caused_by: Option<CommandId>,
        /// When it was written.
        pub at: String as Form::Time,
        /// The event itself.
        pub body: Value,
    }
}

texts! {
    /// The states of a projection, as [`ProjectionView::state`] has them.
    pub mod projection_state {
        /// It applies events as they come.
        RUNNING = "running";
        /// It could not apply an event.
        STOPPED = "stopped";
    }
}

shape! {
    /// How far the documents of one kind are.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ProjectionView {
        /// Its name.
        pub name: String,
        /// Its version.
        pub version: u32,
        /// How it stands.
        pub state: String as Form::OneOf(&projection_state::TEXTS),
        /// How far it is in each context's log.
        pub cursors: Vec<ProjectionCursor>,
        /// The event that it could not apply, where it stopped.
        pub stopped: Option<StoppedProjection>,
    }
}

shape! {
    /// How far a projection is in a context's log.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ProjectionCursor {
        /// The context.
        pub context: String,
        /// The last event that was applied.
        pub position: u64,
        /// The last event that there is.
        pub head: u64,
    }
}

shape! {
    /// An event that could not be applied.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct StoppedProjection {
        /// The context.
        pub context: String,
        /// The event's place in the context's log.
        pub position: u64,
        /// The event's contract.
        pub event: String,
        /// Why it could not be applied.
        pub reason: String,
        /// What to run to leave it out, once it is understood.
        pub skip: String,
    }
}
