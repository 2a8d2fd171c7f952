//! What came of it all: positions, instruments, events, and how far the documents are.

use reqwest::Method;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::Call;
use super::items::PAGE_OF_LARGE;
use super::{Client, ClientError, Items};
use crate::api::{EventView, InstrumentView, PositionView, ProjectionView};
use crate::contracts::CommandId;

/// Whose positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PositionFilter {
    /// Only of this run.
    pub run: Option<String>,
    /// Only of this instance of it.
    pub strategy: Option<String>,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only of this context.
    pub context: Option<String>,
    /// Only of this contract, as `UserCreated`.
    pub name: Option<String>,
    /// Only what came of this command.
    pub command_id: Option<CommandId>,
    /// Only behind this place in the log of the context, which must be named.
    pub after_position: Option<u64>,
    /// Only from so many before the end of each context's log on; at most 1,000.
    pub latest: Option<u32>,
}

/// Whether a gateway can answer, and how far its documents are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// `ready`.
    pub status: String,
    /// Projections that wait for somebody to look at an event.
    #[serde(default)]
    pub stopped_projections: Vec<String>,
    /// By so many events the documents are behind; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_behind: Option<u64>,
}

impl Client {
    /// What strategies earned on paper, a run and instance each.
    pub fn positions(&self, filter: &PositionFilter) -> Items<PositionView> {
        let call = Call::get(self, &["api", "positions"]);
        let PositionFilter { run, strategy } = filter;
        self.items(call.map(|call| call.query("run", run.as_deref()).query("strategy", strategy.as_deref())))
    }

    /// Instruments with their last prices.
    pub fn instruments(&self) -> Items<InstrumentView> {
        self.items(Call::get(self, &["api", "instruments"]))
    }

    /// Events of all contexts, the oldest first.
    pub fn events(&self, filter: &EventFilter) -> Items<EventView> {
        let EventFilter { context, name, command_id, after_position, latest } = filter;
        let call = Call::get(self, &["api", "events"]).map(|call| {
            call.query("context", context.as_deref())
                .query("name", name.as_deref())
                .query("command", command_id.as_ref())
                .query("position", after_position.as_ref())
                .query("latest", latest.map(|_| "true"))
        });
        // The first page's limit is what the latest are counted by.
        self.items_by(latest.unwrap_or(PAGE_OF_LARGE), call)
    }

    /// How far the documents of each kind are, and which could not go on.
    pub fn projections(&self) -> Items<ProjectionView> {
        self.items(Call::get(self, &["api", "projections"]))
    }

    /// Has a projection go on without the event that it could not apply. Done when it is answered; it is not sent
    /// again of itself, for the next one might be skipped, too.
    pub async fn skip_event(&self, projection: &str) -> Result<ProjectionView, ClientError> {
        self.read(self.post(&["api", "projections", projection, "skip"])?).await
    }

    /// Whether the gateway can answer.
    pub async fn readiness(&self) -> Result<Readiness, ClientError> {
        self.read(Call::new(self, Method::GET, &["health", "ready"])?).await
    }

    /// Whether the gateway is there at all.
    pub async fn check_live(&self) -> Result<(), ClientError> {
        let _: IgnoredAny = self.read(Call::new(self, Method::GET, &["health", "live"])?).await?;
        Ok(())
    }

    /// The OpenAPI document of all routes.
    pub async fn openapi(&self) -> Result<Value, ClientError> {
        self.read(Call::new(self, Method::GET, &["openapi.json"])?).await
    }
}
