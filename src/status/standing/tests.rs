use tick_feed::rabbitmq::control::ShardState;
use tick_feed::rabbitmq::observe::{HostHeard, QueueSeen};

use super::super::show;
use super::*;

const RUN: RunId = RunId([7; 16]);
const SECOND: u64 = 1_000_000_000;

fn state(at: u64, published: u64) -> FeedState {
    let shard = ShardState { published, confirmed: published - 10, ..ShardState::default() };
    let strategy = |name: &str, required| StrategyState {
        name: name.to_owned(),
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
        at,
    }
}

fn seen() -> Observation {
    let host = |member: &str, shard, cursor| HostHeard {
        strategy: "apple".to_owned(),
        member: member.to_owned(),
        ledger: "ledger-1".to_owned(),
        cursors: vec![ShardCursor { shard, cursor, stored: 1, ended: false }],
    };
    let queue = |shard, waiting| QueueSeen { strategy: "apple".to_owned(), shard, waiting, consumers: 1 };
    Observation {
        states: vec![state(SECOND, 1_000), state(3 * SECOND, 3_000)],
        has_ingester: true,
        hosts: vec![host("one", 0, 1_500), host("two", 1, 3_000), host("one", 0, 2_500)],
        queues: vec![queue(0, Some(4)), queue(1, None)],
        dead_letters: 2,
    }
}

fn ledger(id: &str) -> LedgerSeen {
    let lane = tick_ledger_lane("apple", 0);
    LedgerSeen {
        id: id.to_owned(),
        runs: vec![RUN],
        lanes: vec![LaneRow { lane, epoch: 2, cursor: 2_000, state_seq: 1_500, skipped: 3, ended: false }],
        members: Vec::new(),
    }
}

fn tick_ledger_lane(strategy: &str, shard: u16) -> strategy_host::ledger::LaneId {
    strategy_host::ledger::LaneId { run: RUN, strategy: strategy.parse().unwrap(), shard }
}

#[test]
fn lag_is_in_ticks_and_in_time_at_the_present_speed() {
    let standing = Standing::new(&seen(), None, 4 * SECOND);
    assert_eq!(standing.shards[0].ticks_per_second, Some(1_000.0));
    assert_eq!(standing.said_seconds_ago, 1.0);
    let apple = &standing.strategies[0];
    let lags: Vec<_> = apple.lanes.iter().map(|lane| (lane.lag, lane.lag_seconds)).collect();
    assert_eq!(lags, [(Some(500), Some(0.5)), (Some(0), Some(0.0))]);
    assert_eq!((apple.lag, apple.lag_seconds), (Some(500), Some(0.5)));
    assert_eq!(apple.instances, ["one", "two"]);
    assert_eq!(apple.lanes[0].instance.as_deref(), Some("one"));
    // Nobody runs pear, and without a ledger nobody knows how far it is.
    let pear = &standing.strategies[1];
    assert_eq!((pear.lag, pear.lanes[1].cursor, pear.instances.len()), (None, None, 0));
}

#[test]
fn a_ledger_knows_better_than_hosts_unless_it_is_another() {
    let standing = Standing::new(&seen(), Some(&ledger("ledger-1")), 4 * SECOND);
    let lanes = &standing.strategies[0].lanes;
    assert_eq!((lanes[0].cursor, lanes[0].epoch, lanes[0].skipped), (Some(2_000), Some(2), Some(3)));
    // What was never claimed begins where its strategy does.
    assert_eq!(lanes[1].cursor, Some(500));
    let standing = Standing::new(&seen(), Some(&ledger("ledger-2")), 4 * SECOND);
    assert_eq!(standing.strategies[0].is_of_ledger, Some(false));
    assert_eq!(standing.strategies[0].lanes[0].cursor, Some(2_500));
}

#[test]
fn a_run_is_closed_or_published_or_has_lost_its_ingester() {
    let phase = |closed, published, has_ingester| {
        let state = FeedState { closed, published, ..state(SECOND, 10) };
        let seen = Observation { states: vec![state], has_ingester, ..seen() };
        Standing::new(&seen, None, SECOND).phase
    };
    assert_eq!(phase(false, false, true), Phase::Publishing);
    assert_eq!(phase(false, true, true), Phase::Published);
    assert_eq!(phase(true, true, false), Phase::Closed);
    assert_eq!(phase(false, true, false), Phase::NoIngester);
}

#[test]
fn people_see_it_at_a_glance() {
    let text = show::standing(&Standing::new(&seen(), Some(&ledger("ledger-1")), 4 * SECOND), false);
    let expected = "\
Feed       btc
Run        07070707070707070707070707070707
State      publishing
Source     day.gz, 12 bytes
Brokers    memory, frames of up to 256.0 kB
Published  6,000 ticks at 2,000 ticks/s, 5,980 confirmed
Dead       2 dead letters: see orchard deadletters list --feed btc
In ledger  07070707070707070707070707070707

Shard  node  published  unconfirmed  ticks/s  set back
0         1      3,000           10    1,000         0
1         1      3,000           10    1,000         0
shard 1 is stalled: queue x is full

apple, required: no instance runs, at most 2,500 ticks behind (2.5 s)
  shard  cursor    lag  behind   waiting  skipped  instance
  0       2,000  1,000   1.0 s         4        3       one
  1         500  2,500   2.5 s  no queue        -       two

pear, optional, abandoned: its queues are unbound: no instance runs, at most 3,000 ticks behind (3.0 s)
  shard  cursor    lag  behind   waiting  skipped  instance
  0           0  3,000   3.0 s  no queue        -    nobody
  1         500  2,500   2.5 s  no queue        -    nobody
";
    assert_eq!(text, expected);
    assert!(text.lines().all(|line| line.chars().count() <= 104));
}
