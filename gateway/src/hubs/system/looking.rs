//! One look at everything, and the last one kept for who comes a moment later.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, timeout};

use super::SystemSource;
use super::attention::attention;
use super::own::{Own, Seen};
use crate::http::GatewayState;
use crate::hubs::payloads::SystemState;

/// A source that takes longer is waited for by the next look; until then what it last gave stands.
const LONGEST_LOOK: Duration = Duration::from_secs(2);
/// So many takeovers are shown.
const MOST_TAKEOVERS: usize = 50;

/// Who looks.
pub(super) struct Looking {
    own: Own,
    source: Option<Arc<dyn SystemSource>>,
    /// The source's look, while it is under way.
    asked: Option<JoinHandle<SystemState>>,
    /// What the source last gave.
    answered: SystemState,
    last: Option<(Instant, SystemState)>,
}

impl Looking {
    pub(super) fn new(state: Arc<GatewayState>, source: Option<Arc<dyn SystemSource>>) -> Self {
        Self { own: Own::new(state), source, asked: None, answered: SystemState::default(), last: None }
    }

    /// How everything stood so long ago at most.
    pub(super) async fn within(&mut self, age: Duration) -> SystemState {
        match &self.last {
            Some((at, state)) if at.elapsed() < age => state.clone(),
            _ => self.anew().await,
        }
    }

    /// How everything stands.
    pub(super) async fn anew(&mut self) -> SystemState {
        let Seen { mut state, facts } = self.own.look().await;
        self.ask_source(&state).await;
        let SystemState { roles, feeds, nodes, takeovers, .. } = self.answered.clone();
        (state.roles, state.feeds, state.nodes) = (roles, feeds, nodes);
        state.takeovers.extend(takeovers);
        state.takeovers.sort_by_key(|takeover| std::cmp::Reverse(takeover.at_ms));
        state.takeovers.truncate(MOST_TAKEOVERS);
        state.attention = attention(&state, &facts);
        state.version = env!("CARGO_PKG_VERSION").to_owned();
        state.at_ms = now_ms();
        self.last = Some((Instant::now(), state.clone()));
        state
    }

    async fn ask_source(&mut self, state: &SystemState) {
        let Some(source) = &self.source else { return };
        let asked = self.asked.get_or_insert_with(|| {
            let (source, mut state) = (source.clone(), state.clone());
            spawn_blocking(move || {
                source.look(&mut state);
                state
            })
        });
        match timeout(LONGEST_LOOK, asked).await {
            Ok(answered) => {
                self.asked = None;
                match answered {
                    Ok(answered) => self.answered = answered,
                    Err(error) => tracing::error!(%error, "how the rest of the system stands is not known"),
                }
            }
            Err(_) => tracing::warn!("how the rest of the system stands takes long to find out"),
        }
    }
}

/// The clock on the wall.
pub(super) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
