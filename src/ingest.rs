//! `orchard ingest`: files as a feed on RabbitMQ. Arguments and printing; the work is done by
//! [`tick_ingest::publish`].

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use live::LiveMarket;
use live::rabbitmq::{LinkPlan, LiveLink};
use tick_ingest::publish::{self, Cancellation, IngestEnd, IngestError, IngestPlan};

use crate::budget;
use crate::commands::replay::{read_groups, sources};
use crate::counts;
use crate::ended::{Ended, UsageError};
use crate::sources::{Sources, on_interrupt};

mod absent;
mod args;
mod show;
mod summary;

pub(crate) use args::IngestArgs;
use show::Show;

/// At the end prices are shared for so long at most.
const SHARE_END: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &IngestArgs) -> Result<Ended> {
    let plan = plan(args)?;
    // Up to here Ctrl-C ends the process by itself, as nothing has begun.
    let prepared = publish::prepare(&plan).map_err(explain)?;
    let cancellation = Cancellation::default();
    let canceller = cancellation.clone();
    on_interrupt(move || canceller.cancel())?;
    let mut show = Show::new(args)?;
    let market = LiveMarket::default();
    let link = LinkPlan { publishes: true, ..LinkPlan::new(plan.brokers.clone()) };
    let link = LiveLink::start(&market, link).context("starting a thread")?;
    let recorder = market.begin(&format!("feed/{}", plan.feed), &prepared.run_id().to_string());
    let prepared = prepared.observed(Arc::new(recorder));
    let outcome = prepared.run(&cancellation, |event| show.on_event(event)).map_err(explain)?;
    link.finish(SHARE_END);
    let text = if args.json { summary::json(&outcome) } else { summary::text(&outcome) };
    crate::stdout::stdout().write_all(text.as_bytes()).context("writing the summary")?;
    let is_empty = outcome.snapshot.published() == 0 && outcome.end != IngestEnd::Cancelled;
    if let Some(reason) = counts::nothing_but(&outcome.counts).filter(|_| is_empty) {
        eprintln!("No tick was published: {reason}.");
    }
    Ok(match outcome.end {
        IngestEnd::RunEnded | IngestEnd::Published => Ended::Done,
        IngestEnd::Cancelled => Ended::Interrupted,
    })
}

/// What is wrong with the command line ends with another exit code.
fn explain(error: IngestError) -> anyhow::Error {
    if error.is_usage() { UsageError(error.to_string()).into() } else { error.into() }
}

fn plan(args: &IngestArgs) -> Result<IngestPlan> {
    let (_, groups) = read_groups(args.groups.as_deref())?;
    let Sources { specs, read } = sources(&args.sources, &args.market)?;
    // A run that is resumed keeps the budget that placed its shards.
    let budget = match args.resume {
        Some(_) => args.budget.clone(),
        None => Some(budget::or_measured(args.budget.as_ref())?),
    };
    Ok(IngestPlan {
        feed: args.feed.clone(),
        brokers: args.broker.clone(),
        strategies: args.strategies.clone(),
        selection: args.selection.selection(&specs)?,
        sources: specs,
        read,
        groups,
        pace: args.clock.pace(),
        shards: args.shards,
        durability: args.durability,
        queue_bytes: args.queue_bytes,
        abandon_after: args.abandon_after,
        budget,
        linger: args.linger,
        frame_ticks: args.frame_ticks,
        frame_bytes: args.frame_bytes,
        state: args.state.clone().unwrap_or_else(|| IngestPlan::usual_state(&args.feed)),
        begin: args.begin(),
        at_end: args.at_end(),
    })
}
