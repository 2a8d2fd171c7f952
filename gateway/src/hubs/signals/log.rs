//! The log of `strategies`, a page at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bus::{EventSource, StoreError, StoredEvent};
use serde::Deserialize;
use signalr::HubError;
use tick_sdk::contracts::Contract;
use tick_sdk::contracts::strategies::{AccountMarked, CommittedSignal, STRATEGIES, SignalsCommitted};
use tokio::sync::{broadcast, watch};

use super::Filter;
use super::latest::{MOST_LOOKED_AT, position_of_latest};
use crate::documents::{Cursor, DocumentError, DocumentStore, Documents};
use crate::http::GatewayState;
use crate::hubs::payloads::{MarkedAccount, SignalState, SignalsUpdate};
use crate::hubs::tail::{Followers, Tail, unreadable};

/// Events are read so many at a time.
pub(super) const READ: usize = 500;
/// A page ends after so many signals. An event is never cut: its position is the cursor behind all of it.
const PAGE_SIGNALS: usize = 1_000;
/// Whoever waits for new events looks so often whether it is still needed.
const LOOK: Duration = Duration::from_millis(200);
/// After an error of the log the tail pauses so long.
const AFTER_ERROR: Duration = Duration::from_millis(500);
/// That an account was marked waits so long for the documents that are read then.
const MARKS_WAIT: Duration = Duration::from_millis(500);

/// As the projection is called that makes the documents of signals.
const SIGNALS: &str = "signals";
/// And the one whose documents a mark refers to.
const POSITIONS: &str = "positions";

const NAMES: &[&str] = &[SignalsCommitted::NAME, AccountMarked::NAME];

/// Consecutive events.
#[derive(Debug)]
pub(super) struct Page {
    /// They come after this position.
    after: u64,
    /// And go up to this one.
    pub(super) to: u64,
    /// Whether the log ended there.
    pub(super) is_latest: bool,
    pub(super) entries: Vec<Entry>,
}

/// An event.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) position: u64,
    pub(super) run: String,
    pub(super) strategy: String,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Signals(Vec<SignalState>),
    Equity(String),
}

impl Entry {
    fn of(event: &StoredEvent) -> Result<Self, serde_json::Error> {
        if event.name == AccountMarked::NAME {
            let Marked { run, strategy, total } = serde_json::from_str(&event.body)?;
            let content = Content::Equity(total.equity);
            return Ok(Self { position: event.position, run, strategy, content });
        }
        let committed: SignalsCommitted = serde_json::from_str(&event.body)?;
        let SignalsCommitted { run, strategy, shard, signals, .. } = committed;
        let state = |signal: CommittedSignal| SignalState {
            run: run.clone(),
            strategy: strategy.clone(),
            symbol: signal.symbol,
            shard,
            seq: signal.seq,
            n: signal.n,
            ts_event: signal.ts_event.to_string(),
            at_ms: signal.ts_recv / 1_000_000,
            side: signal.side,
            price: signal.price,
            published_ms: event.at_ms,
        };
        let signals = signals.into_iter().map(state).collect();
        Ok(Self { position: event.position, run, strategy, content: Content::Signals(signals) })
    }

    /// Of an account only the last mark counts.
    pub(super) fn add_to(&self, update: &mut SignalsUpdate) {
        match &self.content {
            Content::Signals(signals) => update.signals.extend_from_slice(signals),
            Content::Equity(equity) => {
                update.marked.retain(|marked| marked.run != self.run || marked.strategy != self.strategy);
                update.marked.push(MarkedAccount {
                    run: self.run.clone(),
                    strategy: self.strategy.clone(),
                    equity: equity.clone(),
                });
            }
        }
    }

    fn signals(&self) -> usize {
        match &self.content {
            Content::Signals(signals) => signals.len(),
            Content::Equity(_) => 0,
        }
    }
}

/// [`AccountMarked`] without what the hub does not send.
#[derive(Deserialize)]
struct Marked {
    run: String,
    strategy: String,
    total: Total,
}

#[derive(Deserialize)]
struct Total {
    equity: String,
}

/// What all clients of a gateway share.
pub(super) struct SignalLog {
    state: Arc<GatewayState>,
    tail: Tail<Page>,
}

impl SignalLog {
    pub(super) fn new(state: Arc<GatewayState>) -> Self {
        Self { state, tail: Tail::default() }
    }

    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.state.stopping.clone()
    }

    /// Where a client begins. A cursor that is ahead of the log is of a log that was lost: it is as good as none. Whoever
    /// has none reads the past from documents: it begins no later than these go, if that is not too far back.
    pub(super) async fn begin(
        &self,
        after: Option<u64>,
        latest: u64,
        filter: Filter,
    ) -> Result<u64, HubError> {
        if let Some(after) = after
            && after <= self.read(|source| source.head(STRATEGIES)).await?
        {
            return Ok(after);
        }
        let projected = self.state.documents.blocking(|documents| projected(documents, SIGNALS)).await;
        let projected = projected.map_err(|error| unreadable("the documents of signals", &error))?;
        self.read(move |source| {
            let oldest = source.head(STRATEGIES)?.saturating_sub(MOST_LOOKED_AT);
            Ok(position_of_latest(source, latest, &filter)?.min(projected.max(oldest)))
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn EventSource) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, HubError> {
        // It is never closed.
        let _reader = self.tail.readers.acquire().await;
        let source = self.state.source.clone();
        let read = self.state.documents.blocking(move |_| read(&*source)).await;
        read.map_err(|error| unreadable("the log of signals", &error))
    }

    fn join(self: &Arc<Self>) -> broadcast::Receiver<Arc<Page>> {
        self.tail.join(|followers| follow(self.state.clone(), followers))
    }
}

/// One client's place in the log.
pub(super) struct SignalReader {
    log: Arc<SignalLog>,
    position: u64,
    /// What comes next, where it has read the log itself.
    pages: VecDeque<Arc<Page>>,
    tail: broadcast::Receiver<Arc<Page>>,
    is_behind: bool,
    /// Whether what is read waits for the documents of marks. Once that was in vain it does not, up to the log's end.
    waits_for_marks: bool,
}

impl SignalReader {
    pub(super) fn new(log: Arc<SignalLog>, position: u64) -> Self {
        // It joins before it reads, so that nothing comes between.
        let tail = log.join();
        Self { log, position, pages: VecDeque::new(), tail, is_behind: true, waits_for_marks: true }
    }

    /// The next page. It may begin before what was given last; then only what is new of it counts.
    pub(super) async fn next(&mut self) -> Result<Arc<Page>, HubError> {
        loop {
            if let Some(page) = self.pages.pop_front() {
                self.position = page.to;
                if page.is_latest {
                    self.is_behind = false;
                    self.waits_for_marks = true;
                }
                return Ok(page);
            }
            if self.is_behind {
                let position = self.position;
                let pages = self.log.read(move |source| pages(source, position)).await?;
                if self.waits_for_marks {
                    self.waits_for_marks = self.log.state.wait_for_marks(&pages).await;
                }
                self.pages.extend(pages.into_iter().map(Arc::new));
                continue;
            }
            match self.tail.recv().await {
                Ok(page) if page.to <= self.position => {}
                Ok(page) if page.after <= self.position => self.pages.push_back(page),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => self.is_behind = true,
                Err(broadcast::error::RecvError::Closed) => {
                    self.tail = self.log.join();
                    self.is_behind = true;
                }
            }
        }
    }
}

/// Reads what is new for all who are at the end.
async fn follow(state: Arc<GatewayState>, followers: Followers<Page>) {
    let stopping = state.stopping.clone();
    let mut position = None;
    while followers.are_there() && !*stopping.borrow() && stopping.has_changed().is_ok() {
        let source = state.source.clone();
        match state.documents.blocking(move |_| news(&*source, position)).await {
            Ok(pages) => {
                for page in pages {
                    position = Some(page.to);
                    state.wait_for_marks(std::slice::from_ref(&page)).await;
                    followers.send(page);
                }
            }
            Err(error) => {
                tracing::error!(%error, "the log of signals cannot be read");
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
}

/// Waits for events behind the position and reads them. First of all, where the log ends: whoever has joined and is not
/// that far reads up to there.
fn news(source: &dyn EventSource, position: Option<u64>) -> Result<Vec<Page>, StoreError> {
    match position {
        None => {
            let head = source.head(STRATEGIES)?;
            Ok(vec![Page { after: head, to: head, is_latest: true, entries: Vec::new() }])
        }
        Some(position) if source.wait_beyond(STRATEGIES, position, LOOK) => pages(source, position),
        Some(_) => Ok(Vec::new()),
    }
}

/// What follows, at least one page.
fn pages(source: &dyn EventSource, position: u64) -> Result<Vec<Page>, StoreError> {
    let read = source.look(STRATEGIES, position, READ, Some(NAMES))?;
    let is_latest = source.head(STRATEGIES)? <= read.looked_to;
    let mut pages = Vec::new();
    let mut page = Page { after: position, to: position, is_latest: false, entries: Vec::new() };
    let mut signals = 0;
    for event in &read.events {
        match Entry::of(event) {
            Ok(entry) => {
                signals += entry.signals();
                page.entries.push(entry);
            }
            // The projections stop there and say so; the stream goes on with what can be read.
            Err(error) => tracing::error!(position = event.position, %error, "an event cannot be read"),
        }
        page.to = event.position;
        if signals >= PAGE_SIGNALS {
            signals = 0;
            let next = Page { after: page.to, to: page.to, is_latest: false, entries: Vec::new() };
            pages.push(std::mem::replace(&mut page, next));
        }
    }
    page.to = read.looked_to;
    page.is_latest = is_latest;
    pages.push(page);
    Ok(pages)
}

/// Up to where a projection's documents are made.
fn projected(documents: &Documents, projection: &str) -> Result<u64, DocumentError> {
    let is_it = |cursor: &&Cursor| cursor.projection == projection && cursor.context == STRATEGIES;
    Ok(documents.cursors()?.iter().find(is_it).map_or(0, |cursor| cursor.position))
}

impl GatewayState {
    /// Whoever learns that an account was marked reads the documents: they are to be there, but a projection that stopped
    /// holds back no signals. Whether they are.
    async fn wait_for_marks(&self, pages: &[Page]) -> bool {
        let is_mark = |entry: &&Entry| matches!(entry.content, Content::Equity(_));
        let last = pages.iter().flat_map(|page| &page.entries).rfind(is_mark);
        let Some(position) = last.map(|entry| entry.position) else { return true };
        let mut commits = self.documents.commits();
        let wait = async {
            loop {
                commits.mark_unchanged();
                let read = self.documents.blocking(|documents| projected(documents, POSITIONS)).await;
                let Ok(at) = read else { return false };
                if at >= position {
                    return true;
                }
                if commits.changed().await.is_err() {
                    return false;
                }
            }
        };
        // After it the client reads what there is.
        tokio::time::timeout(MARKS_WAIT, wait).await.unwrap_or(false)
    }
}
