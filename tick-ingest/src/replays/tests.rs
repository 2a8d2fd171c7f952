//! The context as its clients see it, and the queue as workers do.

use std::collections::BTreeMap;
use std::path::Path;

use bus::testing::{Ended, TestBus};
use tempfile::TempDir;
use tick_sdk::contracts::strategies::{ParametersChanged, StrategyDeployed, StrategySpec, StrategyStopped};
use tick_sdk::contracts::ticks::{
    CancelReplay, ForgetReplay, ReplayAccepted, ReplayCancelled, ReplayForgotten, StartReplay, TICKS,
};
// Linked so that Apple and Pear are there.
use strategies as _;

use super::{AccountCheck, Captures, TABLES};

mod files;
mod queue;

/// A folder of captures with two files, one in a folder of its own.
fn captures() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), "x").unwrap();
    std::fs::create_dir(folder.path().join("day")).unwrap();
    std::fs::write(folder.path().join("day/b.csv"), "y").unwrap();
    folder
}

const ACCOUNT: AccountCheck = AccountCheck(|plan| match plan.fill.as_deref() {
    None | Some("signal" | "cross") => Ok(()),
    Some(fill) => Err(format!("fill {fill:?}: write signal or cross")),
});

fn bus(folder: &Path) -> TestBus {
    TestBus::new(TICKS, TABLES).resource(Captures::open(folder).unwrap()).resource(ACCOUNT)
}

fn apple() -> StrategySpec {
    StrategySpec { strategy: "apple".to_owned(), ..StrategySpec::default() }
}

fn plan(files: &[&str]) -> StartReplay {
    let files = files.iter().map(|file| (*file).to_owned()).collect();
    StartReplay { files, strategies: vec![apple()], ..StartReplay::default() }
}

/// The reason for which a plan is refused, at its first attempt.
fn refusal(bus: &mut TestBus, plan: &StartReplay) -> String {
    let sent = bus.send(plan);
    bus.settle();
    match bus.ended(sent) {
        Some(Ended::Failed(reason, 1)) => reason,
        other => panic!("{plan:?}: {other:?}"),
    }
}

#[test]
fn a_wish_is_recorded_with_its_files_and_names_and_goes_on() {
    let folder = captures();
    let mut bus = bus(folder.path());
    let slow = StrategySpec { name: Some("slow".to_owned()), ..apple() };
    let wish = StartReplay { strategies: vec![apple(), slow], ..plan(&["*.csv", "./day"]) };
    let sent = bus.send(&wish);
    bus.settle();
    assert_eq!(bus.ended(sent), None);
    let accepted = bus.published::<ReplayAccepted>();
    assert_eq!(accepted[0].replay_id, sent.0);
    assert_eq!(accepted[0].plan.files, ["a.csv", "day/b.csv"]);
    let names: Vec<_> = accepted[0].plan.strategies.iter().map(|spec| spec.name.as_deref()).collect();
    assert_eq!(names, [Some("apple"), Some("slow")]);
}

#[test]
fn what_cannot_be_carried_out_is_refused_by_name_and_nothing_is_stored() {
    let folder = captures();
    let mut bus = bus(folder.path());
    let good = || plan(&["a.csv"]);
    let text = |text: &str| Some(text.to_owned());
    let spec = |name: &str, strategy: &str| StrategySpec {
        name: (!name.is_empty()).then(|| name.to_owned()),
        strategy: strategy.to_owned(),
        parameters: BTreeMap::new(),
    };
    let with = |key: &str, value: &str| StrategySpec {
        parameters: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        ..apple()
    };
    let cases = [
        (StartReplay { files: vec![], ..good() }, "files is empty"),
        (
            StartReplay { from: text("2024-08-08"), ..good() },
            "from \"2024-08-08\": is not a time of RFC 3339",
        ),
        (StartReplay { to: text("2024-08-08T10:00:00"), ..good() }, "with its zone"),
        (
            StartReplay {
                from: text("2024-08-08T10:00:00Z"),
                to: text("2024-08-08T12:00:00+02:00"),
                ..good()
            },
            "from is not before to",
        ),
        (StartReplay { speed: Some(0.0), ..good() }, "speed \"0\""),
        (StartReplay { speed: Some(-1.0), ..good() }, "above 0"),
        (StartReplay { repeats: Some(0), ..good() }, "loop \"0\": give 1 to 1000000"),
        (StartReplay { repeats: Some(1_000_001), ..good() }, "loop"),
        (StartReplay { map: text("time=T"), ..good() }, "map \"time=T\""),
        (StartReplay { time_zone: text("Mars/Olympus"), ..good() }, "timeZone \"Mars/Olympus\""),
        (StartReplay { reorder: text("soon"), ..good() }, "reorder \"soon\""),
        (StartReplay { on_bad_line: text("go"), ..good() }, "onBadLine \"go\": write stop or skip"),
        (StartReplay { groups: text("a b"), ..good() }, "there is no '='"),
        (StartReplay { fill: text("never"), ..good() }, "fill \"never\": write signal or cross"),
        (StartReplay { strategies: vec![spec("", "plum")], ..good() }, "there are: apple, pear"),
        (StartReplay { strategies: vec![with("window", "3")], ..good() }, "there are: fast, slow"),
        (StartReplay { strategies: vec![with("fast", "x")], ..good() }, "fast = 'x'"),
        (StartReplay { strategies: vec![spec("a b", "apple")], ..good() }, "not a valid strategy name"),
        (StartReplay { strategies: vec![apple(), apple()], ..good() }, "two strategies are named \"apple\""),
        (plan(&["a.csv", "day/../a.csv"]), "goes up"),
        (plan(&["a.csv", "*.csv"]), "are the same file"),
    ];
    for (wish, expected) in cases {
        let reason = refusal(&mut bus, &wish);
        assert!(reason.contains(expected), "{expected}: {reason}");
    }
    assert!(bus.published::<ReplayAccepted>().is_empty());
    let rows = bus.store().query("SELECT count(*) FROM replay", &[]).unwrap();
    assert_eq!(rows[0].get::<u64>(0).unwrap(), 0);
}

#[test]
fn without_strategies_something_must_be_deployed_which_may_be_on_its_way() {
    let folder = captures();
    let wish = StartReplay { strategies: vec![], ..plan(&["a.csv"]) };
    let mut bus = bus(folder.path());
    let sent = bus.send(&wish);
    bus.settle();
    let Some(Ended::Failed(reason, 3)) = bus.ended(sent) else { panic!("{:?}", bus.ended(sent)) };
    assert!(reason.contains("deploy one first"), "{reason}");
}

fn deployed(name: &str, feed: Option<&str>) -> StrategyDeployed {
    StrategyDeployed {
        name: name.to_owned(),
        strategy: "apple".to_owned(),
        parameters: BTreeMap::from([("fast".to_owned(), "8".to_owned())]),
        feed: feed.map(str::to_owned),
        from: None,
        revision: 1,
    }
}

#[test]
fn replays_without_strategies_have_what_is_deployed_in_whatever_order_that_became_known() {
    for seed in 0..20 {
        let folder = captures();
        let mut bus = bus(folder.path()).seed(seed);
        for name in ["b", "gone", "again"] {
            bus.publish(&deployed(name, None));
        }
        bus.publish(&deployed("of-a-feed", Some("live")));
        let parameters = BTreeMap::from([("fast".to_owned(), "9".to_owned())]);
        bus.publish(&ParametersChanged { name: "b".to_owned(), parameters, revision: 2 });
        bus.publish(&StrategyStopped { name: "gone".to_owned() });
        bus.publish(&StrategyStopped { name: "again".to_owned() });
        bus.publish(&StrategyDeployed { revision: 2, ..deployed("again", None) });
        bus.settle();
        bus.send(&StartReplay { strategies: vec![], ..plan(&["a.csv"]) });
        bus.settle();
        let accepted = bus.published::<ReplayAccepted>();
        let spec = |name: &str, fast: &str| StrategySpec {
            name: Some(name.to_owned()),
            strategy: "apple".to_owned(),
            parameters: BTreeMap::from([("fast".to_owned(), fast.to_owned())]),
        };
        assert_eq!(accepted[0].plan.strategies, [spec("again@2", "8"), spec("b@2", "9")], "seed {seed}");
    }
}

#[test]
fn a_replay_that_has_not_begun_is_cancelled_at_once_and_then_refused() {
    let folder = captures();
    // Its wish may come after the one to cancel it: the lanes of two contracts are not in order.
    for seed in 0..10 {
        let mut bus = bus(folder.path()).seed(seed);
        let replay = bus.send(&plan(&["a.csv"]));
        let cancel = CancelReplay { replay_id: replay.0 };
        let first = bus.send(&cancel);
        bus.settle();
        assert_eq!(bus.ended(replay), Some(Ended::Cancelled), "seed {seed}");
        assert!(matches!(bus.ended(first), Some(Ended::Completed(_))), "{:?}", bus.ended(first));
        let cancelled = ReplayCancelled { replay_id: replay.0, run: None, outcome: None };
        assert_eq!(bus.published::<ReplayCancelled>(), [cancelled]);
        let second = bus.send(&cancel);
        bus.settle();
        let reason = format!("replay {replay} has ended: it is cancelled");
        assert_eq!(bus.ended(second), Some(Ended::Failed(reason, 1)));
    }
}

#[test]
fn a_replay_that_is_not_known_cannot_be_cancelled() {
    let folder = captures();
    let mut bus = bus(folder.path());
    let replay_id = "0197f0aa-5c3e-7d20-8a1b-2f6e9c4d1a00".parse().unwrap();
    let sent = bus.send(&CancelReplay { replay_id });
    bus.settle();
    assert_eq!(bus.ended(sent), Some(Ended::Failed(format!("there is no replay {replay_id}"), 5)));
}

#[test]
fn an_ended_replay_is_forgotten_once_and_never_played_again() {
    let folder = captures();
    let mut bus = bus(folder.path());
    let replay = bus.send(&plan(&["a.csv"]));
    bus.settle();
    let forget = ForgetReplay { replay_id: replay.0 };
    let refused = |bus: &mut TestBus| {
        let sent = bus.send(&forget);
        bus.settle();
        match bus.ended(sent) {
            Some(Ended::Failed(reason, 1)) => reason,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(&mut bus).ends_with("has not ended: cancel it first"));
    bus.send(&CancelReplay { replay_id: replay.0 });
    bus.settle();
    let sent = bus.send(&forget);
    bus.settle();
    assert!(matches!(bus.ended(sent), Some(Ended::Completed(_))), "{:?}", bus.ended(sent));
    let forgotten = ReplayForgotten { replay_id: replay.0, run: None };
    assert_eq!(bus.published::<ReplayForgotten>(), [forgotten]);
    // Nothing else is said of it any more.
    let of_replays = bus.log().into_iter().filter(|event| event.name.starts_with("Replay"));
    let named: Vec<_> = of_replays.map(|event| event.name).collect();
    assert_eq!(named, ["ReplayForgotten"]);
    assert!(refused(&mut bus).ends_with("is forgotten already"));
    let cancel = bus.send(&CancelReplay { replay_id: replay.0 });
    bus.settle();
    let reason = format!("replay {replay} has ended: it is forgotten");
    assert_eq!(bus.ended(cancel), Some(Ended::Failed(reason, 1)));
}

#[test]
fn of_a_replay_that_was_forgotten_long_ago_nothing_is_left() {
    let folder = captures();
    let mut bus = bus(folder.path());
    let mut ids = Vec::new();
    for _ in 0..3 {
        let replay = bus.send(&plan(&["a.csv"]));
        bus.settle();
        bus.send(&CancelReplay { replay_id: replay.0 });
        bus.settle();
        bus.send(&ForgetReplay { replay_id: replay.0 });
        bus.settle();
        ids.push(replay.0);
        bus.advance(std::time::Duration::from_secs(20 * 24 * 3600));
    }
    // The first is forgotten for 40 days by then.
    for table in ["replay", "forgotten_replay_event"] {
        let rows = bus.store().query(&format!("SELECT replay_id FROM {table} ORDER BY 1"), &[]).unwrap();
        let mut left: Vec<uuid::Uuid> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        left.sort_by_key(|id| ids.iter().position(|known| known == id));
        assert_eq!(left, ids[1..], "{table}");
    }
    assert_eq!(bus.published::<ReplayForgotten>().len(), 2);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn replays_are_kept_alike_on_postgresql() {
    bus::testing::on_postgres(&[
        a_wish_is_recorded_with_its_files_and_names_and_goes_on,
        what_cannot_be_carried_out_is_refused_by_name_and_nothing_is_stored,
        without_strategies_something_must_be_deployed_which_may_be_on_its_way,
        replays_without_strategies_have_what_is_deployed_in_whatever_order_that_became_known,
        a_replay_that_has_not_begun_is_cancelled_at_once_and_then_refused,
        a_replay_that_is_not_known_cannot_be_cancelled,
        an_ended_replay_is_forgotten_once_and_never_played_again,
        of_a_replay_that_was_forgotten_long_ago_nothing_is_left,
    ]);
}
