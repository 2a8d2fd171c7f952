//! Lanes of a replay's feed that fail.

use std::sync::Arc;

use bus::{Bus, EventSource};
use tick_sdk::contracts::Contract;
use tick_sdk::contracts::strategies::{LaneFailed, STRATEGIES};
use tick_sdk::names::FeedName;

/// A look for lanes that failed goes over so many events.
const EVENTS_PER_LOOK: usize = 10_000;

/// Lanes of a feed whose strategies fail, as the log says: they would fail for ever, and the feed would wait for them.
pub(super) struct LaneFailures {
    bus: Arc<Bus>,
    feed: FeedName,
    /// The last event that was looked at; `None` while the log could not be read.
    position: Option<u64>,
}

impl LaneFailures {
    pub(super) fn from_now_on(bus: Arc<Bus>, feed: FeedName) -> Self {
        let position = bus.head(STRATEGIES).ok();
        Self { bus, feed, position }
    }

    /// Why the next one failed, if one has. A log that cannot be read is read the next time.
    pub(super) fn next(&mut self) -> Option<String> {
        let Some(position) = self.position else {
            self.position = self.bus.head(STRATEGIES).ok();
            return None;
        };
        let names = [LaneFailed::NAME];
        let page = self.bus.look(STRATEGIES, position, EVENTS_PER_LOOK, Some(&names)).ok()?;
        self.position = Some(page.looked_to);
        let mut failed = page.events.iter().filter_map(|event| serde_json::from_str(&event.body).ok());
        failed
            .find(|failed: &LaneFailed| failed.is_of_strategy && failed.feed == self.feed.as_str())
            .map(|failed| failed.reason)
    }
}

#[cfg(test)]
mod tests {
    use bus::StoreError;
    use strategy_host::publishing::feed_of_replay;
    use tick_sdk::contracts::CommandId;

    use super::*;

    #[test]
    fn a_replay_fails_of_its_own_lanes_whose_strategy_failed_since_it_began() {
        let folder = tempfile::tempdir().unwrap();
        let store = strategy_host::deployments::open(&folder.path().join("strategies.sqlite")).unwrap();
        let bus = Arc::new(Bus::builder().context(STRATEGIES, store).start().unwrap());
        let fail = |feed: &FeedName, is_of_strategy, reason: &str| {
            let (feed, strategy, reason) = (feed.to_string(), "apple".to_owned(), reason.to_owned());
            let failed = LaneFailed { feed, strategy, reason, failures: 1, is_of_strategy };
            bus.transaction(STRATEGIES, |work| {
                work.publish(&failed);
                Ok::<_, StoreError>(())
            })
            .unwrap();
        };
        let [own, other] = ["1", "2"].map(|number| feed_of_replay(CommandId::of_key("test", number)));
        fail(&own, true, "before");
        let mut failures = LaneFailures::from_now_on(bus.clone(), own.clone());
        assert_eq!(failures.next(), None);
        fail(&other, true, "of another replay");
        fail(&own, false, "the broker was away");
        assert_eq!(failures.next(), None);
        fail(&own, true, "tick 7: it panicked");
        assert_eq!(failures.next().as_deref(), Some("tick 7: it panicked"));
    }
}
