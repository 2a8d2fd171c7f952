//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, patch, post};
use bus::{Bus, EventSource};
use tokio::sync::Semaphore;

use crate::captures::Captures;
use crate::documents::Documents;
use crate::projections::Projector;
use crate::reports::ReportLookup;
use crate::ticks::TickLookup;

mod commands;
mod dashboard;
mod deployments;
mod errors;
mod events;
mod fields;
mod files;
mod guard;
mod health;
mod json;
mod openapi;
mod query;
mod rate;
mod read;
mod reads;
mod refusal;
mod replays;
mod reports;
mod scope;
mod send;
mod signals;
mod strategies;
mod streamed;
mod ticks;
mod trades;
mod users;

pub(crate) use errors::Errors;
pub use errors::FailedMessages;
pub use guard::{ApiKey, InvalidKeyHash};
pub(crate) use guard::{Guard, KEY_HOLDER, LOCAL};
pub(crate) use health::Part;
pub use rate::RateLimit;
pub(crate) use rate::RateLimiter;
use refusal::Refusal;
pub(crate) use scope::{HubCaller, Scoped};

/// Bounds of what a request may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Requests that wait for a command at the same time.
    pub waiting: usize,
    /// Requests of this machine's programs without the key, taken together.
    pub local: RateLimit,
    /// Requests with the key.
    pub key: RateLimit,
    /// Requests from each address beyond this machine, before it is known who sends them.
    pub address: RateLimit,
}

impl Default for Limits {
    /// This machine's programs may do what a program that waits for answers does; nobody may do what stops others.
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            waiting: 10_000,
            local: RateLimit::per_second(20_000),
            key: RateLimit::per_second(2_000),
            address: RateLimit::per_second(2_000),
        }
    }
}

/// What the routes work with.
pub struct GatewayState {
    pub(crate) bus: Arc<Bus>,
    pub(crate) source: Arc<dyn EventSource>,
    /// Whether there are commands that other processes carry out.
    pub(crate) sends_elsewhere: bool,
    pub(crate) documents: Arc<Documents>,
    pub(crate) projector: Arc<Projector>,
    pub(crate) captures: Option<Captures>,
    pub(crate) ticks: Option<Arc<dyn TickLookup>>,
    pub(crate) reports: Option<Arc<dyn ReportLookup>>,
    pub(crate) errors: Option<Arc<Errors>>,
    pub(crate) guard: Guard,
    pub(crate) rate: RateLimiter,
    pub(crate) waiting: Semaphore,
    pub(crate) body_limit: usize,
    /// Whether the server is to end: nobody waits any more.
    pub(crate) stopping: tokio::sync::watch::Receiver<bool>,
}

/// Every route over this state, as a part of another router. Without [`ConnectInfo`](axum::extract::ConnectInfo) of its peers, every request
/// needs the key.
pub fn router(state: Arc<GatewayState>) -> Router {
    Router::new().fallback_service(service(state, Router::new()))
}

/// Every route over this state, and those of `hubs`.
pub(crate) fn service(state: Arc<GatewayState>, hubs: Router) -> Scoped {
    let api = Router::new()
        .route("/api/users", post(users::create).get(users::list))
        .route("/api/users/{id}", get(users::one).patch(users::rename).delete(users::disable))
        .route("/api/replays", post(replays::start).get(replays::list))
        .route("/api/replays/{id}", get(replays::one).delete(replays::cancel))
        .route("/api/replays/{id}/report", get(reports::one))
        .route("/api/replays/{id}/cancel", post(replays::cancel))
        .route("/api/replays/{id}/forget", post(replays::forget))
        .route("/api/files", get(files::list))
        .route("/api/strategies", get(strategies::list))
        .route("/api/strategies/{name}", get(strategies::one))
        .route("/api/deployments", post(deployments::deploy).get(deployments::list))
        .route(
            "/api/deployments/{name}",
            patch(deployments::change).get(deployments::one).delete(deployments::stop),
        )
        .route("/api/commands", get(commands::list))
        .route("/api/commands/{id}", get(commands::one))
        .route("/api/commands/{id}/tree", get(commands::tree))
        .route("/api/commands/{id}/requeue", post(commands::requeue))
        .route("/api/signals", get(signals::list))
        .route("/api/positions", get(reads::positions))
        .route("/api/trades", get(trades::list))
        .route("/api/runs/{run}/curves", get(reads::curves))
        .route("/api/runs/{run}/ticks", get(ticks::ticks))
        .route("/api/runs/{run}/candles", get(ticks::candles))
        .route("/api/instruments", get(reads::instruments))
        .route("/api/events", get(events::list))
        .route("/api/projections", get(reads::projections))
        .route("/api/projections/{name}/skip", post(reads::skip))
        .route("/api/errors", get(errors::queues))
        .route("/api/errors/{queue}", get(errors::messages))
        .route("/api/errors/{queue}/{message}", get(errors::one))
        .route("/api/errors/{queue}/requeue", post(errors::requeue))
        .route("/api/errors/{queue}/move", post(errors::move_some))
        .route("/api/errors/{queue}/discard", post(errors::discard));
    let other = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(openapi::page));
    let router = api.merge(other).merge(dashboard::router());
    let router = router.fallback(unknown_route).method_not_allowed_fallback(other_method);
    Scoped { router: router.with_state(state.clone()).merge(hubs), state }
}

async fn unknown_route() -> Refusal {
    Refusal::not_found("there is no such route: GET /openapi.json lists those there are, /docs shows them")
}

async fn other_method() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "the route has other methods: see the header Allow")
}

/// What a handler works with.
type Shared = axum::extract::State<Arc<GatewayState>>;
/// What a handler answers.
type Answer = Result<axum::response::Response, Refusal>;
/// A part of the path, where it is text.
type Named = Result<axum::extract::Path<String>, axum::extract::rejection::PathRejection>;

fn name_of(named: Named) -> Result<String, Refusal> {
    let name = named.map(|axum::extract::Path(name)| name);
    let name = name.map_err(|_| Refusal::bad_request("a part of the path is not UTF-8"))?;
    if name.contains('\0') {
        return Err(Refusal::bad_request("a part of the path has the character NUL in it"));
    }
    Ok(name)
}

fn id_of<T: std::str::FromStr>(named: Named) -> Result<T, Refusal> {
    let name = name_of(named)?;
    name.parse().map_err(|_| Refusal::bad_request(format!("'{name}' in the path is no GUID")))
}

impl GatewayState {
    async fn body(&self, headers: &HeaderMap, body: axum::body::Body) -> Result<serde_json::Value, Refusal> {
        json::read_body(headers, body, self.body_limit).await
    }
}
