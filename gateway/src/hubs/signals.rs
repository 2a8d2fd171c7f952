//! `/hubs/signals`: signals as they are committed.

use std::sync::Arc;

use axum::http::request::Parts;
use futures_util::Stream;
use futures_util::future::{BoxFuture, FutureExt as _};
use signalr::{Context, Hub, HubError, Methods, User};

use super::caller::{Wish, may};
use super::payloads::{SignalWatch, SignalsUpdate};
use super::tail::{Follow, updates};
use crate::http::GatewayState;

mod latest;
mod log;

use log::{Page, SignalLog, SignalReader};

/// Without a cursor a client gets about so many signals of the past, where it does not say how many.
const LATEST: u32 = 100;
/// And at most so many.
const MOST_LATEST: u32 = 10_000;
/// After so many events that are not for a client it is told how far the log is, so that it need not look at them again.
const SILENT_EVENTS: u64 = 10_000;

/// Signals and accounts, in the order of the log of `strategies`.
pub struct SignalsHub {
    log: Arc<SignalLog>,
}

impl SignalsHub {
    pub(super) fn new(state: Arc<GatewayState>) -> Self {
        Self { log: Arc::new(SignalLog::new(state)) }
    }

    async fn follow(
        self: Arc<Self>,
        _: Context,
        watch: SignalWatch,
    ) -> Result<impl Stream<Item = Result<SignalsUpdate, HubError>> + Send, HubError> {
        let latest = watch.latest.unwrap_or(LATEST);
        if latest > MOST_LATEST {
            return Err(HubError::deliberate(format!("latest is {latest}: ask for at most {MOST_LATEST}")));
        }
        let filter = Filter { runs: lower(watch.runs), strategies: watch.strategies };
        let position = self.log.begin(watch.after, latest.into(), filter.clone()).await?;
        let reader = SignalReader::new(self.log.clone(), position);
        let stopping = self.log.stopping();
        let follower = Follower { reader, filter, position, sent: None };
        Ok(updates(follower, stopping))
    }
}

/// Runs are written in small letters.
fn lower(runs: Vec<String>) -> Vec<String> {
    runs.into_iter().map(|run| run.to_ascii_lowercase()).collect()
}

impl Hub for SignalsHub {
    fn register(methods: &mut Methods<Self>) {
        methods.stream("Follow", ["watch"], Self::follow).docs(
            "Signals behind a position, then new ones as they come; nothing is left out. It ends with an error when the \
             gateway stops or the log cannot be read: call it again with the last update's position.",
        );
    }

    fn authorise(&self, user: Option<&User>, _: &Parts) -> bool {
        may(user, Wish::See)
    }
}

/// One client.
struct Follower {
    reader: SignalReader,
    filter: Filter,
    /// Everything up to it was sent, or is not for this client.
    position: u64,
    /// The last update's position, and whether it was the latest.
    sent: Option<(u64, bool)>,
}

/// Which runs and strategies; all where none are named.
#[derive(Clone)]
struct Filter {
    runs: Vec<String>,
    strategies: Vec<String>,
}

impl Filter {
    fn takes(&self, run: &str, strategy: &str) -> bool {
        let is_listed = |list: &[String], name: &str| list.is_empty() || list.iter().any(|one| one == name);
        is_listed(&self.runs, run) && is_listed(&self.strategies, strategy)
    }
}

impl Follow for Follower {
    type Update = SignalsUpdate;

    fn next(&mut self) -> BoxFuture<'_, Result<SignalsUpdate, HubError>> {
        async {
            loop {
                let page = self.reader.next().await?;
                if let Some(update) = self.update(&page) {
                    return Ok(update);
                }
            }
        }
        .boxed()
    }
}

impl Follower {
    /// What a page has for this client, where it is worth sending.
    fn update(&mut self, page: &Page) -> Option<SignalsUpdate> {
        let mut update =
            SignalsUpdate { position: page.to, is_latest: page.is_latest, ..SignalsUpdate::default() };
        let new = page.entries.iter().filter(|entry| entry.position > self.position);
        for entry in new.filter(|entry| self.filter.takes(&entry.run, &entry.strategy)) {
            entry.add_to(&mut update);
        }
        self.position = page.to;
        let is_due = match self.sent {
            None => page.is_latest,
            Some((position, was_latest)) => {
                (page.is_latest && !was_latest) || page.to - position >= SILENT_EVENTS
            }
        };
        let has_something = !update.signals.is_empty() || !update.marked.is_empty();
        (has_something || is_due).then(|| {
            self.sent = Some((update.position, update.is_latest));
            update
        })
    }
}
