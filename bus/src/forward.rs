//! Sends on what handlers have sent.

use std::collections::BTreeMap;

use tick_sdk::contracts::bus::CommandFailed;

use crate::events::json;
use crate::kill_point::kill_point;
use crate::lane::{Place, Step};
use crate::store::{
    Acceptance, CommandState, DueCommand, NewCommand, NewEvent, StateChange, StateKind, StoreError,
};
use crate::transport::{Elsewhere, InProcess};

/// So many commands of handlers are sent on at once.
const FORWARD: usize = 256;

/// Held by the process that sends a context's commands elsewhere.
const FORWARD_LEASE: &str = "forward";
const FORWARD_LEASE_MS: u64 = 10_000;

/// A command is in its endpoint's inbox before it is removed here; one that is sent twice after a kill in between
/// is known there.
pub(crate) fn forward(in_process: &InProcess, from: &Place, now_ms: u64) -> Result<Step, StoreError> {
    let outgoing = from.store.outgoing(FORWARD)?;
    let Some((last, _)) = outgoing.last() else { return Ok(Step::Idle(None)) };
    let last = *last;
    let count = outgoing.len();
    let mut by_endpoint: BTreeMap<String, Vec<NewCommand>> = BTreeMap::new();
    for (_, command) in outgoing {
        by_endpoint.entry(command.endpoint.clone()).or_default().push(command);
    }
    let goes_elsewhere = by_endpoint.keys().any(|endpoint| !in_process.served.contains_key(endpoint));
    if in_process.elsewhere.is_some() && goes_elsewhere {
        // An inbox here knows what comes twice; what is sent elsewhere twice is sent by one process at a time.
        let lease = from.store.lease(FORWARD_LEASE, in_process.holder, FORWARD_LEASE_MS, now_ms)?;
        if lease.is_none() {
            return Ok(Step::Idle(Some(now_ms + FORWARD_LEASE_MS / 2)));
        }
    }
    for (endpoint, commands) in by_endpoint {
        let Ok(to) = in_process.find(&endpoint) else {
            match &in_process.elsewhere {
                Some(elsewhere) => send_elsewhere(&**elsewhere, from, commands, now_ms)?,
                None => fail_here(from, commands, now_ms, |command| nobody_serves(&command.endpoint))?,
            }
            continue;
        };
        kill_point(&endpoint, "before-forward");
        let accepted = to.store.accept(&commands, now_ms)?;
        kill_point(&endpoint, "after-forward");
        for (command, _) in commands.iter().zip(accepted).filter(|(_, a)| *a == Acceptance::OtherBody) {
            tracing::error!(%endpoint, command = %command.command_id, name = %command.name,
                "another command has this id already: this one is dropped");
        }
        to.events.ring();
        to.commands.ring();
    }
    from.store.forget_outgoing(last)?;
    Ok(Step::Worked(count))
}

/// Leaves them to the context's outbox: those that are sent on do not wait for a broker.
fn send_elsewhere(
    elsewhere: &dyn Elsewhere,
    from: &Place,
    commands: Vec<NewCommand>,
    now_ms: u64,
) -> Result<(), StoreError> {
    let mut messages = Vec::with_capacity(commands.len());
    for command in commands {
        match elsewhere.outgoing(&command, &from.context, now_ms) {
            Ok(message) => messages.push(message),
            Err(reason) => fail_here(from, vec![command], now_ms, |_| reason.clone())?,
        }
    }
    if messages.is_empty() {
        return Ok(());
    }
    let mut transaction = from.store.begin()?;
    transaction.send_messages(&messages)?;
    transaction.commit()
}

/// What stands in the log about a command that nobody carries out.
pub(crate) fn nobody_serves(endpoint: &str) -> String {
    format!("nobody serves the endpoint '{endpoint}'")
}

/// They are carried out by nobody: they end as failed in the log of the context that sent them, where they are seen.
pub(crate) fn fail_here(
    place: &Place,
    commands: Vec<NewCommand>,
    now_ms: u64,
    why: impl Fn(&NewCommand) -> String,
) -> Result<(), StoreError> {
    let mut transaction = place.store.begin()?;
    for command in commands {
        let reason = why(&command);
        tracing::error!(command = %command.command_id, name = %command.name, %reason, "a command failed");
        if transaction.accept(&command, now_ms)? != Acceptance::New {
            continue;
        }
        let failed = CommandFailed { attempts: 0, reason };
        let event = NewEvent::of_command(&command, CommandFailed::NAME, json(&failed));
        let change = StateChange {
            command_id: command.command_id,
            from: StateKind::Waiting,
            expected_attempts: Some(0),
            attempts: None,
            to: CommandState::Failed,
            event: &event,
        };
        transaction.change(&change, now_ms)?;
        if let Some(on_failed) = &place.on_failed {
            let command = DueCommand { command, attempts: 0, accepted_ms: now_ms, is_suspect: false };
            on_failed.send(&mut *transaction, &command, &failed.reason, 0)?;
        }
    }
    transaction.commit()
}
