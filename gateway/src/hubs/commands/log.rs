//! The logs of all contexts, as far as they are of commands.

use std::sync::Arc;
use std::time::Duration;

use signalr::HubError;
use tokio::sync::{broadcast, watch};

use super::Filter;
use super::changes::{Changes, Positions, ReadError, Reading, projected};
use super::past::{Begin, begin};
use crate::documents::Documents;
use crate::http::GatewayState;
use crate::hubs::tail::{Followers, Tail, unreadable};

/// Where other processes keep the documents a change may come without notice: so often it is looked for.
const LOOK: Duration = Duration::from_secs(1);
/// So many events that change no command are kept to themselves.
const UNSENT_EVENTS: u64 = 1_000;
/// After an error of a store the tail pauses so long.
const AFTER_ERROR: Duration = Duration::from_millis(500);

/// What all clients of a gateway share.
pub(super) struct CommandLog {
    state: Arc<GatewayState>,
    tail: Tail<Changes>,
}

impl CommandLog {
    pub(super) fn new(state: Arc<GatewayState>) -> Self {
        Self { state, tail: Tail::default() }
    }

    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.state.stopping.clone()
    }

    /// Where a client begins.
    pub(super) async fn begin(
        &self,
        after: Option<Positions>,
        latest: usize,
        filter: Filter,
    ) -> Result<Begin, HubError> {
        let source = self.state.source.clone();
        // It is never closed.
        let _reader = self.tail.readers.acquire().await;
        let begin = move |documents: &Documents| begin(&*source, documents, after, latest, &filter);
        self.state.documents.blocking(begin).await.map_err(cannot_read)
    }

    fn join(self: &Arc<Self>) -> broadcast::Receiver<Arc<Changes>> {
        self.tail.join(|followers| follow(self.state.clone(), followers))
    }
}

fn cannot_read(error: ReadError) -> HubError {
    unreadable("the status of commands", &error)
}

impl GatewayState {
    async fn step(&self, mut reading: Reading) -> Result<(Reading, Changes), ReadError> {
        let source = self.source.clone();
        let step = move |documents: &Documents| {
            let changes = reading.step(&*source, documents)?;
            Ok((reading, changes))
        };
        self.documents.blocking(step).await
    }
}

/// One client's place in the logs.
pub(super) struct CommandReader {
    log: Arc<CommandLog>,
    reading: Reading,
    tail: broadcast::Receiver<Arc<Changes>>,
    commits: watch::Receiver<u64>,
    is_behind: bool,
    /// Whether there was nothing more when it last read.
    is_waiting: bool,
}

impl CommandReader {
    pub(super) fn new(log: Arc<CommandLog>, reading: Reading) -> Self {
        // It joins before it reads, so that nothing comes between.
        let tail = log.join();
        let commits = log.state.documents.commits();
        Self { log, reading, tail, commits, is_behind: true, is_waiting: false }
    }

    /// What has changed. A command may come again as it was.
    pub(super) async fn next(&mut self) -> Result<Arc<Changes>, HubError> {
        while !self.is_behind {
            match self.tail.recv().await {
                Ok(changes) => match self.take(&changes) {
                    Taken::Old => {}
                    Taken::New => return Ok(changes),
                    Taken::Ahead => self.fall_behind(),
                },
                Err(broadcast::error::RecvError::Lagged(_)) => self.fall_behind(),
                Err(broadcast::error::RecvError::Closed) => {
                    self.tail = self.log.join();
                    self.fall_behind();
                }
            }
        }
        let changes = self.read().await?;
        // What it knows to be unsettled nobody else looks after.
        self.is_behind = !changes.is_latest || !self.reading.unsettled.is_empty();
        Ok(Arc::new(changes))
    }

    /// Reads the logs itself; where it was at their end before, once documents have changed.
    async fn read(&mut self) -> Result<Changes, HubError> {
        if self.is_waiting {
            // Where other processes keep the documents, a change may come without notice.
            let _ = tokio::time::timeout(LOOK, self.commits.changed()).await;
        }
        self.commits.mark_unchanged();
        let _reader = self.log.tail.readers.acquire().await;
        let (reading, changes) = self.log.state.step(self.reading.clone()).await.map_err(cannot_read)?;
        self.reading = reading;
        self.is_waiting = changes.is_latest;
        Ok(changes)
    }

    fn fall_behind(&mut self) {
        self.is_behind = true;
        self.is_waiting = false;
    }

    fn take(&mut self, changes: &Changes) -> Taken {
        let at = |context: &String| self.reading.positions.get(context).copied().unwrap_or(0);
        if changes.from.iter().any(|(context, from)| *from > at(context)) {
            return Taken::Ahead;
        }
        let is_old = changes.to.iter().all(|(context, to)| *to <= at(context));
        if is_old && changes.commands.is_empty() {
            return Taken::Old;
        }
        for (context, to) in &changes.to {
            let position = self.reading.positions.entry(context.clone()).or_default();
            *position = (*position).max(*to);
        }
        Taken::New
    }
}

/// What changes are to somebody who reads them.
enum Taken {
    Old,
    New,
    /// Something before them was missed.
    Ahead,
}

/// Reads what is new for all who are at the end, after each commit of documents.
async fn follow(state: Arc<GatewayState>, followers: Followers<Changes>) {
    let stopping = state.stopping.clone();
    let mut commits = state.documents.commits();
    let mut reading = None;
    let mut unsent = Unsent::default();
    while followers.are_there() && !*stopping.borrow() && stopping.has_changed().is_ok() {
        commits.mark_unchanged();
        match news(&state, reading.clone()).await {
            Ok((read, changes)) => {
                reading = Some(read);
                let is_latest = changes.is_latest;
                if let Some(changes) = unsent.due(changes) {
                    followers.send(changes);
                }
                if is_latest {
                    let _ = tokio::time::timeout(LOOK, commits.changed()).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "the status of commands cannot be read");
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
}

/// What is new. First of all, where the logs end: whoever has joined and is not that far reads up to there.
async fn news(state: &GatewayState, reading: Option<Reading>) -> Result<(Reading, Changes), ReadError> {
    if let Some(reading) = reading {
        return state.step(reading).await;
    }
    let source = state.source.clone();
    let positions = state.documents.blocking(move |documents| projected(&*source, documents)).await?;
    let (from, to, cursor) = (positions.clone(), positions.clone(), positions.clone());
    let changes = Changes { from, to, cursor, is_latest: true, commands: Vec::new() };
    Ok((Reading { positions, ..Reading::default() }, changes))
}

/// Events that change no command are many: nobody is woken for each of them.
#[derive(Default)]
struct Unsent {
    /// From where on nothing was sent.
    from: Option<Positions>,
    was_latest: bool,
}

impl Unsent {
    /// The changes with what came before them, where they are worth sending.
    fn due(&mut self, changes: Changes) -> Option<Changes> {
        let is_first = self.from.is_none();
        let from = self.from.take().unwrap_or_else(|| changes.from.clone());
        let events = changes.to.values().sum::<u64>().saturating_sub(from.values().sum());
        let is_now_latest = changes.is_latest && !self.was_latest;
        if is_first || is_now_latest || !changes.commands.is_empty() || events >= UNSENT_EVENTS {
            self.from = Some(changes.to.clone());
            self.was_latest = changes.is_latest;
            return Some(Changes { from, ..changes });
        }
        self.from = Some(from);
        None
    }
}
