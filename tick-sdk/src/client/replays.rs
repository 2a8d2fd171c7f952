//! Replays and the files that they play.

use reqwest::Method;
use uuid::Uuid;

use super::call::Call;
use super::{Client, ClientError, CommandRequest, Items};
use crate::api::{FileView, ReplayView};
use crate::contracts::ticks::StartReplay;

/// Which replays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayFilter {
    /// Only in this state: one of [`replay_state`](crate::api::replay_state).
    pub state: Option<String>,
}

impl Client {
    /// Plays files through strategies. The replay's id is the command's, and the command has ended when the
    /// replay has and what it made can be read.
    pub fn start_replay(&self, plan: &StartReplay) -> CommandRequest {
        CommandRequest::new(self, self.post(&["api", "replays"]).and_then(|call| call.body(plan)))
    }

    /// Replays, the newest first.
    pub fn replays(&self, filter: &ReplayFilter) -> Items<ReplayView> {
        let call = Call::get(self, &["api", "replays"]);
        self.items(call.map(|call| call.query("state", filter.state.as_deref())))
    }

    /// A replay.
    pub async fn replay(&self, replay_id: Uuid) -> Result<ReplayView, ClientError> {
        self.read(Call::get(self, &["api", "replays", &replay_id.to_string()])?).await
    }

    /// Ends a replay within a second; what it has committed stays.
    pub fn cancel_replay(&self, replay_id: Uuid) -> CommandRequest {
        CommandRequest::new(
            self,
            Call::new(self, Method::DELETE, &["api", "replays", &replay_id.to_string()]),
        )
    }

    /// Forgets an ended replay. Its signals and positions go soon after.
    pub fn forget_replay(&self, replay_id: Uuid) -> CommandRequest {
        CommandRequest::new(self, self.post(&["api", "replays", &replay_id.to_string(), "forget"]))
    }

    /// Files that a replay can play.
    pub fn files(&self) -> Items<FileView> {
        self.items(Call::get(self, &["api", "files"]))
    }
}
