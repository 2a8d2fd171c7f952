//! What a forgotten replay has published is removed from the log.
//!
//! Each commit notes where its events stand, so that nothing is searched for. They are removed in steps, each a
//! command that this context sends to itself: a kill between two of them loses none, and nobody waits for long.
//! [`RunForgotten`] is the last of it; until then a part of the signals may be missing in the log.

use bus::{
    Consumer, EndedCommand, Handled, Handler, HandlerError, Message, Tables, TablesError, Work, values,
};
use serde::{Deserialize, Serialize};
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::strategies::{RunForgotten, STRATEGIES};
use tick_sdk::contracts::ticks::ReplayForgotten;
use tick_sdk::names::RunId;

use super::{PublishError, lanes};

/// A step removes about so many events, of a hundred kilobytes each.
const EVENTS_PER_STEP: u64 = 256;
/// Whoever reads the log has long known what was forgotten before this time, in ms.
const KNOWN_AFTER_MS: u64 = 30 * 24 * 3600 * 1000;
/// With each run that is forgotten at most so many old notes of others are removed.
const REMOVED_AT_ONCE: u64 = 100;

/// Removes the next part of a run's events. This context sends it to itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForgetRun {
    replay_id: CommandId,
    run: String,
    /// Counts the steps from 1, so that the list of commands shows how far it is.
    step: u32,
}
tick_sdk::command!(ForgetRun, version 1, endpoint STRATEGIES);

/// What follows is published for the command that the run was asked for by, if it was: a worker that lost its replay
/// without knowing publishes nothing of it once it is forgotten.
pub(super) fn begin(
    work: &mut Work<'_>,
    run: RunId,
    command: Option<&EndedCommand>,
) -> Result<(), PublishError> {
    let Some(command) = command else { return Ok(()) };
    // It locks the log, as the consumer below does: of the two the later one sees what the other has done.
    work.position()?;
    if is_forgotten(work.tables()?, command.command_id)? {
        return Err(PublishError::Forgotten { run });
    }
    work.caused_by_command(command);
    Ok(())
}

fn is_forgotten(tables: &mut dyn Tables, replay_id: CommandId) -> Result<bool, TablesError> {
    let sql = "SELECT 1 FROM forgotten_replay WHERE replay_id = $1";
    Ok(tables.query_first(sql, &values![replay_id.0])?.is_some())
}

/// Notes where the events stand that were published after the position `before`, where they may be forgotten.
pub(super) fn note(
    work: &mut Work<'_>,
    run: RunId,
    command: Option<&EndedCommand>,
    before: u64,
) -> Result<(), PublishError> {
    let Some(command) = command else { return Ok(()) };
    let last = work.position()?;
    if last == before {
        return Ok(());
    }
    let tables = work.tables()?;
    let sql = "INSERT INTO published_run (replay_id, run) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    tables.execute(sql, &values![command.command_id.0, run.0])?;
    let sql = "INSERT INTO published_span (run, first, last) VALUES ($1, $2, $3)";
    tables.execute(sql, &values![run.0, before + 1, last])?;
    Ok(())
}

#[derive(Default)]
struct OnReplayForgotten;

impl Consumer for OnReplayForgotten {
    type Event = ReplayForgotten;

    async fn consume(
        &self,
        message: &Message<ReplayForgotten>,
        work: &mut Work<'_>,
    ) -> Result<(), HandlerError> {
        let replay_id = CommandId(message.body.replay_id);
        work.position()?;
        let now_ms = work.now_ms();
        let tables = work.tables()?;
        let sql = "INSERT INTO forgotten_replay (replay_id, at_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        tables.execute(sql, &values![replay_id.0, now_ms])?;
        // One that failed and was asked for again may have begun anew: it has several runs.
        let sql = "SELECT run FROM published_run WHERE replay_id = $1";
        let found = tables.query(sql, &values![replay_id.0])?;
        let mut runs = found.iter().map(|row| row.get(0).map(RunId)).collect::<Result<Vec<_>, _>>()?;
        let named = message.body.run.as_ref().and_then(|run| run.parse().ok());
        runs.extend(named.filter(|named| !runs.contains(named)));
        for run in runs {
            let tables = work.tables()?;
            tables.execute("DELETE FROM published_lane WHERE run = $1", &values![run.0])?;
            tables.execute("DELETE FROM published_account WHERE run = $1", &values![run.0])?;
            tables.execute("DELETE FROM published_trades WHERE run = $1", &values![run.0])?;
            work.send(&ForgetRun { replay_id, run: run.to_string(), step: 1 });
        }
        Ok(())
    }
}

bus::consumer!(OnReplayForgotten, in "strategies");

#[derive(Default)]
struct OnForgetRun;

impl Handler for OnForgetRun {
    type Command = ForgetRun;
    // Each is a step, and holds the context's writer for as long as a step may.
    const BATCH: usize = 1;

    async fn handle(
        &self,
        message: &Message<ForgetRun>,
        work: &mut Work<'_>,
    ) -> Result<Handled, HandlerError> {
        let ForgetRun { replay_id, run, step } = message.body.clone();
        let id: RunId =
            run.parse().map_err(|_| HandlerError::refused(format!("{run} is not a valid run id")))?;
        if !is_forgotten(work.tables()?, replay_id)? {
            return Err(HandlerError::refused(format!("replay {replay_id} is not forgotten")));
        }
        if remove_some(work, id)? {
            work.send(&ForgetRun { replay_id, run, step: step + 1 });
        } else {
            let sql = "DELETE FROM published_run WHERE replay_id = $1 AND run = $2";
            work.tables()?.execute(sql, &values![replay_id.0, id.0])?;
            lanes::forget_feed(work, &lanes::feed_of_replay(replay_id))?;
            say_forgotten(work, run)?;
        }
        Ok(Handled::DONE)
    }
}

bus::handler!(OnForgetRun);

/// Says that a run is forgotten, and removes what was said so of others long ago.
fn say_forgotten(work: &mut Work<'_>, run: String) -> Result<(), HandlerError> {
    work.publish(&RunForgotten { run });
    let (position, now_ms) = (work.position()?, work.now_ms());
    let sql = "INSERT INTO forgotten_run_event (position, at_ms) VALUES ($1, $2)";
    work.tables()?.execute(sql, &values![position, now_ms])?;
    let before = now_ms.saturating_sub(KNOWN_AFTER_MS);
    // In the order of positions, which is the one of time.
    let sql = "SELECT position FROM forgotten_run_event WHERE at_ms < $1 ORDER BY position LIMIT $2";
    for row in work.tables()?.query(sql, &values![before, REMOVED_AT_ONCE])? {
        let position: u64 = row.get(0)?;
        work.remove_events(position, position)?;
        let sql = "DELETE FROM forgotten_run_event WHERE position = $1";
        work.tables()?.execute(sql, &values![position])?;
    }
    let sql = "DELETE FROM forgotten_replay WHERE replay_id IN \
               (SELECT replay_id FROM forgotten_replay WHERE at_ms < $1 ORDER BY at_ms LIMIT $2)";
    work.tables()?.execute(sql, &values![before, REMOVED_AT_ONCE])?;
    Ok(())
}

/// Removes a run's first events; whether there may be more. The command's own end comes last in the log.
fn remove_some(work: &mut Work<'_>, run: RunId) -> Result<bool, HandlerError> {
    let sql = "SELECT first, last FROM published_span WHERE run = $1 ORDER BY first LIMIT $2";
    let spans = work.tables()?.query(sql, &values![run.0, EVENTS_PER_STEP])?;
    let mut removed = 0;
    for span in spans {
        let (first, last): (u64, u64) = (span.get(0)?, span.get(1)?);
        if removed >= EVENTS_PER_STEP {
            return Ok(true);
        }
        work.remove_events(first, last)?;
        let sql = "DELETE FROM published_span WHERE run = $1 AND first = $2";
        work.tables()?.execute(sql, &values![run.0, first])?;
        removed += last - first + 1;
    }
    Ok(removed >= EVENTS_PER_STEP)
}
