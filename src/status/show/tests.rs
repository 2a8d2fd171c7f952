use tick_feed::rabbitmq::Durability;
use tick_sdk::names::RunId;

use super::*;

const RUN: RunId = RunId([7; 16]);

fn shard(shard: u16, stalled: Option<&str>) -> ShardStatus {
    ShardStatus {
        shard,
        node: 0,
        published: 3_000,
        confirmed: 2_990,
        rewinds: 0,
        ticks_per_second: Some(1_000.0),
        ts_recv: 0,
        stalled: stalled.map(str::to_owned),
    }
}

fn lane(shard: u16, cursor: u64, waiting: Option<u32>, instance: Option<&str>) -> LaneStatus {
    let lag = 3_000 - cursor;
    LaneStatus {
        shard,
        cursor: Some(cursor),
        stored: None,
        ended: false,
        skipped: (shard == 0).then_some(3),
        epoch: None,
        lag: Some(lag),
        lag_seconds: Some(lag as f64 / 1_000.0),
        waiting,
        consumers: u32::from(instance.is_some()),
        instance: instance.map(str::to_owned),
    }
}

fn strategy(name: &str, is_required: bool, lanes: Vec<LaneStatus>) -> StrategyStatus {
    StrategyStatus {
        name: name.to_owned(),
        required: is_required,
        active: is_required,
        ledger: None,
        is_of_ledger: None,
        instances: Vec::new(),
        lag: lanes.iter().filter_map(|lane| lane.lag).max(),
        lag_seconds: lanes.iter().filter_map(|lane| lane.lag_seconds).reduce(f64::max),
        delay: None,
        ended_shards: 0,
        needs_instance: is_required,
        lanes,
    }
}

fn status(phase: Phase) -> FeedStatus {
    let apple = vec![lane(0, 2_000, Some(4), Some("one")), lane(1, 500, None, Some("two"))];
    let pear = vec![lane(0, 0, None, None), lane(1, 500, None, None)];
    FeedStatus {
        feed: "btc".parse().unwrap(),
        run: RUN,
        phase,
        durability: Durability::Memory,
        max_frame_bytes: 256_000,
        manifest: "--shards=2\nsource 1=day.gz, 12 bytes\n".to_owned(),
        announced_seconds_ago: 1.0,
        shards: vec![shard(0, None), shard(1, Some("queue x is full"))],
        strategies: vec![strategy("apple", true, apple), strategy("pear", false, pear)],
        dead_letters: 2,
        runs_in_ledger: Some(vec![RUN]),
    }
}

#[test]
fn people_see_it_at_a_glance() {
    let text = feed_status(&status(Phase::Publishing), false);
    let expected = "\
Feed       btc
Run        07070707070707070707070707070707
State      publishing
Source     day.gz, 12 bytes
Brokers    memory, frames of up to 256.0 kB
Published  6,000 ticks at 2,000 ticks/s, 5,980 confirmed
Dead       2 dead letters: see orchard errors list --feed btc
In ledger  07070707070707070707070707070707

Shard  node  published  unconfirmed  ticks/s  rewinds
0         1      3,000           10    1,000        0
1         1      3,000           10    1,000        0
shard 1 is stalled: queue x is full

apple, required: no instance, at most 2,500 ticks behind (2.5 s)
  no instance of apple runs: start `orchard run --feed btc --strategy apple …`
  shard  cursor    lag  behind   waiting  skipped  instance
  0       2,000  1,000   1.0 s         4        3       one
  1         500  2,500   2.5 s  no queue        -       two

pear, optional, abandoned: its queues are unbound: no instance, at most 3,000 ticks behind (3.0 s)
  shard  cursor    lag  behind   waiting  skipped  instance
  0           0  3,000   3.0 s  no queue        3    nobody
  1         500  2,500   2.5 s  no queue        -    nobody
";
    assert_eq!(text, expected);
    assert!(text.lines().all(|line| line.chars().count() <= 104));
}

#[test]
fn strategies_are_on_their_way_only_where_an_instance_runs() {
    let mut status = status(Phase::Published);
    assert!(feed_status(&status, false).contains("State      all is published; no instance of apple runs\n"));
    status.strategies[0].needs_instance = false;
    let text = feed_status(&status, false);
    assert!(
        text.contains("strategies are on their way to the end") && !text.contains("orchard run"),
        "{text}"
    );
}
