//! Every route of the gateway, with what it takes and gives.

use crate::contracts::accounts::CreateUser;
use crate::contracts::strategies::{DeployStrategy, side};
use crate::contracts::ticks::StartReplay;
use crate::shape::{Form, Shape, Shaped, Type};

use super::{
    CandlesView, ChangeParametersBody, CommandTree, CommandView, CurvesView, DeploymentView,
    DiscardErrorsBody, ErrorDetailView, ErrorQueueView, ErrorView, ErrorsDone, EventView, FileView,
    InstrumentView, MOST_ERRORS_LISTED, MoveErrorsBody, PositionView, ProjectionView, RenameUserBody,
    ReplayView, RequeueErrorsBody, SignalView, StrategyView, TicksView, TradeView, UserView, command_state,
    replay_state,
};

/// One method of a path.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// What clients call it, as `createUser`.
    pub name: &'static str,
    /// The method in lower case.
    pub method: &'static str,
    /// The path, with its parameters in braces. `{id}` is a GUID, any other is text.
    pub path: &'static str,
    /// What it is for, in one line.
    pub summary: &'static str,
    /// What the query may have, beside what [`Route::query`] adds.
    own_query: &'static [Query],
    /// The body that it needs.
    pub body: Option<Body>,
    /// What it answers where all is well.
    pub answer: Answer,
}

/// The body that a route needs.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    /// Its shape.
    pub shape: fn() -> &'static Shape,
    /// One that could be sent, as JSON.
    pub example: &'static str,
}

/// What a route answers where all is well.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// 202 with [`Accepted`](super::Accepted): a command was sent.
    Accepted,
    /// 200 with one of these; a `GET` answers 304 to whoever has it.
    One(fn() -> &'static Shape),
    /// 200 with a [`Page`](super::Page) of these.
    Page(fn() -> &'static Shape),
    /// 200 with a page of these; or with all of them as `text/csv` or `application/x-ndjson` when asked for.
    Streamed(fn() -> &'static Shape),
    /// 200 with a body of this media type.
    Other(&'static str),
}

/// A parameter of a query. All of them can be left out.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub docs: &'static str,
    /// The type of its value; a list is given by repeating it.
    pub kind: Type,
    /// What is true of its value beside the type.
    pub form: Form,
}

impl Query {
    const fn new(name: &'static str, docs: &'static str, kind: Type, form: Form) -> Self {
        Self { name, docs, kind, form }
    }

    const fn text(name: &'static str) -> Self {
        Self::new(name, "only of this one", Type::Text, Form::Any)
    }
}

const TEXTS: Type = <Vec<String>>::TYPE;
/// The most items of a page.
const MOST_ITEMS: u64 = 1000;

const LIMIT: Query =
    Query::new("limit", "items of a page", u16::TYPE, Form::Between { least: 1, most: MOST_ITEMS });
const CURSOR: Query = Query::new("cursor", "`next` of the page before", Type::Text, Form::Any);
const AFTER: Query = Query::new(
    "after",
    "wait until what this command made can be read; 409 where that takes longer",
    Type::Guid,
    Form::Any,
);
const WAIT: Query = Query::new(
    "wait",
    "wait so long for the end, and for a command that is not known yet: 5s, 500ms",
    Type::Text,
    Form::Any,
);
const FROM: Query = Query::new("from", "receive time, with its zone", Type::Text, Form::Time);
const TO: Query = Query::new("to", "receive time, with its zone", Type::Text, Form::Time);
const SIDE: Query = Query::new("side", "in any case", Type::Text, Form::OneOf(&side::TEXTS));
const MIN_PRICE: Query = Query::new("minPrice", "no price below it", Type::Text, Form::Decimal);
const LATEST: Query = Query::new("latest", "begin with the last events", Type::Truth, Form::Any);
const LATEST_OF_RUN: Query =
    Query::new("latest", "the last `limit` of the run instead of the first", Type::Truth, Form::Any);
const POSITION: Query =
    Query::new("position", "begin behind this place of the context's log", u64::TYPE, Form::Any);
const COMMAND: Query = Query::new("command", "only of this command", Type::Guid, Form::Any);
const STRATEGIES: Query = Query::new("strategy", "can be repeated", TEXTS, Form::Any);
const SYMBOLS: Query = Query::new("symbol", "can be repeated", TEXTS, Form::Any);
const STATE_OF_COMMAND: Query =
    Query::new("state", "only in this state, in any case", Type::Text, Form::OneOf(&command_state::TEXTS));
const STATE_OF_REPLAY: Query =
    Query::new("state", "only in this state, in any case", Type::Text, Form::OneOf(&replay_state::TEXTS));
const TYPE_OF_ERROR: Query =
    Query::new("type", "whose type has this in it, in any case", Type::Text, Form::Any);
const REASON: Query =
    Query::new("reason", "whose reason or exception has this in it, in any case", Type::Text, Form::Any);
const OLDER_THAN: Query =
    Query::new("olderThan", "that failed so long ago, or longer: 2h, 30d", Type::Text, Form::Any);
const NEWER_THAN: Query =
    Query::new("newerThan", "that failed since so long ago: 2h, 30d", Type::Text, Form::Any);
const SCAN: Query = Query::new(
    "scan",
    "look at so many messages of a queue at most: where queues are listed 1,000, else 10,000",
    u16::TYPE,
    Form::Between { least: 1, most: MOST_ERRORS_LISTED as u64 },
);

const AROUND: Query = Query::new("around", "receive time, in ns since the UNIX epoch", u64::TYPE, Form::Any);
const SYMBOL: Query = Query::new("symbol", "the instrument, which has to be given", Type::Text, Form::Any);
const INTERVAL: Query = Query::new(
    "interval",
    "how many seconds a candle has: 1, 10, 60, 300 or 3600; 60 unless given",
    u32::TYPE,
    Form::Between { least: 1, most: 3600 },
);
const COUNT_OF_TICKS: Query = Query::new(
    "count",
    "how many, a half up to that time and a half later; 50 unless given",
    u16::TYPE,
    Form::Between { least: 1, most: 1000 },
);
const COUNT_OF_CANDLES: Query =
    Query::new("count", "how many at most, the last", u16::TYPE, Form::Between { least: 1, most: 2000 });

const PAGE: &[Query] = &[LIMIT, CURSOR];

impl Route {
    const fn read(name: &'static str, path: &'static str, summary: &'static str, answer: Answer) -> Self {
        Self { name, method: "get", path, summary, own_query: &[], body: None, answer }
    }

    /// A route that sends a command.
    const fn wish(
        name: &'static str,
        method: &'static str,
        path: &'static str,
        summary: &'static str,
    ) -> Self {
        Self { name, method, path, summary, own_query: &[], body: None, answer: Answer::Accepted }
    }

    /// A route that acts at once, rather than by a command: what it answers is done.
    const fn act(
        name: &'static str,
        path: &'static str,
        summary: &'static str,
        answer: fn() -> &'static Shape,
    ) -> Self {
        Self { name, method: "post", path, summary, own_query: &[], body: None, answer: Answer::One(answer) }
    }

    const fn query_of(self, own_query: &'static [Query]) -> Self {
        Self { own_query, ..self }
    }

    const fn body(self, shape: fn() -> &'static Shape, example: &'static str) -> Self {
        Self { body: Some(Body { shape, example }), ..self }
    }

    /// What the query may have.
    pub fn query(&self) -> impl Iterator<Item = Query> {
        let waits = self.method == "get" && self.path.starts_with("/api/");
        self.own_query.iter().copied().chain(waits.then_some(AFTER))
    }

    /// The names of the path's parameters.
    pub fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split(['{', '}']).skip(1).step_by(2)
    }

    /// Whether a client that has the answer already can ask for it only if it has changed.
    pub fn has_tag(&self) -> bool {
        self.method == "get" && matches!(self.answer, Answer::One(_))
    }
}

/// Every route, in the order in which they are shown.
pub const ROUTES: &[Route] = &[
    Route::wish("createUser", "post", "/api/users", "Create a user")
        .body(CreateUser::shape, r#"{"email": "ann@example.org", "name": "Ann"}"#),
    Route::read("users", "/api/users", "Users in order of creation", Answer::Page(UserView::shape))
        .query_of(PAGE),
    Route::read("user", "/api/users/{id}", "A user", Answer::One(UserView::shape)),
    Route::wish("renameUser", "patch", "/api/users/{id}", "Give a user another name")
        .body(RenameUserBody::shape, r#"{"name": "Anna"}"#),
    Route::wish("disableUser", "delete", "/api/users/{id}", "Disable a user"),
    Route::wish("startReplay", "post", "/api/replays", "Play files through strategies").body(
        StartReplay::shape,
        r#"{"files": ["usdm_btcusdt_20240808.zst"], "strategies": [{"strategy": "apple"}]}"#,
    ),
    Route::read("replays", "/api/replays", "Replays, the newest first", Answer::Page(ReplayView::shape))
        .query_of(&[STATE_OF_REPLAY, LIMIT, CURSOR]),
    Route::read("replay", "/api/replays/{id}", "A replay", Answer::One(ReplayView::shape)),
    Route::read(
        "replayReport",
        "/api/replays/{id}/report",
        "The page of a replay that has ended",
        Answer::Other("text/html"),
    ),
    Route::wish("deleteReplay", "delete", "/api/replays/{id}", "End a replay"),
    Route::wish("cancelReplay", "post", "/api/replays/{id}/cancel", "End a replay"),
    Route::wish(
        "forgetReplay",
        "post",
        "/api/replays/{id}/forget",
        "Forget an ended replay with its signals and positions",
    ),
    Route::read("files", "/api/files", "Files that can be replayed", Answer::Page(FileView::shape))
        .query_of(PAGE),
    Route::read(
        "strategies",
        "/api/strategies",
        "Strategies of this program",
        Answer::Page(StrategyView::shape),
    )
    .query_of(PAGE),
    Route::read("strategy", "/api/strategies/{name}", "A strategy", Answer::One(StrategyView::shape)),
    Route::wish("deployStrategy", "post", "/api/deployments", "Deploy a strategy").body(
        DeployStrategy::shape,
        r#"{"name": "trend", "strategy": "apple", "parameters": {"fast": "8"}}"#,
    ),
    Route::read(
        "deployments",
        "/api/deployments",
        "Deployments in order of name",
        Answer::Page(DeploymentView::shape),
    )
    .query_of(PAGE),
    Route::read("deployment", "/api/deployments/{name}", "A deployment", Answer::One(DeploymentView::shape)),
    Route::wish("changeParameters", "patch", "/api/deployments/{name}", "Change parameters")
        .body(ChangeParametersBody::shape, r#"{"parameters": {"fast": "9"}}"#),
    Route::wish("stopStrategy", "delete", "/api/deployments/{name}", "Stop a deployment"),
    Route::read("commands", "/api/commands", "Commands, the newest first", Answer::Page(CommandView::shape))
        .query_of(&[STATE_OF_COMMAND, LIMIT, CURSOR]),
    Route::read(
        "command",
        "/api/commands/{id}",
        "What has become of a command",
        Answer::One(CommandView::shape),
    )
    .query_of(&[WAIT]),
    Route::read(
        "commandTree",
        "/api/commands/{id}/tree",
        "A command's causes and effects",
        Answer::One(CommandTree::shape),
    ),
    Route::wish("requeueCommand", "post", "/api/commands/{id}/requeue", "Try a failed command again"),
    Route::read(
        "signals",
        "/api/signals",
        "Signals in order of run, receive time, instrument and strategy",
        Answer::Streamed(SignalView::shape),
    )
    .query_of(&[
        Query::text("run"),
        STRATEGIES,
        SYMBOLS,
        SIDE,
        FROM,
        TO,
        MIN_PRICE,
        LATEST_OF_RUN,
        LIMIT,
        CURSOR,
    ]),
    Route::read("positions", "/api/positions", "Positions and profit", Answer::Page(PositionView::shape))
        .query_of(&[Query::text("run"), Query::text("strategy"), LIMIT, CURSOR]),
    Route::read(
        "trades",
        "/api/trades",
        "Positions that were closed, in order of run, strategy and closing",
        Answer::Streamed(TradeView::shape),
    )
    .query_of(&[Query::text("run"), STRATEGIES, SYMBOLS, SIDE, FROM, TO, LIMIT, CURSOR]),
    Route::read(
        "curves",
        "/api/runs/{run}/curves",
        "Equity, drawdown, exposure and profit of a run over time",
        Answer::Page(CurvesView::shape),
    )
    .query_of(&[Query::text("strategy"), LIMIT, CURSOR]),
    Route::read(
        "runTicks",
        "/api/runs/{run}/ticks",
        "Ticks of a replay's captures around a time",
        Answer::One(TicksView::shape),
    )
    .query_of(&[SYMBOL, AROUND, COUNT_OF_TICKS]),
    Route::read(
        "runCandles",
        "/api/runs/{run}/candles",
        "Candles of a replay's captures",
        Answer::One(CandlesView::shape),
    )
    .query_of(&[SYMBOL, INTERVAL, TO, COUNT_OF_CANDLES]),
    Route::read(
        "instruments",
        "/api/instruments",
        "Instruments with last prices",
        Answer::Page(InstrumentView::shape),
    )
    .query_of(PAGE),
    Route::read("events", "/api/events", "Events in order of time", Answer::Page(EventView::shape))
        .query_of(&[Query::text("context"), Query::text("name"), COMMAND, POSITION, LATEST, LIMIT, CURSOR]),
    Route::read(
        "projections",
        "/api/projections",
        "How far documents are",
        Answer::Page(ProjectionView::shape),
    )
    .query_of(PAGE),
    Route::act(
        "skipEvent",
        "/api/projections/{name}/skip",
        "Leave out the event at which a projection stopped",
        ProjectionView::shape,
    ),
    Route::read(
        "errorQueues",
        "/api/errors",
        "Queues of messages that failed, in order of name",
        Answer::Page(ErrorQueueView::shape),
    )
    .query_of(&[SCAN, LIMIT, CURSOR]),
    Route::read(
        "errors",
        "/api/errors/{queue}",
        "Messages of a queue that failed, the newest first",
        Answer::Page(ErrorView::shape),
    )
    .query_of(&[TYPE_OF_ERROR, REASON, OLDER_THAN, NEWER_THAN, SCAN, LIMIT, CURSOR]),
    Route::read(
        "error",
        "/api/errors/{queue}/{message}",
        "A message that failed, by its own id, its message's or its command's",
        Answer::One(ErrorDetailView::shape),
    ),
    Route::act(
        "requeueErrors",
        "/api/errors/{queue}/requeue",
        "Give messages at once to the endpoint where they failed, as they were sent",
        ErrorsDone::shape,
    )
    .body(RequeueErrorsBody::shape, r#"{"type": "CreateUser", "reason": "timeout", "dryRun": true}"#),
    Route::act(
        "moveErrors",
        "/api/errors/{queue}/move",
        "Give messages at once to another queue, with the headers that say how they failed",
        ErrorsDone::shape,
    )
    .body(MoveErrorsBody::shape, r#"{"olderThan": "30d", "to": "parked", "dryRun": true}"#),
    Route::act(
        "discardErrors",
        "/api/errors/{queue}/discard",
        "Write messages down in the server's folder of state, and remove them at once",
        ErrorsDone::shape,
    )
    .body(DiscardErrorsBody::shape, r#"{"ids": ["0197f0aa-0000-7000-8000-000000000001"], "dryRun": true}"#),
    Route::read("live", "/health/live", "Whether the server lives", Answer::Other("application/json")),
    Route::read("ready", "/health/ready", "Whether the server can answer", Answer::Other("application/json")),
    Route::read("openApi", "/openapi.json", "This document", Answer::Other("application/json")),
    Route::read("docs", "/docs", "A page that shows this document", Answer::Other("text/html")),
];
