//! Sends a group what has changed, as often as its members asked for.
//!
//! Updates replace those that still wait for a client, and yet nothing is lost: each has all that changed since the last
//! update of the kind above it, which waits under a key of its own. At the top is one with all that changed since the group
//! began, when each of its members was given a snapshot or later.

use std::sync::Arc;
use std::time::Duration;

use live::{LiveMarket, Selection};
use signalr::Clients;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use super::{QUOTES, SOURCES, states};
use crate::hubs::payloads::{QuoteState, SourceState};

/// All that changed since the group began is sent so often, at most.
const ALL_EVERY: Duration = Duration::from_secs(10);
/// All that changed since then so often, and in between what changed since that.
const FULL_EVERY: Duration = Duration::from_secs(1);
/// Sources are sent so often, at most.
const SOURCES_EVERY: Duration = Duration::from_secs(1);

/// What the task of a group knows.
pub(super) struct Ticker {
    market: LiveMarket,
    selection: Selection,
    group: Arc<str>,
    period: Duration,
    changes: watch::Receiver<u64>,
    levels: Levels,
    sources: Vec<SourceState>,
    sources_due: Instant,
}

impl Ticker {
    /// Every member's snapshot has to be taken after this.
    pub(super) fn new(market: LiveMarket, selection: Selection, per_second: u32, group: Arc<str>) -> Self {
        let changes = market.changes();
        let (version, now) = (*changes.borrow(), Instant::now());
        Self {
            levels: Levels::new(version, now),
            sources: states::sources(&market, selection.source.as_deref()),
            period: Duration::from_secs(1) / per_second.max(1),
            sources_due: now,
            market,
            selection,
            group,
            changes,
        }
    }

    /// Ends with the market, or when it is aborted.
    pub(super) async fn run(mut self, clients: Clients) {
        let mut ticks = tokio::time::interval(self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // That a source has ended may change no price.
            match tokio::time::timeout(SOURCES_EVERY, self.changes.changed()).await {
                Ok(Ok(())) => self.send_quotes(&clients).await,
                Ok(Err(_)) => return,
                Err(_) => {}
            }
            self.send_sources(&clients).await;
        }
    }

    async fn send_quotes(&mut self, clients: &Clients) {
        let now = Instant::now();
        let level = self.levels.due(now);
        let quotes = self.market.quotes(&self.selection, self.levels.after(level));
        if !quotes.quotes.iter().any(|quote| quote.version > self.levels.sent) {
            return;
        }
        self.levels.sent(level, quotes.version, now);
        let key = format!("{}/{}", self.group, level.key());
        let states: Vec<_> = quotes.quotes.iter().map(QuoteState::from).collect();
        let arguments = (self.group.as_ref().to_owned(), states);
        if let Err(error) = clients.group(&self.group).send_latest(&key, &QUOTES, arguments).await {
            tracing::error!(%error, "prices are not sent");
        }
    }

    async fn send_sources(&mut self, clients: &Clients) {
        let now = Instant::now();
        if now < self.sources_due {
            return;
        }
        self.sources_due = now + SOURCES_EVERY;
        let sources = states::sources(&self.market, self.selection.source.as_deref());
        if sources == self.sources {
            return;
        }
        self.sources.clone_from(&sources);
        let key = format!("{}/sources", self.group);
        let arguments = (self.group.as_ref().to_owned(), sources);
        if let Err(error) = clients.group(&self.group).send_latest(&key, &SOURCES, arguments).await {
            tracing::error!(%error, "sources are not sent");
        }
    }
}

/// The kinds of updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    All,
    Full,
    Changes,
}

impl Level {
    const fn key(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Full => "full",
            Self::Changes => "changes",
        }
    }
}

/// Up to which version updates of each kind were sent.
#[derive(Debug)]
struct Levels {
    begin: u64,
    all: u64,
    full: u64,
    sent: u64,
    all_due: Instant,
    full_due: Instant,
}

impl Levels {
    fn new(version: u64, now: Instant) -> Self {
        Self {
            begin: version,
            all: version,
            full: version,
            sent: version,
            all_due: now + ALL_EVERY,
            full_due: now + FULL_EVERY,
        }
    }

    fn due(&self, now: Instant) -> Level {
        if now >= self.all_due {
            Level::All
        } else if now >= self.full_due {
            Level::Full
        } else {
            Level::Changes
        }
    }

    /// What an update of this kind has, changed after this version.
    const fn after(&self, level: Level) -> u64 {
        match level {
            Level::All => self.begin,
            Level::Full => self.all,
            Level::Changes => self.full,
        }
    }

    fn sent(&mut self, level: Level, version: u64, now: Instant) {
        self.sent = version;
        if level == Level::Changes {
            return;
        }
        self.full = version;
        self.full_due = now + FULL_EVERY;
        if level == Level::All {
            self.all = version;
            self.all_due = now + ALL_EVERY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a client misses of what was replaced, it has all once it has read what waits.
    #[test]
    fn what_replaces_an_update_has_all_that_the_client_lacks() {
        let begin = Instant::now();
        let mut levels = Levels::new(7, begin);
        // Up to which version a client knows everything, if it has read nothing but what waits under each key.
        let mut waiting: [Option<(u64, u64)>; 3] = [None; 3];
        for tick in 1..2_000_u64 {
            let now = begin + Duration::from_millis(50) * tick as u32;
            let level = levels.due(now);
            waiting[level as usize] = Some((levels.after(level), 7 + tick));
            levels.sent(level, 7 + tick, now);
            let mut known = 7;
            for (after, to) in waiting.iter().flatten() {
                assert!(*after <= known, "tick {tick}: {waiting:?}");
                known = known.max(*to);
            }
            assert_eq!(known, 7 + tick);
        }
    }
}
