//! Which lanes run, without any broker.

use std::sync::{Arc, Mutex};

use super::*;
// Linked, so that Apple is registered.
use strategies as _;

/// What a test wants.
#[derive(Clone, Default)]
struct Wanted(Arc<Mutex<Option<Vec<WantedLane>>>>);

impl Wanted {
    fn set(&self, names: &[&str]) {
        let lane = |name: &&str| WantedLane {
            feed: "f".parse().unwrap(),
            name: name.parse().unwrap(),
            configured: Err(format!("{name} is not in this program")),
            begin: Begin::Deployed,
            at_end: AtEnd::WaitForNext,
        };
        *self.0.lock().unwrap() = Some(names.iter().map(lane).collect());
    }
}

impl LaneSource for Wanted {
    fn wait(&mut self, _: Duration) -> Result<Option<Vec<WantedLane>>, LaneSourceError> {
        Ok(self.0.lock().unwrap().take())
    }
}

#[test]
fn a_lane_that_cannot_begin_is_reported_with_the_reason_and_ends_nothing_else() {
    // Nothing listens there.
    let brokers = vec!["amqp://127.0.0.1:1".parse().unwrap()];
    let folder = tempfile::tempdir().unwrap();
    let plan = HostsPlan { most_lanes: 2, ..HostsPlan::new(brokers, folder.path().to_str().unwrap()) };
    let wanted = Wanted::default();
    let lane = |name: &str, strategy: &str| WantedLane {
        feed: "f".parse().unwrap(),
        name: name.parse().unwrap(),
        configured: tick_sdk::host::Registration::find(strategy)
            .map_err(|error| error.to_string())
            .map(|found| found.configure(&[]).unwrap().into()),
        begin: Begin::Deployed,
        at_end: AtEnd::WaitForNext,
    };
    *wanted.0.lock().unwrap() = Some(vec![lane("a@1", "apple"), lane("b@1", "none")]);
    let cancellation = Cancellation::default();
    let mut failed = Vec::new();
    let report = host(&plan, wanted.clone(), &cancellation, |event| {
        if let HostsEvent::LaneFailed { lane, reason, .. } = event {
            failed.push((lane.name.to_string(), reason));
            if failed.len() == 2 {
                cancellation.cancel();
            }
        }
    });
    failed.sort();
    assert!(failed[0].1.contains("127.0.0.1:1"), "{failed:?}");
    assert!(failed[1].1.contains("there is no strategy 'none'"), "{failed:?}");
    assert!(report.is_clean && report.failures == 2, "{report:?}");
}

#[test]
fn those_beyond_the_most_wait_and_are_counted() {
    let brokers = vec!["amqp://127.0.0.1:1".parse().unwrap()];
    let plan = HostsPlan { most_lanes: 0, ..HostsPlan::new(brokers, "unused") };
    let wanted = Wanted::default();
    wanted.set(&["a@1", "b@1", "c@2"]);
    let cancellation = Cancellation::default();
    let mut waiting = None;
    host(&plan, wanted, &cancellation, |event| {
        if let HostsEvent::LanesWait { waiting: many, .. } = event {
            waiting = Some(many);
            cancellation.cancel();
        }
    });
    assert_eq!(waiting, Some(3));
}

/// A lane of a feed that ends with it, which fails at once.
fn of_replay(feed: &str, name: &str) -> WantedLane {
    WantedLane {
        feed: feed.parse().unwrap(),
        name: name.parse().unwrap(),
        configured: Err("it is not in this program".to_owned()),
        begin: Begin::Start,
        at_end: AtEnd::Stop,
    }
}

#[test]
fn all_lanes_of_a_replay_have_places_or_none() {
    let brokers = vec!["amqp://127.0.0.1:1".parse().unwrap()];
    let plan = HostsPlan { most_lanes: 3, ..HostsPlan::new(brokers, "unused") };
    let (a, b) = ("replay-a", "replay-b");
    let lanes = [(a, "x"), (a, "y"), (b, "x"), (b, "y")].map(|(feed, name)| of_replay(feed, name));
    let mut tried = Vec::new();
    let mut on_event = |event| match event {
        HostsEvent::LaneFailed { lane, .. } => tried.push(format!("{}.{}", lane.feed, lane.name)),
        HostsEvent::LanesWait { waiting, .. } => tried.push(format!("{waiting} wait")),
        _ => {}
    };
    let mut report = Report::new(&mut on_event);
    let mut hosted = Lanes::new(plan);
    hosted.want(lanes.to_vec());
    hosted.step(Instant::now(), &mut report);
    hosted.want(lanes[2..].to_vec());
    hosted.step(Instant::now(), &mut report);
    drop(hosted);
    assert_eq!(tried, ["replay-a.x", "replay-a.y", "2 wait", "replay-b.x", "replay-b.y"]);
}

#[test]
fn a_lane_that_has_not_failed_for_some_time_runs_which_is_said_once() {
    // It takes connections and says nothing: a member waits there for some seconds.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let brokers = vec![format!("amqp://{}", silent.local_addr().unwrap()).parse().unwrap()];
    let folder = tempfile::tempdir().unwrap();
    let plan = HostsPlan::new(brokers, folder.path().to_str().unwrap());
    let found = tick_sdk::host::Registration::find("apple").unwrap();
    let wanted = WantedLane { configured: Ok(found.configure(&[]).unwrap().into()), ..of_replay("f", "a") };
    let (mut runs, mut others) = (0, 0);
    let mut on_event = |event| match event {
        HostsEvent::LaneRuns { .. } => runs += 1,
        HostsEvent::LaneStarts { .. } => {}
        _ => others += 1,
    };
    let mut report = Report::new(&mut on_event);
    let mut lanes = Lanes::new(plan);
    lanes.want(vec![wanted]);
    let begun = Instant::now();
    for later in [Duration::ZERO, lane::RUNS / 2, lane::RUNS, lane::RUNS * 2] {
        lanes.step(begun + later, &mut report);
    }
    drop(lanes);
    assert_eq!((runs, others), (1, 0));
}

#[cfg(feature = "services")]
mod sources;
