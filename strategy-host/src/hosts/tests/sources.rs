//! What the logs say is wanted.

use std::collections::BTreeMap;

use bus::{Bus, EventSource, SendOptions};
use tick_sdk::contracts::Command;
use tick_sdk::contracts::strategies::{ChangeParameters, DeployStrategy, STRATEGIES, StopStrategy};

use super::*;

/// What is sent here is carried out within seconds.
const PATIENCE: Duration = Duration::from_secs(30);

struct Deploying {
    bus: Arc<Bus>,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Deploying {
    fn new() -> Self {
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
            assert!(self.bus.wait_beyond(STRATEGIES, position, PATIENCE), "it is not carried out");
        }
    }
}

fn deploy(name: &str, feed: &str, from: Option<&str>) -> DeployStrategy {
    DeployStrategy {
        name: name.to_owned(),
        strategy: "apple".to_owned(),
        parameters: BTreeMap::new(),
        feed: Some(feed.to_owned()),
        from: from.map(str::to_owned),
    }
}

fn names(lanes: Option<Vec<WantedLane>>) -> Vec<(String, Begin)> {
    let lanes = lanes.expect("there is a change");
    lanes.iter().map(|lane| (lane.name.to_string(), lane.begin)).collect()
}

#[test]
fn the_lanes_of_a_feed_are_what_is_deployed_to_it_now() {
    let deploying = Deploying::new();
    let mut lanes = DeployedLanes::new(deploying.bus.events(), "f".parse().unwrap());
    assert_eq!(names(lanes.wait(Duration::ZERO).unwrap()), []);
    assert!(lanes.wait(Duration::ZERO).unwrap().is_none(), "nothing has changed");

    deploying.send(&deploy("a", "f", None));
    deploying.send(&deploy("b", "f", Some("2024-08-08T00:00:00Z")));
    deploying.send(&deploy("c", "g", Some("start")));
    let at = |name: &str, begin| (name.to_owned(), begin);
    let time = Begin::Time(1_723_075_200_000_000_000);
    assert_eq!(names(lanes.wait(PATIENCE).unwrap()), [at("a@1", Begin::Deployed), at("b@1", time)]);

    let parameters = BTreeMap::from([("fast".to_owned(), "3".to_owned())]);
    deploying.send(&ChangeParameters { name: "a".to_owned(), parameters });
    deploying.send(&StopStrategy { name: "b".to_owned() });
    let wanted = lanes.wait(PATIENCE).unwrap().unwrap();
    let params = wanted[0].configured.as_ref().unwrap().params();
    assert_eq!(params, [("fast", "3".to_owned()), ("slow", "26".to_owned())]);
    assert_eq!(names(Some(wanted)), [at("a@2", Begin::Deployed)]);
    let has_left = |name: &str| lanes.has_left(&name.parse().unwrap());
    assert!(has_left("a@1") && has_left("b@1"), "both are wanted no more");
    assert!(!has_left("a@2") && !has_left("a@3"), "it takes part, or will");
    assert!(!has_left("a") && !has_left("other@1"), "an `orchard run` has nothing to do with it");

    // Whoever begins later comes to the same.
    let mut later = DeployedLanes::new(deploying.bus.events(), "f".parse().unwrap());
    assert_eq!(names(later.wait(Duration::ZERO).unwrap()), [at("a@2", Begin::Deployed)]);
    assert!(later.has_left(&"b@1".parse().unwrap()));
}
