//! `orchard run`: one strategy on a feed's shards, shared with whoever runs the same.

use std::sync::Arc;

use anyhow::Result;
use strategy_host::run::{Cancellation, RunEnd, RunError, RunPlan, leave, run as take_part};

use crate::commands::replay::strategies;
use crate::ended::{Ended, UsageError};
use crate::sources::on_interrupt;

mod args;
mod show;
mod summary;

pub(crate) use args::RunArgs;
use show::Show;

pub(crate) fn run(args: &RunArgs) -> Result<Ended> {
    let cancellation = Cancellation::default();
    let interrupted = cancellation.clone();
    on_interrupt(move || interrupted.cancel())?;
    // What is wrong with the command is known before anything is connected.
    let plan = plan(args)?;
    let mut show = Show::new(args, plan.name.clone());
    let on_event = |event| show.on_event(event);
    let ended = if args.leave {
        leave(&plan, &cancellation, on_event)
            .map(|has_left| if has_left { Ended::Done } else { Ended::Interrupted })
    } else {
        take_part(&plan, &cancellation, on_event).map(|end| match end {
            RunEnd::RunEnded => Ended::Done,
            RunEnd::Cancelled => Ended::Interrupted,
        })
    };
    show.finish()?;
    ended.map_err(explain)
}

/// What is wrong with the command line ends with another exit code.
fn explain(error: RunError) -> anyhow::Error {
    if error.is_usage() { UsageError(error.to_string()).into() } else { error.into() }
}

fn plan(args: &RunArgs) -> Result<RunPlan> {
    let mut instances = strategies(std::slice::from_ref(&args.strategy))?;
    let Some(instance) = instances.pop().filter(|_| instances.is_empty()) else {
        let reason = "--strategy: one strategy a process; start another for each";
        return Err(UsageError(reason.to_owned()).into());
    };
    Ok(RunPlan {
        brokers: args.broker.clone(),
        feed: args.feed.clone(),
        name: args.name.clone().unwrap_or(instance.name),
        configured: Arc::from(instance.configured),
        state: args.state.clone(),
        begin: args.from.into(),
        accept_gaps: args.accept_gap,
        prefetch_bytes: args.prefetch_bytes as usize,
        at_end: args.at_end(),
    })
}
