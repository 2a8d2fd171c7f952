use uuid::Uuid;

use crate::contracts::ticks::{ReplayOutcome, StartReplay};
use crate::shape::Form;
use crate::{shape, texts};

texts! {
    /// The states of a replay, as [`ReplayView::state`] has them.
    pub mod replay_state {
        /// Recorded; it waits for a worker.
        ACCEPTED = "accepted";
        /// A worker plays it.
        RUNNING = "running";
        /// Everything was played.
        COMPLETED = "completed";
        /// It could not go on.
        FAILED = "failed";
        /// It was stopped on somebody's wish.
        CANCELLED = "cancelled";
    }
}

shape! {
    /// A replay.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct ReplayView {
        /// The replay, which is the id of the command that started it.
        pub replay_id: Uuid,
        /// How it stands.
        pub state: String as Form::OneOf(&replay_state::TEXTS),
        /// The run under which its signals stand, once it has begun.
        pub run: Option<String>,
        /// What was asked for.
        pub plan: StartReplay,
        /// How far it is, while it runs.
        pub progress: Option<ReplayProgress>,
        /// What came of it, once it has ended.
        pub outcome: Option<ReplayOutcome>,
        /// Why it failed.
        pub reason: Option<String>,
        /// How often another worker took it over.
        pub resumed: u32,
        /// When it was recorded.
        pub accepted_at: String as Form::Time,
        /// When a worker first took it.
        pub started_at: Option<String> as Form::Time,
        /// When it ended.
        pub ended_at: Option<String> as Form::Time,
    }
}

shape! {
    /// How far a replay is.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct ReplayProgress {
        /// Ticks played, by this worker.
        pub ticks: u64,
        /// The share that is done, 0 to 1, where it is known.
        pub share: Option<f64>,
        /// Ticks a second.
        pub ticks_per_second: u64,
        /// When this was so.
        pub at: String as Form::Time,
    }
}

shape! {
    /// A file below the folder of captures.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct FileView {
        /// Its path below the folder, with `/` between the parts: what `files` of a replay takes.
        pub path: String,
        /// Its size.
        pub bytes: u64,
        /// When it last changed.
        pub modified_at: Option<String> as Form::Time,
    }
}
