//! The page of a replay that has ended.

use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use tick_sdk::api::{ReplayView, replay_state};
use uuid::Uuid;

use super::refusal::Refusal;
use super::ticks::blocking;
use super::{Answer, Named, Shared, id_of};
use crate::projections::replays::REPLAYS;

/// The page has its style and its scripts in itself, and makes a file of its round trips. It asks for nothing, and is no part
/// of the dashboard's origin: it could not use the routes even if a name in it became a script.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts allow-downloads";

pub(super) async fn one(State(state): Shared, named: Named, uri: Uri) -> Answer {
    let id: Uuid = id_of(named)?;
    state.query(&uri, &[], |_| ()).await?;
    let found = state.documents.read(&REPLAYS, &id.to_string()).await?;
    let found = found.ok_or_else(|| Refusal::not_found(format!("there is no replay {id}")))?;
    let replay = serde_json::from_slice(&found.body);
    has_ended(&replay.map_err(|error| Refusal::unavailable("the replay", error))?)?;
    let reports = state.reports.clone().ok_or_else(|| {
        Refusal::not_found("this server keeps no reports: ask the one that has played the replay")
    })?;
    let page = blocking(move || reports.report(id)).await?;
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, page).into_response())
}

fn has_ended(replay: &ReplayView) -> Result<(), Refusal> {
    let id = replay.replay_id;
    let detail = match replay.state.as_str() {
        replay_state::COMPLETED | replay_state::CANCELLED => return Ok(()),
        replay_state::FAILED => format!("replay {id} has failed, so there is no report: see its reason"),
        state => format!("replay {id} is {state}: its report is there once it has ended"),
    };
    Err(Refusal::new(StatusCode::CONFLICT, detail))
}
