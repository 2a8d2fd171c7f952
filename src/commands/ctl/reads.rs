//! `orchard ctl positions`, `instruments`, `events` and `projections`.

use std::collections::VecDeque;

use anyhow::Result;
use clap::{Args, Subcommand};
use futures_util::{StreamExt, TryStreamExt, stream};
use tick_sdk::api::{EventView, InstrumentView, PositionView, ProjectionView};
use tick_sdk::client::{EventFilter, Items, PositionFilter};
use tick_sdk::contracts::CommandId;

use super::Session;
use super::output::{Columns, ListArgs, or_dash};
use crate::text::thousands;

/// Options of `orchard ctl positions`.
#[derive(Debug, Args)]
pub(super) struct PositionsArgs {
    /// Only of this run
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only of this instance of it
    #[arg(long, value_name = "NAME", requires = "run")]
    strategy: Option<String>,
    #[command(flatten)]
    which: ListArgs,
}

/// Options of `orchard ctl events`.
#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// Only of this context: accounts, ticks or strategies
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,
    /// Only with this name, as UserCreated
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Only what came of this command
    #[arg(long, value_name = "COMMANDID")]
    command: Option<CommandId>,
    /// Only behind this place of the context's log
    #[arg(long, value_name = "N", requires = "context")]
    position: Option<u64>,
    /// The last N instead of the first, the newest at the end
    #[arg(long, value_name = "N", conflicts_with_all = ["position", "limit", "all"], value_parser = clap::value_parser!(u32).range(1..=1000))]
    latest: Option<u32>,
    #[command(flatten)]
    which: ListArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum ProjectionsAction {
    /// How far each is, and at which event it stopped
    List(ListArgs),
    /// Leave out the event that a projection cannot apply; it goes on with the next
    Skip {
        /// The projection
        #[arg(value_name = "NAME")]
        name: String,
    },
}

const POSITIONS: Columns<PositionView> = Columns {
    titles: &[
        "run",
        "strategy",
        "position",
        "signals",
        "trades",
        "hit rate",
        "fees",
        "sharpe",
        "max drawdown",
        "net profit",
    ],
    numbers: &[3, 4, 5, 6, 7, 8, 9],
    row: |position| {
        let total = &position.total;
        let held = position.instruments.iter().filter(|one| one.position != "flat");
        let held: Vec<_> = held.map(|one| format!("{} {}", one.position, one.symbol)).collect();
        let hit_rate = total.hit_rate.map(|rate| format!("{:.1} %", rate * 100.0));
        vec![
            position.run.clone(),
            position.strategy.clone(),
            match held.as_slice() {
                [] => "flat".to_owned(),
                [one] => one.clone(),
                many => format!("{} instruments", many.len()),
            },
            thousands(total.signals),
            thousands(total.trades),
            or_dash(hit_rate.as_ref()),
            total.fees.clone(),
            or_dash(total.performance.sharpe.map(|sharpe| format!("{sharpe:.2}")).as_ref()),
            total.max_drawdown.clone(),
            total.equity.clone(),
        ]
    },
};

const INSTRUMENTS: Columns<InstrumentView> = Columns {
    titles: &["instrument", "last trade", "bid", "ask", "ticks", "last tick", "replay"],
    numbers: &[1, 2, 3, 4],
    row: |instrument| {
        vec![
            instrument.symbol.clone(),
            or_dash(instrument.last_trade.as_ref()),
            or_dash(instrument.bid.as_ref()),
            or_dash(instrument.ask.as_ref()),
            thousands(instrument.ticks),
            or_dash(instrument.last_at.as_ref()),
            instrument.replay_id.to_string(),
        ]
    },
};

const EVENTS: Columns<EventView> = Columns {
    titles: &["at", "context", "position", "event", "command"],
    numbers: &[2],
    row: |event| {
        vec![
            event.at.clone(),
            event.context.clone(),
            event.position.to_string(),
            event.name.clone(),
            or_dash(event.command_id.as_ref()),
        ]
    },
};

const PROJECTIONS: Columns<ProjectionView> = Columns {
    titles: &["projection", "version", "state", "behind", "stopped at", "reason"],
    numbers: &[1, 3],
    row: |projection| {
        let behind = projection.cursors.iter().map(|cursor| cursor.head.saturating_sub(cursor.position));
        let stopped = projection.stopped.as_ref();
        let at = stopped.map(|stopped| format!("{} {} {}", stopped.context, stopped.position, stopped.event));
        vec![
            projection.name.clone(),
            projection.version.to_string(),
            projection.state.clone(),
            thousands(behind.sum()),
            or_dash(at.as_ref()),
            stopped.map(|stopped| stopped.reason.clone()).unwrap_or_default(),
        ]
    },
};

pub(super) async fn positions(args: &PositionsArgs, session: &Session) -> Result<()> {
    let filter = PositionFilter { run: args.run.clone(), strategy: args.strategy.clone() };
    session.out.list(session.client.positions(&filter), &args.which, &POSITIONS).await
}

pub(super) async fn instruments(which: &ListArgs, session: &Session) -> Result<()> {
    session.out.list(session.client.instruments(), which, &INSTRUMENTS).await
}

pub(super) async fn events(args: &EventsArgs, session: &Session) -> Result<()> {
    let filter = EventFilter {
        context: args.context.clone(),
        name: args.name.clone(),
        command_id: args.command,
        after_position: args.position,
        latest: args.latest,
    };
    let events = session.client.events(&filter);
    let Some(latest) = args.latest else { return session.out.list(events, &args.which, &EVENTS).await };
    let latest = last(events, latest as usize).await?;
    session.out.list(stream::iter(latest).map(Ok).boxed(), &ListArgs::all(), &EVENTS).await
}

/// The last `count` of a list.
async fn last<T>(mut items: Items<T>, count: usize) -> Result<VecDeque<T>> {
    let mut last = VecDeque::with_capacity(count);
    while let Some(item) = items.try_next().await? {
        if last.len() == count {
            last.pop_front();
        }
        last.push_back(item);
    }
    Ok(last)
}

pub(super) async fn projections(action: &ProjectionsAction, session: &Session) -> Result<()> {
    match action {
        ProjectionsAction::List(which) => {
            session.out.list(session.client.projections(), which, &PROJECTIONS).await
        }
        ProjectionsAction::Skip { name } => {
            let projection = session.client.skip_event(name).await?;
            session.out.one(&projection, &facts(&projection))
        }
    }
}

fn facts(projection: &ProjectionView) -> Vec<(&'static str, String)> {
    let cursors = projection.cursors.iter();
    let cursors = cursors.map(|at| format!("{}: {} of {}", at.context, at.position, at.head));
    vec![
        ("Projection", projection.name.clone()),
        ("State", projection.state.clone()),
        ("Read", cursors.collect::<Vec<_>>().join("\n")),
    ]
}
