//! Whether the server lives, and whether it can answer.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use bus::rabbitmq::{RabbitState, RabbitStatus};
use serde::Serialize;
use serde_json::json;
use tick_sdk::api::ProjectionView;
use tick_sdk::contracts::KnownCommand;
use tokio::time::timeout;

use super::read::value;
use super::{Answer, GatewayState, Shared};
use crate::documents::{Documents, Keeper};

/// A part that does not answer within this time is not ready.
const LONGEST_LOOK: Duration = Duration::from_secs(2);

pub(super) async fn live() -> Answer {
    Ok(value(&json!({"status": "live"})))
}

/// A part of what the server works with.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(rename = "ready")]
    is_ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Part {
    fn of(is_ready: Result<(), String>) -> Self {
        Self { is_ready: is_ready.is_ok(), reason: is_ready.err() }
    }
}

/// Whether everything is there, and what is not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    /// `ready`; or `degraded` where commands are taken but something else is missing; or `unavailable`.
    status: &'static str,
    /// Where a broker carries commands and events.
    #[serde(skip_serializing_if = "Option::is_none")]
    broker: Option<Part>,
    store: Part,
    projections: Part,
    stopped_projections: Vec<String>,
    events_behind: u64,
}

/// Answers 503 where no command could be taken now: the broker that carries them is away or takes none, or their own
/// store cannot be read. Everything else is said, and no reason to be taken out of service: what is there is answered.
pub(super) async fn ready(State(state): Shared) -> Answer {
    let (store, views, keeper) = tokio::join!(state.store_part(), state.views(), state.keeper());
    let stopped: Vec<_> = views.iter().flatten().filter(|view| view.stopped.is_some()).collect();
    let cursors = views.iter().flatten().flat_map(|view| &view.cursors);
    let behind = cursors.map(|at| at.head.saturating_sub(at.position)).max().unwrap_or(0);
    let stopped_projections: Vec<_> = stopped.iter().map(|view| view.name.clone()).collect();
    let projections = match &views {
        Err(reason) => Err(reason.clone()),
        Ok(_) if !stopped.is_empty() => Err(format!(
            "stopped at an event that cannot be applied: {}; GET /api/projections says why",
            stopped_projections.join(", ")
        )),
        Ok(_) => keeper,
    };
    let broker = state.bus.rabbitmq();
    let can_send = broker.as_ref().is_some_and(|status| status.state == RabbitState::Connected);
    let broker = broker.map(|status| Part::of(broker_part(status)));
    let takes_by_broker = !state.sends_elsewhere || can_send;
    let is_served = |command: &&KnownCommand| state.bus.serves(command.endpoint);
    let takes_by_store = store.is_ok() || !KnownCommand::all().iter().any(is_served);
    let takes_commands = takes_by_broker && takes_by_store;
    let (store, projections) = (Part::of(store), Part::of(projections));
    let is_whole =
        store.is_ready && projections.is_ready && broker.as_ref().is_none_or(|broker| broker.is_ready);
    let status = match (takes_commands, is_whole) {
        (false, _) => "unavailable",
        (true, false) => "degraded",
        (true, true) => "ready",
    };
    let ready = Ready { status, broker, store, projections, stopped_projections, events_behind: behind };
    let code = if takes_commands { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((code, value(&ready)).into_response())
}

fn broker_part(status: RabbitStatus) -> Result<(), String> {
    let RabbitStatus { state, reason, endpoints } = status;
    if state != RabbitState::Connected {
        return Err(reason.unwrap_or_else(|| "it is not connected".to_owned()));
    }
    let idle = endpoints.into_iter().find(|endpoint| !endpoint.is_consuming);
    idle.map_or(Ok(()), |endpoint| {
        let reason = endpoint.reason.unwrap_or_default();
        Err(format!("the queue {} is not consumed: {reason}", endpoint.name))
    })
}

impl GatewayState {
    /// Whether the logs of all contexts can be read.
    async fn store_part(&self) -> Result<(), String> {
        let source = self.source.clone();
        self.look(move |_| {
            for context in source.contexts() {
                source.head(&context).map_err(|error| format!("the log of {context}: {error}"))?;
            }
            Ok(())
        })
        .await
    }

    async fn views(&self) -> Result<Vec<ProjectionView>, String> {
        let projector = self.projector.clone();
        self.look(move |_| projector.views().map_err(|error| error.to_string())).await
    }

    /// Whether anybody keeps the documents that are read.
    async fn keeper(&self) -> Result<(), String> {
        const START: &str = "start a process with the role projections";
        self.look(|documents| {
            let Some(sharing) = documents.sharing() else { return Ok(()) };
            match sharing.keeper().map_err(|error| error.to_string())? {
                Keeper::There => Ok(()),
                Keeper::Never => Err(format!("no process has made what is read yet: {START}")),
                Keeper::AwayFor(seconds) => {
                    Err(format!("no process has kept what is read up to date for {seconds} s: {START}"))
                }
            }
        })
        .await
    }

    async fn look<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Documents) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let looked = timeout(LONGEST_LOOK, self.documents.blocking(operation)).await;
        looked.unwrap_or_else(|_| Err(format!("no answer within {} s", LONGEST_LOOK.as_secs())))
    }
}
