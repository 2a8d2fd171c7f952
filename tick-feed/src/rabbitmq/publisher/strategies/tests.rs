use super::*;

fn name(text: &str) -> StrategyName {
    text.parse().expect("a name")
}

fn strategies() -> Strategies {
    let members = vec![
        StrategyProgress::from_start(name("apple"), true, 2),
        StrategyProgress::from_start(name("pear"), false, 2),
    ];
    Strategies::new(members, 2)
}

fn cursor(shard: u16, cursor: u64, ended: bool) -> ShardCursor {
    ShardCursor { shard, cursor, stored: cursor, ended }
}

fn state(strategies: &Strategies, name: &str) -> StrategyState {
    let progress = strategies.progress().into_iter().find(|progress| progress.state.name == name);
    progress.expect("it takes part").state
}

#[test]
fn who_joins_now_begins_where_its_queues_are_bound() {
    let mut strategies = strategies();
    assert_eq!(strategies.join(&name("plum"), &JoinFrom::Now), Ok(Joined::Bound));
    assert_eq!(strategies.bindings(0)[2], (name("plum"), Binding::FromNow));
    strategies.declared(&name("plum"), 0, 70);
    assert!(!state(&strategies, "plum").active, "one of its queues is missing");
    strategies.declared(&name("plum"), 1, 80);
    let plum = state(&strategies, "plum");
    assert_eq!((plum.active, plum.begins_at, plum.required), (true, vec![70, 80], false));
    assert_eq!(strategies.bound(1), 3);
}

#[test]
fn who_joins_from_the_start_is_caught_up_and_then_bound() {
    let mut strategies = strategies();
    let from_start = Joined::CatchUp(vec![0, 0]);
    assert_eq!(strategies.join(&name("plum"), &JoinFrom::Start), Ok(from_start));
    assert_eq!(
        strategies.join(&name("plum"), &JoinFrom::Start),
        Ok(Joined::Already),
        "it is being caught up"
    );
    strategies.declared(&name("plum"), 0, 70);
    strategies.declared(&name("plum"), 1, 80);
    let plum = state(&strategies, "plum");
    assert_eq!((plum.active, plum.begins_at), (true, vec![0, 0]), "its host may read already");
    assert_eq!(strategies.bound(0), 2);
    strategies.caught_up(&name("plum"), 0);
    assert_eq!((strategies.bound(0), strategies.bound(1)), (3, 2));
}

#[test]
fn who_was_abandoned_comes_back_where_it_was() {
    let mut strategies = strategies();
    assert!(strategies.abandon(&name("pear")) && !strategies.abandon(&name("pear")));
    assert_eq!((strategies.bound(0), state(&strategies, "pear").active), (1, false));
    let back = strategies.on_cursors(&name("pear"), "L", &[cursor(1, 30, false)]);
    assert_eq!(back, Reported::Returned(vec![0, 30]));
    assert_eq!(strategies.join(&name("pear"), &JoinFrom::At(vec![0, 30])), Ok(Joined::CatchUp(vec![0, 30])));
    assert_eq!(strategies.on_cursors(&name("pear"), "L", &[cursor(1, 31, false)]), Reported::Progress);
}

#[test]
fn a_second_ledger_counts_for_nothing() {
    let mut strategies = strategies();
    assert_eq!(strategies.on_cursors(&name("apple"), "L", &[cursor(0, 5, true)]), Reported::End);
    assert_eq!(strategies.on_cursors(&name("apple"), "M", &[cursor(1, 9, true)]), Reported::Progress);
    assert_eq!(strategies.on_cursors(&name("apple"), "L", &[cursor(0, 3, false)]), Reported::Progress);
    assert_eq!(strategies.progress()[0].cursors, [cursor(0, 5, true)], "nothing goes back");
    assert!(!strategies.progress()[0].has_ended(2));
}

#[test]
fn nothing_more_is_sent_where_the_end_is_committed() {
    let mut strategies = strategies();
    let before = strategies.version();
    assert_eq!(
        strategies.on_cursors(&name("apple"), "L", &[cursor(0, 5, true), cursor(1, 3, false)]),
        Reported::End
    );
    assert_eq!(strategies.bindings(0)[0].1, Binding::Ended);
    assert_eq!((strategies.bound(0), strategies.bound(1)), (1, 2));
    assert!(strategies.version() > before && !state(&strategies, "apple").ended);
    strategies.on_cursors(&name("apple"), "L", &[cursor(1, 7, true)]);
    assert!(state(&strategies, "apple").ended && strategies.progress()[0].bound);
    // A resumed ingester does as the one before it.
    let strategies = Strategies::new(strategies.progress(), 2);
    assert_eq!(strategies.bindings(1)[0].1, Binding::Ended);
    assert_eq!(strategies.bindings(1)[1].1, Binding::Bound);
}

#[test]
fn hosts_are_told_what_a_resumed_ingester_knows() {
    let mut strategies = strategies();
    assert_eq!(strategies.told(), None, "nobody knows of the run");
    assert!(strategies.keep(&strategies.progress()));
    let told = |strategies: &Strategies, name: &str| {
        let states = strategies.told().expect("the run is known").into_iter();
        states.filter(|state| state.name == name).map(|state| (state.active, state.ended)).next()
    };
    strategies.on_cursors(&name("apple"), "L", &[cursor(0, 5, true), cursor(1, 7, true)]);
    strategies.join(&name("plum"), &JoinFrom::Now).expect("there is room");
    (0..2).for_each(|shard| strategies.declared(&name("plum"), shard, 70));
    assert!(strategies.leave(&name("pear")));
    assert_eq!(told(&strategies, "apple"), Some((true, false)), "a kill now would lose its end");
    assert_eq!(told(&strategies, "plum"), None, "and that it has joined");
    assert_eq!(told(&strategies, "pear"), Some((true, false)), "and that this one has left");

    let written = strategies.progress();
    assert!(strategies.keep(&written) && !strategies.keep(&written), "it is news once");
    let mut resumed = Strategies::new(written.clone(), 2);
    resumed.keep(&resumed.progress());
    for strategies in [strategies, resumed] {
        assert_eq!(told(&strategies, "apple"), Some((true, true)));
        assert_eq!(told(&strategies, "plum"), Some((true, false)));
        assert_eq!(told(&strategies, "pear"), Some((false, false)));
    }
}

#[test]
fn a_strategy_that_no_instance_runs_is_known_after_some_seconds() {
    let mut strategies = strategies();
    let at = Duration::from_secs;
    assert!(strategies.without_instance(at(4)).is_empty());
    strategies.see_instance(&name("pear"), at(5));
    assert_eq!(strategies.without_instance(at(6)), ["apple"]);
    assert_eq!(strategies.without_instance(at(11)), ["apple", "pear"], "it has gone");
    strategies.on_cursors(&name("apple"), "L", &[cursor(0, 5, true), cursor(1, 5, true)]);
    assert_eq!(strategies.without_instance(at(11)), ["pear"], "who has ended is not missed");
}

#[test]
fn a_join_that_cannot_be_is_refused_with_the_reason() {
    let mut strategies = strategies();
    let before = strategies.version();
    let refused = |strategies: &mut Strategies, strategy: &str, from: JoinFrom| {
        strategies.join(&name(strategy), &from).expect_err("it may not join").to_string()
    };
    let positions = refused(&mut strategies, "plum", JoinFrom::At(vec![1, 2, 3]));
    assert!(positions.contains("of 3 shards, and the feed has 2"), "{positions}");
    assert_eq!(strategies.version(), before, "nothing has changed");
    for number in strategies.progress().len()..MAX_STRATEGIES {
        strategies.join(&name(&format!("s{number}")), &JoinFrom::Now).expect("there is room");
    }
    assert!(refused(&mut strategies, "plum", JoinFrom::Now).contains("has 256 strategies already"));
    assert!(strategies.abandon(&name("pear")));
    strategies.join(&name("pear"), &JoinFrom::At(vec![0, 0])).expect("it is one of them");
}

#[test]
fn who_leaves_is_forgotten_with_its_last_queue() {
    let mut strategies = strategies();
    strategies.leave(&name("pear"));
    assert_eq!(strategies.bindings(0)[1].1, Binding::Deleted);
    strategies.deleted(&name("pear"), 0);
    assert_eq!(strategies.progress().len(), 2);
    strategies.deleted(&name("pear"), 1);
    assert_eq!(strategies.progress().len(), 1);
}

#[test]
fn who_has_left_takes_no_part_however_long_its_queues_are_there() {
    let mut strategies = strategies();
    for number in strategies.progress().len()..MAX_STRATEGIES {
        strategies.join(&name(&format!("s{number}")), &JoinFrom::Now).expect("there is room");
    }
    assert_eq!(strategies.join(&name("plum"), &JoinFrom::Now), Err(JoinError::TooMany));
    strategies.leave(&name("pear"));
    strategies.deleted(&name("pear"), 0);
    assert_eq!(strategies.join(&name("plum"), &JoinFrom::Now), Ok(Joined::Bound));
    assert_eq!(strategies.join(&name("pear"), &JoinFrom::Now), Err(JoinError::TooMany), "its place is taken");
    assert!(!strategies.without_instance(Duration::from_secs(60)).contains(&name("pear")));
    // A resumed ingester deletes what the one before it could not.
    let strategies = Strategies::new(strategies.progress(), 2);
    assert_eq!(strategies.bindings(1)[1], (name("pear"), Binding::Deleted));
}
