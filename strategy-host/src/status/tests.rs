use tick_feed::rabbitmq::Durability;
use tick_feed::rabbitmq::control::{
    CommitDelay, FeedState, ShardCursor, ShardState, StateVersion, StrategyState,
};
use tick_feed::rabbitmq::observe::{HostReported, Observation, QueueSeen};

use super::*;
use crate::ledger::{LaneId, LaneRow};

const RUN: RunId = RunId([7; 16]);
const SECOND: u64 = 1_000_000_000;

fn state(at: u64, published: u64) -> FeedState {
    let shard = ShardState { published, confirmed: published - 10, ..ShardState::default() };
    let strategy = |name: &str, required| StrategyState {
        name: name.parse().unwrap(),
        required,
        active: required,
        begins_at: vec![0, 500],
        ledger: Some("ledger-1".to_owned()),
        ended: false,
    };
    FeedState {
        feed: "btc".parse().unwrap(),
        run: RUN,
        manifest: "--shards=2\nsource 1=day.gz, 12 bytes\n".to_owned(),
        groups: String::new(),
        durability: Durability::Memory,
        max_frame_bytes: 256_000,
        shards: vec![shard.clone(), ShardState { stalled: Some("queue x is full".to_owned()), ..shard }],
        strategies: vec![strategy("apple", true), strategy("pear", false)],
        published: false,
        closed: false,
        version: StateVersion { ingester_epoch: 1, counter: at },
        at,
    }
}

fn seen() -> Observation {
    let host = |member: &str, shard, cursor| HostReported {
        strategy: "apple".parse().unwrap(),
        member: member.to_owned(),
        ledger: "ledger-1".to_owned(),
        cursors: vec![ShardCursor { shard, cursor, stored: 1, ended: false }],
        delay: Some(CommitDelay { p50_us: cursor, p99_us: 5_000 - cursor, max_us: 200 }),
    };
    let queue =
        |shard, waiting| QueueSeen { strategy: "apple".parse().unwrap(), shard, waiting, consumers: 1 };
    Observation {
        states: vec![state(SECOND, 1_000), state(3 * SECOND, 3_000)],
        has_ingester: true,
        hosts: vec![host("one", 0, 1_500), host("two", 1, 3_000), host("one", 0, 2_500)],
        queues: vec![queue(0, Some(4)), queue(1, None)],
        dead_letters: 2,
    }
}

fn ledger(id: &str) -> LedgerSeen {
    let lane = lane_id("apple", 0);
    LedgerSeen {
        id: id.to_owned(),
        runs: vec![RUN],
        lanes: vec![LaneRow { lane, epoch: 2, cursor: 2_000, state_seq: 1_500, skipped: 3, ended: false }],
        members: Vec::new(),
    }
}

fn lane_id(strategy: &str, shard: u16) -> LaneId {
    LaneId { run: RUN, strategy: strategy.parse().unwrap(), shard }
}

#[test]
fn lag_is_in_ticks_and_in_time_at_the_present_speed() {
    let status = FeedStatus::new(&seen(), None, 4 * SECOND);
    assert_eq!(status.shards[0].ticks_per_second, Some(1_000.0));
    assert_eq!(status.announced_seconds_ago, 1.0);
    let apple = &status.strategies[0];
    let lags: Vec<_> = apple.lanes.iter().map(|lane| (lane.lag, lane.lag_seconds)).collect();
    assert_eq!(lags, [(Some(500), Some(0.5)), (Some(0), Some(0.0))]);
    assert_eq!((apple.lag, apple.lag_seconds), (Some(500), Some(0.5)));
    assert_eq!(apple.instances, ["one", "two"]);
    assert_eq!(apple.lanes[0].instance.as_deref(), Some("one"));
    // Of each host what it reported last, and of them the slowest.
    assert_eq!(apple.delay, Some(CommitDelay { p50_us: 3_000, p99_us: 2_500, max_us: 200 }));
    // Nobody runs pear, and without a ledger nobody knows how far it is.
    let pear = &status.strategies[1];
    assert_eq!((pear.lag, pear.lanes[1].cursor, pear.instances.len()), (None, None, 0));
}

#[test]
fn a_ledger_knows_better_than_hosts_unless_it_is_another() {
    let status = FeedStatus::new(&seen(), Some(&ledger("ledger-1")), 4 * SECOND);
    let lanes = &status.strategies[0].lanes;
    assert_eq!((lanes[0].cursor, lanes[0].epoch, lanes[0].skipped), (Some(2_000), Some(2), Some(3)));
    // What was never claimed begins where its strategy does.
    assert_eq!(lanes[1].cursor, Some(500));
    let status = FeedStatus::new(&seen(), Some(&ledger("ledger-2")), 4 * SECOND);
    assert_eq!(status.strategies[0].is_of_ledger, Some(false));
    assert_eq!(status.strategies[0].lanes[0].cursor, Some(2_500));
}

#[test]
fn a_run_is_closed_or_published_or_has_lost_its_ingester() {
    let phase = |closed, published, has_ingester| {
        let state = FeedState { closed, published, ..state(SECOND, 10) };
        let seen = Observation { states: vec![state], has_ingester, ..seen() };
        FeedStatus::new(&seen, None, SECOND).phase
    };
    assert_eq!(phase(false, false, true), Phase::Publishing);
    assert_eq!(phase(false, true, true), Phase::Published);
    assert_eq!(phase(true, true, false), Phase::Closed);
    assert_eq!(phase(false, true, false), Phase::NoIngester);
}

#[test]
fn a_strategy_that_has_not_ended_needs_an_instance() {
    let needs = |seen: &Observation, ledger: Option<LedgerSeen>| {
        let status = FeedStatus::new(seen, ledger.as_ref(), SECOND);
        status.strategies.iter().map(|one| one.needs_instance).collect::<Vec<_>>()
    };
    // Two hosts of apple report; pear has no queues that anybody could consume.
    assert_eq!(needs(&seen(), None), [false, false]);
    let nobody = Observation { hosts: Vec::new(), ..seen() };
    assert_eq!(needs(&nobody, None), [true, false]);
    // No member lives in the ledger, whatever was reported just before.
    assert_eq!(needs(&seen(), Some(ledger("ledger-1"))), [true, false]);
    let mut ended = nobody;
    ended.states.iter_mut().for_each(|state| state.strategies[0].ended = true);
    assert_eq!(needs(&ended, None), [false, false]);
}
