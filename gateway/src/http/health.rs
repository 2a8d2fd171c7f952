//! Whether the server lives, and whether it can answer.

use axum::extract::State;
use serde_json::json;

use super::read::value;
use super::{Answer, Shared};

pub(super) async fn live() -> Answer {
    Ok(value(&json!({"status": "live"})))
}

/// Ready means that the read model and the logs can be read. A projection that stopped is said, and no reason to be
/// taken out of service: everything else is answered.
pub(super) async fn ready(State(state): Shared) -> Answer {
    let projector = state.projector.clone();
    let views = state.documents.blocking(move |_| projector.views()).await?;
    let stopped: Vec<_> = views.iter().filter(|view| view.stopped.is_some()).map(|view| &view.name).collect();
    let behind = views.iter().flat_map(|view| &view.cursors).map(|at| at.head.saturating_sub(at.position));
    let behind = behind.max().unwrap_or(0);
    Ok(value(&json!({"status": "ready", "stoppedProjections": stopped, "eventsBehind": behind})))
}
