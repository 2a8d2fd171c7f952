//! Case 13: strategies that are not there, come back, or come late.

use std::time::Duration;

use crate::case::{Case, STARTS};
use crate::disturber::{Disturber, RECOVERY};
use crate::input::{durabilities, is_long};
use crate::program::Program;
use crate::servers::Turn;
use crate::waiting::{pause, wait_until};

/// Less than the ticks that a strategy is behind when it has been away.
const SMALL_QUEUE: [&str; 4] = ["--queue-bytes", "256K", "--frame-bytes", "32K"];

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_13_a_required_strategy_absent_stalls_the_feed() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::new(turn.servers(), "absent", durability);
        case.options(&SMALL_QUEUE);
        case.start_ingester();
        (0..3).for_each(|_| _ = case.start_instance("apple", &[]));
        let mut disturber = case.disturber();
        wait_until("the feed stalls", STARTS, || {
            let state = case.feed_state();
            state.is_some_and(|state| state.shards.iter().any(|shard| shard.stalled.is_some()))
        });
        pause(Duration::from_secs(if is_long() { 60 } else { 5 }));
        let status = ["status", "--feed", &case.feed, "--broker", &case.brokers[0]];
        let status = Program::run(case.folder(), &status, STARTS);
        let stalled = status.said.lines().find(|line| line.contains("stalled") && line.contains("pear"));
        assert!(stalled.is_some(), "status names pear: {}", status.said);
        assert!(case.ingester_is_running(), "{}: it waits", case.name);
        (0..2).for_each(|_| _ = case.start_instance("pear", &[]));
        disturber.note("pear was absent", None);
        disturber.wait_for_recovery();
        case.finish(disturber);
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_13_an_optional_strategy_is_abandoned_and_comes_back() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::new(turn.servers(), "abandoned", durability);
        case.options(&SMALL_QUEUE);
        case.options(&["--strategies", "apple,pear?", "--abandon-after", "3s"]);
        // It is to come back while the others are at work.
        case.last_for(120);
        case.start_all();
        let mut disturber = case.disturber();
        case.wait_committed(&disturber, 0.02);
        case.instances.truncate(3);
        let is_active = |expected: bool| {
            let state = case.feed_state();
            let of_pear = state.and_then(|state| state.strategies.into_iter().find(|one| one.name == "pear"));
            of_pear.is_some_and(|pear| pear.active == expected)
        };
        wait_until("pear is abandoned", RECOVERY, || is_active(false));
        disturber.note("pear was abandoned", Some("apple"));
        disturber.wait_for_recovery();
        disturber.note("pear came back", Some("pear"));
        (0..2).for_each(|_| _ = case.start_instance("pear", &[]));
        disturber.wait_for_recovery();
        case.hurry(&mut disturber);
        case.finish(disturber);
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_13_strategies_join_late_from_start_and_from_now() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::new(turn.servers(), "joined", durability);
        // Most of it must be still to come when the instances have started.
        case.last_for(60);
        case.start_all();
        let mut disturber = case.disturber();
        case.wait_committed(&disturber, 0.02);
        (0..2).for_each(|_| _ = case.start_instance("late=apple", &["--from", "start"]));
        case.start_instance("new=apple", &["--from", "now"]);
        let (run, ledger) = (case.run().to_string(), case.ledger.clone());
        let (feed, expected) = (case.feed.clone(), case.input.expected.clone());
        let expected = expected.to_str().expect("UTF-8");
        wait_until("both have joined", STARTS, || {
            ["late", "new"].iter().all(|strategy| disturber.committed_by(strategy) > 0)
        });
        case.hurry(&mut disturber);
        case.finish_with(disturber, &["apple", "pear", "late"]);

        // It has its own part of the run, whole and once; the file has no signals of its name.
        let args = ["verify", expected, "--feed", &feed, "--run", &run, "--state", &ledger];
        let args = [&args[..], &["--strategies", "new", "--json"]].concat();
        let ended = Program::run(std::env::temp_dir().as_path(), &args, STARTS);
        let json = ended.said.lines().find(|line| line.starts_with('{')).unwrap_or_default();
        let json: serde_json::Value = serde_json::from_str(json).expect("JSON");
        let found = json["found"].as_u64().expect("a count");
        assert!(found > 0 && json["duplicated"]["count"] == 0, "{json}");
        assert_eq!(json["ended"], json["lanes"], "{json}");
    }
}

/// A run of which everything can be published, while the instances of these strategies stand still.
fn start_and_freeze<'a>(
    turn: &'a Turn,
    name: &str,
    durability: &str,
    strategies: &[&str],
) -> (Case<'a>, Disturber) {
    let mut case = Case::new(turn.servers(), name, durability);
    // No host is done before it is frozen.
    case.last_for(60);
    case.start_all();
    let disturber = case.disturber();
    case.wait_claimed(&disturber);
    let still = case.instances.iter().filter(|instance| strategies.contains(&instance.strategy.as_str()));
    still.for_each(|instance| instance.program.freeze());
    case.ingester.as_mut().expect("it runs").kill();
    case.pace = Vec::new();
    case.start_ingester();
    (case, disturber)
}

/// A run that has come to its end in every lane, which its ingester was killed before it could know.
fn end_without_ingester<'a>(turn: &'a Turn, name: &str, durability: &str) -> (Case<'a>, Disturber) {
    let (mut case, disturber) = start_and_freeze(turn, name, durability, &["apple", "pear"]);
    wait_until("everything is published", STARTS, || case.feed_state().is_some_and(|state| state.published));
    case.ingester.as_mut().expect("it runs").kill();
    case.instances.iter().for_each(|instance| instance.program.thaw());
    wait_until("every lane has ended", RECOVERY, || disturber.cursors().values().all(|(_, ended)| *ended));
    (case, disturber)
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_13_a_run_that_ends_while_its_ingester_is_away_is_known_to_the_next() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let (mut case, disturber) = end_without_ingester(&turn, "ended-meanwhile", durability);
        // The hosts wait for it, but not for ever.
        pause(Duration::from_secs(1));
        case.start_ingester();
        case.finish(disturber);
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_13_hosts_that_come_after_the_end_tell_it_to_an_ingester_that_comes_back() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let (mut case, _) = end_without_ingester(&turn, "ended-before", durability);
        for place in 0..case.instances.len() {
            case.replace_instance(place);
        }
        for instance in &mut case.instances {
            instance.program.wait_for_line("ended before", STARTS);
        }
        case.start_ingester();
        case.wait_for_end(&case.input.strategies());
        // They took no shard: what the killed ones had in hand waits for hosts of the next run, which leave it out.
        case.remove_queues();
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_13_hosts_that_have_left_with_the_run_are_not_waited_for_after_a_kill() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let (mut case, disturber) = start_and_freeze(&turn, "left", durability, &["pear"]);
        wait_until("the hosts of apple are told that they have ended", RECOVERY, || {
            let states = case.feed_state().into_iter().flat_map(|state| state.strategies);
            states.into_iter().any(|state| state.name == "apple" && state.ended)
        });
        case.ingester.as_mut().expect("it runs").kill();
        for instance in case.instances.iter_mut().filter(|instance| instance.strategy == "apple") {
            assert_eq!(instance.program.wait(RECOVERY).code, Some(0), "{}", instance.program.said());
        }
        case.start_ingester();
        let pear = case.instances.iter().filter(|instance| instance.strategy == "pear");
        pear.for_each(|instance| instance.program.thaw());
        case.finish(disturber);
    }
}
