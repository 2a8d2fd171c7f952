//! What the gateway itself knows: its parts, and what its documents say of commands, replays and deployments.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tick_sdk::api::{CommandView, DeploymentView, ProjectionView, ReplayView};
use tick_sdk::api::{command_state, deployment_state, replay_state};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use triage::FailedQueue;
use uuid::Uuid;

use super::looking::now_ms;
use crate::documents::{Collection, DocumentError, DocumentStore, Documents, IndexQuery, Key};
use crate::http::GatewayState;
use crate::hubs::payloads::{FeedState, PartState, RunningReplay, SystemState, Takeover, feed_phase};
use crate::instant::ms_of_text;
use crate::projections::commands::{BY_STATE, COMMANDS};
use crate::projections::deployments::DEPLOYMENTS;
use crate::projections::replays::{self, REPLAYS};

/// Commands are counted again after this time: what has ended may be many.
const COUNT_EVERY: Duration = Duration::from_secs(2);
/// Of each state at most so many commands are counted.
pub(crate) const MOST_COUNTED: usize = 100_000;
/// Queues of messages that failed are looked for again after this time.
const ERRORS_EVERY: Duration = Duration::from_secs(10);
/// What has failed so long ago is not shown as new.
const LATELY_MS: u64 = 3_600_000;
/// So many commands, and so many replays, that failed.
const MOST_FAILED: usize = 5;
/// So many replays that run, and so many deployments, are looked at.
const MOST_LISTED: usize = 1_000;
/// So many takeovers of replays are remembered.
const MOST_TAKEOVERS: usize = 50;

/// What needs somebody, beside what the state itself shows.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) stopped: Vec<ProjectionView>,
    pub(super) failed_commands: Vec<CommandView>,
    pub(super) failed_replays: Vec<ReplayView>,
    pub(super) failing_deployments: Vec<DeploymentView>,
    pub(super) error_queues: Vec<FailedQueue>,
}

/// What a look has found.
pub(super) struct Seen {
    pub(super) state: SystemState,
    pub(super) facts: Facts,
}

/// Who looks at it.
pub(super) struct Own {
    state: Arc<GatewayState>,
    counted: Option<Instant>,
    read: Read,
    looking_for_errors: Option<JoinHandle<Option<Vec<FailedQueue>>>>,
    looked_for_errors: Option<Instant>,
    error_queues: Vec<FailedQueue>,
    /// How often each running replay was taken over when it was last seen.
    resumed: BTreeMap<Uuid, u32>,
    takeovers: VecDeque<Takeover>,
}

/// What documents say.
#[derive(Clone, Debug, Default)]
struct Read {
    commands: BTreeMap<String, u64>,
    failed_commands: Vec<CommandView>,
    running_replays: Vec<ReplayView>,
    failed_replays: Vec<ReplayView>,
    deployments: Vec<DeploymentView>,
}

impl Own {
    pub(super) fn new(state: Arc<GatewayState>) -> Self {
        Self {
            state,
            counted: None,
            read: Read::default(),
            looking_for_errors: None,
            looked_for_errors: None,
            error_queues: Vec::new(),
            resumed: BTreeMap::new(),
            takeovers: VecDeque::new(),
        }
    }

    /// What cannot be found out now is as it was at the last look; the parts say why.
    pub(super) async fn look(&mut self) -> Seen {
        let is_due = self.counted.is_none_or(|at| at.elapsed() >= COUNT_EVERY);
        let earlier = (!is_due).then(|| self.read.commands.clone());
        let reading = self
            .state
            .look(|documents| Read::of(documents, earlier, now_ms()).map_err(|error| error.to_string()));
        let (parts, read) = tokio::join!(self.state.parts(), reading);
        match read {
            Ok(read) => {
                self.counted = if is_due { Some(Instant::now()) } else { self.counted };
                self.read = read;
                self.note_takeovers();
            }
            Err(reason) => tracing::warn!(reason, "what is read could not be looked at"),
        }
        self.look_for_errors().await;
        let part = |(name, part): (&str, &crate::http::Part)| PartState {
            name: name.to_owned(),
            is_ready: part.is_ready,
            reason: part.reason.clone(),
        };
        let state = SystemState {
            parts: parts.by_name().map(part).collect(),
            feeds: deployed_feeds(&self.read.deployments),
            replays: self.read.running_replays.iter().map(running).collect(),
            commands: self.read.commands.clone(),
            takeovers: self.takeovers.iter().cloned().collect(),
            ..SystemState::default()
        };
        let is_failing = |deployment: &&DeploymentView| deployment.state == deployment_state::FAILING;
        let facts = Facts {
            stopped: parts.stopped,
            failed_commands: self.read.failed_commands.clone(),
            failed_replays: self.read.failed_replays.clone(),
            failing_deployments: self.read.deployments.iter().filter(is_failing).cloned().collect(),
            error_queues: self.error_queues.clone(),
        };
        Seen { state, facts }
    }

    /// Another worker has a replay now.
    fn note_takeovers(&mut self) {
        let running = &self.read.running_replays;
        let taken =
            taken_over(&self.resumed, running.iter().map(|replay| (replay.replay_id, replay.resumed)));
        for replay_id in taken {
            let feed = format!("replay/{replay_id}");
            self.takeovers.push_front(Takeover { at_ms: now_ms(), feed, ..Takeover::default() });
        }
        self.takeovers.truncate(MOST_TAKEOVERS);
        self.resumed = running.iter().map(|replay| (replay.replay_id, replay.resumed)).collect();
    }

    /// Begins to look for queues of messages that failed where it is time, and takes what was found. Nothing waits.
    async fn look_for_errors(&mut self) {
        if let Some(looking) = self.looking_for_errors.take_if(|looking| looking.is_finished()) {
            self.error_queues = looking.await.ok().flatten().unwrap_or_default();
        }
        let is_due = self.looked_for_errors.is_none_or(|at| at.elapsed() >= ERRORS_EVERY);
        if let Some(errors) =
            self.state.errors.clone().filter(|_| is_due && self.looking_for_errors.is_none())
        {
            self.looked_for_errors = Some(Instant::now());
            self.looking_for_errors = Some(tokio::spawn(errors.not_empty()));
        }
    }
}

/// Those that were taken over since they were last seen.
fn taken_over(before: &BTreeMap<Uuid, u32>, now: impl Iterator<Item = (Uuid, u32)>) -> Vec<Uuid> {
    let is_more = |(id, resumed): &(Uuid, u32)| before.get(id).is_some_and(|before| resumed > before);
    now.filter(is_more).map(|(id, _)| id).collect()
}

impl Read {
    /// It blocks. `counted` are the commands by state where they need not be counted.
    fn of(
        documents: &Documents,
        counted: Option<BTreeMap<String, u64>>,
        now_ms: u64,
    ) -> Result<Self, DocumentError> {
        let since = now_ms.saturating_sub(LATELY_MS);
        let is_new =
            |ended_at: &Option<String>| ended_at.as_deref().is_some_and(|at| ms_of_text(at) >= since);
        let failed = |index| IndexQuery {
            is_descending: true,
            limit: MOST_FAILED,
            ..of_state(index, command_state::FAILED)
        };
        let mut failed_commands: Vec<CommandView> = page(documents, &COMMANDS, &failed(BY_STATE))?;
        failed_commands.retain(|command| is_new(&command.ended_at));
        let mut failed_replays: Vec<ReplayView> = page(documents, &REPLAYS, &failed(replays::BY_STATE))?;
        failed_replays.retain(|replay| is_new(&replay.ended_at));
        let by_name = IndexQuery {
            index: 0,
            from: None,
            to: None,
            is_descending: false,
            after: None,
            limit: MOST_LISTED,
        };
        let mut deployments: Vec<DeploymentView> = page(documents, &DEPLOYMENTS, &by_name)?;
        deployments.retain(|deployment| deployment.state != deployment_state::STOPPED);
        Ok(Self {
            commands: counted.map_or_else(|| count_commands(documents), Ok)?,
            failed_commands,
            running_replays: page(documents, &REPLAYS, &of_state(replays::BY_STATE, replay_state::RUNNING))?,
            failed_replays,
            deployments,
        })
    }
}

fn count_commands(documents: &Documents) -> Result<BTreeMap<String, u64>, DocumentError> {
    let count = |state: &str| {
        let query = IndexQuery { limit: MOST_COUNTED, ..of_state(BY_STATE, state) };
        Ok((state.to_owned(), documents.count(&COMMANDS, &query)?))
    };
    command_state::TEXTS.all.iter().map(|known| count(known.text)).collect()
}

/// What has this state, by acceptance.
fn of_state(index: usize, state: &str) -> IndexQuery {
    let prefix = Key::new().text(state);
    let (to, from) = (prefix.after_all(), Some(prefix));
    IndexQuery { index, from, to, is_descending: false, after: None, limit: MOST_LISTED }
}

fn page<T: DeserializeOwned>(
    documents: &Documents,
    collection: &'static Collection,
    query: &IndexQuery,
) -> Result<Vec<T>, DocumentError> {
    let found = documents.page(collection, query)?;
    let parsed = found.into_iter().map(|found| {
        let id = found.document.id;
        serde_json::from_str(&found.document.body).map_err(|error| DocumentError::Damaged {
            collection: collection.name,
            id,
            reason: error.to_string(),
        })
    });
    parsed.collect()
}

/// The feeds that something is deployed to, by name only.
fn deployed_feeds(deployments: &[DeploymentView]) -> Vec<FeedState> {
    let names: BTreeSet<_> = deployments.iter().filter_map(|deployment| deployment.feed.as_ref()).collect();
    let feed = |name: &String| FeedState {
        feed: name.clone(),
        phase: feed_phase::UNKNOWN.to_owned(),
        ..FeedState::default()
    };
    names.into_iter().map(feed).collect()
}

fn running(replay: &ReplayView) -> RunningReplay {
    let progress = replay.progress.as_ref();
    RunningReplay {
        replay_id: replay.replay_id.to_string(),
        run: replay.run.clone(),
        share: progress.and_then(|progress| progress.share),
        ticks: progress.map_or(0, |progress| progress.ticks),
        ticks_per_second: progress.map_or(0, |progress| progress.ticks_per_second),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_taken_over_when_a_further_worker_resumed_it() {
        let [known, other, new] = [1, 2, 3].map(Uuid::from_u128);
        let before = BTreeMap::from([(known, 1), (other, 0)]);
        let now = [(known, 2), (other, 0), (new, 4)];
        assert_eq!(
            taken_over(&before, now.into_iter()),
            [known],
            "one that is seen for the first time is not"
        );
    }
}
