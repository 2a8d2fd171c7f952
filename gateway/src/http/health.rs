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
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part {
    #[serde(rename = "ready")]
    pub(crate) is_ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl Part {
    fn of(is_ready: Result<(), String>) -> Self {
        Self { is_ready: is_ready.is_ok(), reason: is_ready.err() }
    }
}

/// How every part stands.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Where a broker carries commands and events.
    broker: Option<Part>,
    store: Part,
    projections: Part,
    /// Projections that stopped at an event.
    pub(crate) stopped: Vec<ProjectionView>,
    /// `None` where it is not known.
    events_behind: Option<u64>,
    /// Whether a command that came now would be taken.
    takes_commands: bool,
}

impl Parts {
    /// Each by its name.
    pub(crate) fn by_name(&self) -> impl Iterator<Item = (&'static str, &Part)> {
        let broker = self.broker.iter().map(|broker| ("broker", broker));
        broker.chain([("store", &self.store), ("projections", &self.projections)])
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
    /// Absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    events_behind: Option<u64>,
}

/// Answers 503 where no command could be taken now: the broker that carries them is away or takes none, or their own
/// store cannot be read. Everything else is said, and no reason to be taken out of service: what is there is answered.
pub(super) async fn ready(State(state): Shared) -> Answer {
    let parts = state.parts().await;
    let is_whole = parts.by_name().all(|(_, part)| part.is_ready);
    let status = match (parts.takes_commands, is_whole) {
        (false, _) => "unavailable",
        (true, false) => "degraded",
        (true, true) => "ready",
    };
    let Parts { broker, store, projections, stopped, events_behind, takes_commands } = parts;
    let stopped_projections = stopped.into_iter().map(|view| view.name).collect();
    let ready = Ready { status, broker, store, projections, stopped_projections, events_behind };
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

/// By how many events the projection is behind that is farthest behind.
fn events_behind(views: &[ProjectionView]) -> u64 {
    let cursors = views.iter().flat_map(|view| &view.cursors);
    cursors.map(|at| at.head.saturating_sub(at.position)).max().unwrap_or(0)
}

impl GatewayState {
    /// How every part stands; it takes a little longer than [`LONGEST_LOOK`] at most.
    pub(crate) async fn parts(&self) -> Parts {
        let (store, views, keeper) = tokio::join!(self.store_part(), self.views(), self.keeper());
        let events_behind = views.as_ref().ok().map(|views| events_behind(views));
        let stopped: Vec<_> = views.iter().flatten().filter(|view| view.stopped.is_some()).cloned().collect();
        let projections = match views {
            Err(reason) => Err(reason),
            Ok(_) if !stopped.is_empty() => {
                let names: Vec<_> = stopped.iter().map(|view| view.name.as_str()).collect();
                Err(format!(
                    "stopped at an event that cannot be applied: {}; GET /api/projections says why",
                    names.join(", ")
                ))
            }
            Ok(_) => keeper,
        };
        let broker = self.bus.rabbitmq();
        let can_send = broker.as_ref().is_some_and(|status| status.state == RabbitState::Connected);
        let takes_by_broker = !self.sends_elsewhere || can_send;
        let is_served = |command: &&KnownCommand| self.bus.serves(command.endpoint);
        let takes_by_store = store.is_ok() || !KnownCommand::all().iter().any(is_served);
        Parts {
            broker: broker.map(|status| Part::of(broker_part(status))),
            store: Part::of(store),
            projections: Part::of(projections),
            stopped,
            events_behind,
            takes_commands: takes_by_broker && takes_by_store,
        }
    }

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

    /// Looks at documents or logs on a thread for it, and does not wait for ever.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Documents) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let looked = timeout(LONGEST_LOOK, self.documents.blocking(operation)).await;
        looked.unwrap_or_else(|_| Err(format!("no answer within {} s", LONGEST_LOOK.as_secs())))
    }
}
