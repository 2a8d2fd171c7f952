//! Replays, of the events of `ticks`.

use bus::StoredEvent;
use tick_sdk::api::{ReplayProgress, ReplayView, replay_state};
use tick_sdk::contracts::Contract;
use tick_sdk::contracts::ticks::{
    ReplayAccepted, ReplayCancelled, ReplayCompleted, ReplayFailed, ReplayForgotten, ReplayProgressed,
    ReplayStarted,
};
use uuid::Uuid;

use super::{ApplyError, Projection, read};
use crate::documents::{Batch, Collection, DocumentError, Key};
use crate::instant::{ms_of_text, text_of_ms};

/// Replays by id; in order of acceptance, also by state.
pub(crate) static REPLAYS: Collection = Collection { name: "replays", indexes: &["by_time", "by_state"] };

/// The index of [`REPLAYS`] by state, then acceptance.
pub(crate) const BY_STATE: usize = 1;

struct Replays;

crate::projection!(Replays);

impl Projection for Replays {
    const NAME: &'static str = "replays";
    const VERSION: u32 = 1;
    const COLLECTIONS: &'static [&'static Collection] = &[&REPLAYS];

    fn apply(event: &StoredEvent, _: &str, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
        let at = || text_of_ms(event.at_ms);
        match event.name.as_str() {
            ReplayAccepted::NAME => {
                let ReplayAccepted { replay_id, plan } = read(event)?;
                let state = replay_state::ACCEPTED.to_owned();
                let accepted_at = at();
                put(batch, &ReplayView { replay_id, plan, state, accepted_at, ..ReplayView::default() })?;
            }
            ReplayStarted::NAME => {
                let started: ReplayStarted = read(event)?;
                change(batch, started.replay_id, |replay| {
                    replay.state = replay_state::RUNNING.to_owned();
                    replay.run = Some(started.run);
                    replay.resumed += u32::from(started.is_resumed);
                    replay.started_at.get_or_insert_with(at);
                })?;
            }
            ReplayProgressed::NAME => {
                let ReplayProgressed { replay_id, ticks, share, ticks_per_second } = read(event)?;
                let progress = ReplayProgress { ticks, share, ticks_per_second, at: at() };
                change(batch, replay_id, |replay| replay.progress = Some(progress))?;
            }
            ReplayForgotten::NAME => {
                let ReplayForgotten { replay_id, .. } = read(event)?;
                batch.delete(&REPLAYS, &replay_id.to_string());
            }
            _ => return ended(event, batch),
        }
        Ok(())
    }
}

fn ended(event: &StoredEvent, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
    match event.name.as_str() {
        ReplayCompleted::NAME => {
            let completed: ReplayCompleted = read(event)?;
            end(batch, event, completed.replay_id, replay_state::COMPLETED, |replay| {
                replay.run = Some(completed.run);
                replay.outcome = Some(completed.outcome);
            })
        }
        ReplayCancelled::NAME => {
            let cancelled: ReplayCancelled = read(event)?;
            end(batch, event, cancelled.replay_id, replay_state::CANCELLED, |replay| {
                replay.run = cancelled.run.or(replay.run.take());
                replay.outcome = cancelled.outcome;
            })
        }
        ReplayFailed::NAME => {
            let failed: ReplayFailed = read(event)?;
            end(batch, event, failed.replay_id, replay_state::FAILED, |replay| {
                replay.run = failed.run.or(replay.run.take());
                replay.reason = Some(failed.reason);
            })
        }
        _ => Ok(()),
    }
}

fn end(
    batch: &mut Batch<'_>,
    event: &StoredEvent,
    replay_id: Uuid,
    state: &str,
    ended: impl FnOnce(&mut ReplayView),
) -> Result<(), ApplyError> {
    change(batch, replay_id, |replay| {
        replay.state = state.to_owned();
        replay.progress = None;
        replay.ended_at = Some(text_of_ms(event.at_ms));
        ended(replay);
    })
}

fn change(
    batch: &mut Batch<'_>,
    replay_id: Uuid,
    change: impl FnOnce(&mut ReplayView),
) -> Result<(), ApplyError> {
    let replay: Option<ReplayView> = batch.get(&REPLAYS, &replay_id.to_string())?;
    let mut replay = replay.ok_or_else(|| ApplyError::Refused(format!("there is no replay {replay_id}")))?;
    change(&mut replay);
    Ok(put(batch, &replay)?)
}

fn put(batch: &mut Batch<'_>, replay: &ReplayView) -> Result<(), DocumentError> {
    let time = ms_of_text(&replay.accepted_at);
    let keys = vec![Some(Key::new().number(time)), Some(Key::new().text(&replay.state).number(time))];
    batch.put(&REPLAYS, &replay.replay_id.to_string(), keys, replay)
}
