use tick_feed::rabbitmq::Durability;
use tick_feed::rabbitmq::control::CommitDelay;

use super::*;

fn lane(shard: u16, instance: Option<&str>) -> LaneStatus {
    LaneStatus {
        shard,
        cursor: None,
        stored: None,
        ended: false,
        skipped: None,
        epoch: Some(1),
        lag: Some(7),
        lag_seconds: None,
        waiting: None,
        consumers: 1,
        instance: instance.map(str::to_owned),
    }
}

fn strategy(lag_seconds: Option<f64>, lanes: Vec<LaneStatus>) -> StrategyStatus {
    StrategyStatus {
        name: "trend@2".to_owned(),
        required: false,
        active: true,
        ledger: None,
        is_of_ledger: None,
        instances: Vec::new(),
        lag: Some(7),
        lag_seconds,
        delay: Some(CommitDelay { p50_us: 1_500, p99_us: 20_000, max_us: 30_000 }),
        ended_shards: 0,
        needs_instance: false,
        lanes,
    }
}

fn status(run: u128, strategy: StrategyStatus) -> FeedStatus {
    FeedStatus {
        feed: "btc".parse().unwrap(),
        run: format!("{run:032x}").parse().unwrap(),
        phase: Phase::Publishing,
        durability: Durability::Memory,
        max_frame_bytes: 1,
        manifest: String::new(),
        announced_seconds_ago: 0.0,
        shards: Vec::new(),
        strategies: vec![strategy],
        dead_letters: 0,
        runs_in_ledger: None,
    }
}

/// What is seen of who has which shard, one look after the other.
fn seen(memory: &mut Memory, at_ms: u64, run: u128, owners: &[Option<&str>]) -> usize {
    let lanes = owners.iter().enumerate().map(|(shard, owner)| lane(shard as u16, *owner)).collect();
    memory.note("btc", &status(run, strategy(Some(0.0), lanes)), at_ms);
    memory.takeovers().len()
}

#[test]
fn a_shard_is_taken_over_when_another_instance_has_it() {
    let mut memory = Memory::default();
    assert_eq!(seen(&mut memory, 1_000, 1, &[Some("one"), Some("two")]), 0, "the first look shows nothing");
    // It was killed, and nobody has its shard yet.
    assert_eq!(seen(&mut memory, 2_000, 1, &[None, Some("two")]), 0);
    assert_eq!(seen(&mut memory, 3_000, 1, &[Some("two"), Some("two")]), 1);
    assert_eq!(seen(&mut memory, 4_000, 1, &[Some("two"), Some("two")]), 1);
    let expected = Takeover {
        at_ms: 3_000,
        feed: "btc".to_owned(),
        strategy: "trend@2".to_owned(),
        shard: 0,
        from: Some("one".to_owned()),
        to: Some("two".to_owned()),
    };
    assert_eq!(memory.takeovers(), [expected]);
    assert_eq!(seen(&mut memory, 5_000, 1, &[Some("two"), Some("three")]), 2);
    assert_eq!(memory.takeovers()[0].shard, 1, "the newest is the first");
}

#[test]
fn another_run_takes_nothing_over() {
    let mut memory = Memory::default();
    seen(&mut memory, 1_000, 1, &[Some("one")]);
    assert_eq!(seen(&mut memory, 2_000, 2, &[Some("two")]), 0);
}

#[test]
fn takeovers_are_bounded() {
    let mut memory = Memory::default();
    for look in 0..200 {
        let owner = format!("host {look}");
        seen(&mut memory, look, 1, &[Some(&owner)]);
    }
    assert_eq!(memory.takeovers().len(), MOST_TAKEOVERS);
    assert_eq!(memory.takeovers()[0].to.as_deref(), Some("host 199"));
}

#[test]
fn a_trend_has_two_minutes_and_leaves_out_what_is_not_known() {
    let mut memory = Memory::default();
    let mut note = |at_ms, lag| memory.note("btc", &status(1, strategy(lag, Vec::new())), at_ms);
    note(0, Some(9.0));
    note(60_000, Some(3.0));
    note(61_000, None);
    let state = note(120_000, Some(1.0));
    assert_eq!(state.strategies[0].trend, [9.0, 3.0, 1.0]);
    assert_eq!(state.strategies[0].latency_ms, Some(LatencyState { p50: 1.5, p99: 20.0, max: 30.0 }));
    assert_eq!(note(121_000, Some(0.5)).strategies[0].trend, [3.0, 1.0, 0.5]);
    // Another strategy, or another feed, begins anew.
    memory.retain(|name| name != "btc");
    let state = memory.note("btc", &status(1, strategy(Some(4.0), Vec::new())), 122_000);
    assert_eq!(state.strategies[0].trend, [4.0]);
}
