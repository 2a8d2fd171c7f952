//! The context as its clients see it.

use std::collections::BTreeMap;

use bus::testing::{Ended, TestBus};
use strategies as _; // Registers Apple and Pear.
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::strategies::{
    ChangeParameters, DeployStrategy, ParametersChanged, StopStrategy, StrategyDeployed, StrategyStopped,
};

fn bus() -> TestBus {
    TestBus::new("strategies", &super::tables())
}

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn deploy(name: &str, strategy: &str, parameters: &[(&str, &str)]) -> DeployStrategy {
    let parameters = values(parameters);
    DeployStrategy {
        name: name.to_owned(),
        strategy: strategy.to_owned(),
        parameters,
        feed: None,
        from: None,
    }
}

fn change(name: &str, parameters: &[(&str, &str)]) -> ChangeParameters {
    ChangeParameters { name: name.to_owned(), parameters: values(parameters) }
}

fn stop(name: &str) -> StopStrategy {
    StopStrategy { name: name.to_owned() }
}

fn reason(bus: &TestBus, command: CommandId) -> String {
    match bus.ended(command) {
        Some(Ended::Failed(reason, 1)) => reason,
        other => panic!("it was not refused at the first attempt: {other:?}"),
    }
}

#[test]
fn a_strategy_is_deployed_changed_and_stopped() {
    let mut bus = bus();
    let longest = bus.send(&deploy(&"x".repeat(53), "pear", &[]));
    bus.settle();
    assert!(matches!(bus.ended(longest), Some(Ended::Completed(_))));
    bus.send(&stop(&"x".repeat(53)));
    bus.settle();
    let deployed = bus.send(&deploy("fast", "apple", &[("fast", "8")]));
    bus.settle();
    let event = StrategyDeployed {
        name: "fast".to_owned(),
        strategy: "apple".to_owned(),
        parameters: values(&[("fast", "8"), ("slow", "26")]),
        feed: None,
        from: None,
        revision: 1,
    };
    assert_eq!(bus.published::<StrategyDeployed>()[1], event);
    let result = serde_json::json!({ "name": "fast", "revision": 1 });
    assert_eq!(bus.ended(deployed), Some(Ended::Completed(result)));

    bus.send(&change("fast", &[("slow", "20")]));
    bus.settle();
    let parameters = values(&[("fast", "8"), ("slow", "20")]);
    let event = ParametersChanged { name: "fast".to_owned(), parameters, revision: 2 };
    assert_eq!(bus.published::<ParametersChanged>(), [event]);

    bus.send(&stop("fast"));
    bus.settle();
    assert_eq!(bus.published::<StrategyStopped>()[1], StrategyStopped { name: "fast".to_owned() });
    let again = bus.send(&stop("fast"));
    bus.settle();
    assert_eq!(reason(&bus, again), "there is no deployment 'fast'; there are: none");
}

#[test]
fn what_cannot_be_deployed_is_refused_with_what_can() {
    for (command, expected) in [
        (deploy("a b", "apple", &[]), "'a b' cannot name a deployment"),
        (deploy("", "apple", &[]), "'' cannot name a deployment"),
        (deploy("trend@2", "apple", &[]), "'trend@2' cannot name a deployment"),
        (deploy(&"x".repeat(54), "apple", &[]), "use 1 to 53 letters"),
        (deploy("a", "apples", &[]), "there is no strategy 'apples'; there are: apple, pear"),
        (deploy("a", "apple", &[("fats", "8")]), "there is no parameter 'fats'; there are: fast, slow"),
        (deploy("a", "apple", &[("fast", "-8")]), "fast = '-8' is not a valid u32"),
        (deploy("a", "apple", &[("fast", "0")]), "fast and slow are at least 1"),
        (
            DeployStrategy { feed: Some("a/b".to_owned()), ..deploy("a", "apple", &[]) },
            "not a valid feed name",
        ),
        (
            DeployStrategy { from: Some("start".to_owned()), ..deploy("a", "apple", &[]) },
            "there is no feed: leave it out",
        ),
        (
            DeployStrategy {
                feed: Some("f".to_owned()),
                from: Some("yesterday".to_owned()),
                ..deploy("a", "apple", &[])
            },
            "from \"yesterday\" is no time: write start, a receive time",
        ),
        (deploy("taken", "pear", &[]), "there is a deployment 'taken' already"),
    ] {
        let mut bus = bus();
        bus.send(&deploy("taken", "apple", &[]));
        bus.settle();
        let sent = bus.send(&command);
        bus.settle();
        let found = reason(&bus, sent);
        assert!(found.contains(expected), "{found}");
        assert_eq!(bus.published::<StrategyDeployed>().len(), 1);
    }
}

#[test]
fn what_cannot_be_changed_is_refused_by_name() {
    for (command, expected) in [
        (change("b", &[("fast", "9")]), "there is no deployment 'b'; there are: a"),
        (change("a", &[("fats", "9")]), "there is no parameter 'fats'; there are: fast, slow"),
        (change("a", &[("fast", "012")]), "deployment 'a' has these parameters already: fast=12, slow=26"),
        (change("a", &[]), "has these parameters already"),
    ] {
        let mut bus = bus();
        bus.send(&deploy("a", "apple", &[]));
        bus.settle();
        let sent = bus.send(&command);
        bus.settle();
        let found = reason(&bus, sent);
        assert!(found.contains(expected), "{found}");
        assert!(bus.published::<ParametersChanged>().is_empty());
    }
}

#[test]
fn a_name_that_is_taken_again_goes_on_with_the_revisions() {
    let mut bus = bus();
    bus.send(&deploy("a", "apple", &[]));
    bus.settle();
    bus.send(&change("a", &[("fast", "9")]));
    bus.settle();
    bus.send(&stop("a"));
    bus.settle();
    bus.send(&deploy("a", "pear", &[]));
    bus.settle();
    let revisions: Vec<_> = bus.published::<StrategyDeployed>().iter().map(|event| event.revision).collect();
    assert_eq!(revisions, [1, 3]);
}

#[test]
fn of_two_deployments_of_one_name_one_is_there_in_any_order() {
    for seed in 0..20 {
        let mut bus = bus().seed(seed);
        let sent = ["apple", "pear", "apple"].map(|strategy| bus.send(&deploy("a", strategy, &[])));
        let changed = bus.send(&change("a", &[("fast", "9")]));
        bus.settle();
        let completed = |id: &CommandId| matches!(bus.ended(*id), Some(Ended::Completed(_)));
        assert_eq!(sent.iter().filter(|id| completed(id)).count(), 1, "seed {seed}");
        // Whether it came first or last, a change made its revision or was refused.
        let last = bus.published::<ParametersChanged>().last().map(|event| event.revision);
        assert_eq!(completed(&changed).then_some(2), last, "seed {seed}");
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn deployments_are_kept_alike_on_postgresql() {
    bus::testing::on_postgres(&[
        a_strategy_is_deployed_changed_and_stopped,
        what_cannot_be_deployed_is_refused_with_what_can,
        what_cannot_be_changed_is_refused_by_name,
        a_name_that_is_taken_again_goes_on_with_the_revisions,
        of_two_deployments_of_one_name_one_is_there_in_any_order,
    ]);
}
