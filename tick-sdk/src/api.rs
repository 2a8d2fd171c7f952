//! What the gateway's routes take and give, as JSON: one type a body, shared by the gateway and its clients.
//!
//! Names are camelCase. Times are RFC 3339 text in UTC with at most seven digits of a second, which is what
//! .NET reads without loss; exact nanoseconds stand beside them as integers. Prices and money are decimal text.
//! Enumerations are text, so that an older client takes a newer value.

use crate::shape;

mod commands;
mod errors;
mod problem;
mod reads;
mod replays;
mod results;
pub mod routes;
mod strategies;
mod ticks;
mod users;

pub use commands::{Accepted, CommandNode, CommandTree, CommandView, command_state};
pub use errors::{
    DiscardErrorsBody, ERRORS_AT_ONCE, ErrorDetailView, ErrorHost, ErrorQueueView, ErrorView, ErrorsDone,
    MOST_ERROR_IDS, MOST_ERRORS_AT_ONCE, MOST_ERRORS_LISTED, MoveErrorsBody, RequeueErrorsBody, StayedError,
    error_kind,
};
pub use problem::{PROBLEM_TYPE, Pointer, Problem};
pub use reads::{
    EventView, InstrumentView, PositionView, ProjectionCursor, ProjectionView, SignalView, StoppedProjection,
    projection_state,
};
pub use replays::{FileView, ReplayProgress, ReplayView, replay_state};
pub use results::{CurvesView, TradeView};
pub use strategies::{
    ChangeParametersBody, DeploymentView, LaneFailure, ParameterView, StrategyView, deployment_state,
    strategy_scope,
};
pub use ticks::{CandleView, CandlesView, TickView, TicksView, tick_kind};
pub use users::{RenameUserBody, UserView};

shape! {
    /// A part of a list. The next one begins at `next`; at the end it is null.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Page<T> {
        /// The items, at most as many as `limit` said.
        pub items: Vec<T>,
        /// The `cursor` of the next page. A page may have few items, or none, and still have a next one.
        pub next: Option<String>,
    }
}
