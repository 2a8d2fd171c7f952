//! A lane fails, runs again, and is wanted no more.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::{EventSource, SendOptions};
use strategies as _; // Registers Apple and Pear.
use tick_sdk::contracts::Command;
use tick_sdk::contracts::strategies::{ChangeParameters, DeployStrategy, StopStrategy};

use super::*;

struct Context {
    bus: Arc<Bus>,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Context {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::deployments::open(&folder.path().join("strategies.sqlite")).unwrap();
        let bus = Arc::new(Bus::builder().context(STRATEGIES, store).start().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { bus, runtime, _folder: folder }
    }

    /// Sends it, and waits until it is carried out.
    fn send<C: Command>(&self, command: &C) {
        let id = self.runtime.block_on(self.bus.send(command, SendOptions::default())).unwrap().command_id;
        let mut position = 0;
        loop {
            for event in self.bus.events_after(STRATEGIES, position, 1000).unwrap() {
                position = event.position;
                if event.command_id == Some(id) && event.name == "CommandCompleted" {
                    return;
                }
            }
            let is_there = self.bus.wait_beyond(STRATEGIES, position, std::time::Duration::from_secs(60));
            assert!(is_there, "it is not carried out");
        }
    }

    /// What the log says of lanes: their names, and why each failed, or nothing of one that has recovered.
    fn said(&self) -> Vec<(String, Option<String>)> {
        let events = self.bus.events_after(STRATEGIES, 0, 1000).unwrap();
        let said = events.iter().filter_map(|event| match event.name.as_str() {
            "LaneFailed" => serde_json::from_str::<LaneFailed>(&event.body)
                .map(|failed| (failed.strategy, Some(failed.reason)))
                .ok(),
            "LaneRecovered" => {
                serde_json::from_str::<LaneRecovered>(&event.body).map(|one| (one.strategy, None)).ok()
            }
            _ => None,
        });
        said.collect()
    }

    fn fail(&self, strategy: &str, failures: u32) {
        let failed = LaneFailed {
            feed: "live".to_owned(),
            strategy: strategy.to_owned(),
            reason: format!("failure {failures}"),
            failures,
            is_of_strategy: true,
        };
        lane_failed(&self.bus, &failed).unwrap();
    }
}

fn failed(strategy: &str, failures: u32) -> (String, Option<String>) {
    (strategy.to_owned(), Some(format!("failure {failures}")))
}

#[test]
fn of_each_lane_the_log_has_the_last_word_and_none_of_one_that_is_wanted_no_more() {
    let context = Context::start();
    context.send(&DeployStrategy {
        name: "trend".to_owned(),
        strategy: "apple".to_owned(),
        parameters: BTreeMap::new(),
        feed: Some("live".to_owned()),
        from: None,
    });
    lane_runs(&context.bus, "live", "trend@1").unwrap();
    assert_eq!(context.said(), [], "what has not failed does not recover");
    (1..=50).for_each(|failures| context.fail("trend@1", failures));
    context.fail("apple", 1);
    assert_eq!(context.said(), [failed("trend@1", 50), failed("apple", 1)]);
    lane_runs(&context.bus, "live", "trend@1").unwrap();
    lane_runs(&context.bus, "live", "trend@1").unwrap();
    assert_eq!(context.said(), [failed("apple", 1), ("trend@1".to_owned(), None)]);

    context.fail("trend@1", 1);
    let parameters = BTreeMap::from([("fast".to_owned(), "3".to_owned())]);
    context.send(&ChangeParameters { name: "trend".to_owned(), parameters });
    assert_eq!(context.said(), [failed("apple", 1)]);
    // A host that has not heard of it yet.
    context.fail("trend@1", 2);
    assert_eq!(context.said(), [failed("apple", 1)]);
    context.fail("trend@2", 1);
    context.send(&StopStrategy { name: "trend".to_owned() });
    context.fail("trend@2", 2);
    assert_eq!(context.said(), [failed("apple", 1)]);
}
