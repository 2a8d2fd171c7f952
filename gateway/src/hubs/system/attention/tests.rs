use tick_sdk::api::{CommandView, ReplayView};
use tick_sdk::contracts::CommandId;
use triage::FailedQueue;

use super::*;
use crate::hubs::payloads::{LaneState, PartState, ShardState};

fn strategy(name: &str, lag_seconds: f64) -> StrategyState {
    StrategyState {
        name: name.to_owned(),
        instances: vec!["one".to_owned()],
        lag_seconds: Some(lag_seconds),
        lanes: vec![LaneState::default()],
        ..StrategyState::default()
    }
}

fn feed(phase: &str, strategies: Vec<StrategyState>) -> FeedState {
    FeedState { feed: "btc".to_owned(), phase: phase.to_owned(), strategies, ..FeedState::default() }
}

fn texts(state: &SystemState, facts: &Facts) -> Vec<String> {
    attention(state, facts).into_iter().map(|one| one.text).collect()
}

#[test]
fn what_comes_to_nothing_stands_first_and_warnings_last() {
    let alone = StrategyState { instances: Vec::new(), ..strategy("alone", 0.0) };
    let mut feed = feed(feed_phase::PUBLISHING, vec![strategy("late@2", 12.4), strategy("far", 90.0), alone]);
    feed.shards = vec![ShardState { stalled: Some("the queue is full".into()), ..ShardState::default() }];
    let part = |name: &str, reason: Option<&str>| PartState {
        name: name.into(),
        is_ready: reason.is_none(),
        reason: reason.map(Into::into),
    };
    let state = SystemState {
        parts: vec![part("store", None), part("broker", Some("it is not connected"))],
        nodes: vec![NodeState {
            node: "n:1".into(),
            messages_per_second: Some(28_000.0),
            budget: 30_000,
            ..Default::default()
        }],
        feeds: vec![feed],
        ..SystemState::default()
    };
    let queue =
        FailedQueue { name: "a:b_error".into(), messages: 2, kind: Kind::Error, ..FailedQueue::default() };
    let command = CommandView {
        command_id: CommandId::new(),
        command: "StartReplay".into(),
        reason: Some("no such file\nand more".into()),
        ..CommandView::default()
    };
    let facts = Facts {
        error_queues: vec![queue],
        failed_commands: vec![command.clone()],
        failed_replays: vec![ReplayView::default()],
        ..Facts::default()
    };
    let expected = [
        "The broker cannot be used: it is not connected",
        "No host runs alone of feed btc",
        "Shard 0 of feed btc is stalled: the queue is full",
        "far of feed btc is 90 s behind",
        "StartReplay failed: no such file",
        "A replay failed",
        "late@2 of feed btc is 12 s behind",
        "Broker node n:1 is at 93 % of its budget of messages",
        "Queue a:b_error has 2 messages that failed",
    ];
    assert_eq!(texts(&state, &facts), expected);
    let all = attention(&state, &facts);
    let severities: Vec<_> = all.iter().map(|one| one.severity.as_str()).collect();
    assert_eq!(severities, [["error"; 6].as_slice(), ["warning"; 3].as_slice()].concat());
    let link = |place: usize| all[place].link.as_deref().unwrap();
    assert_eq!(link(4), format!("#/commands/{}", command.command_id));
    assert_eq!((link(6), link(8)), ("#/strategies/late", "#/errors/a%3Ab_error"));
}

#[test]
fn what_has_ended_or_is_in_time_needs_nobody() {
    let mut ended = strategy("ended", 500.0);
    ended.instances.clear();
    ended.lanes[0].has_ended = true;
    let in_time = strategy("fast", 2.0);
    let state = SystemState {
        feeds: vec![
            feed(feed_phase::PUBLISHING, vec![ended, in_time]),
            feed(feed_phase::CLOSED, vec![strategy("old", 100.0)]),
            feed(feed_phase::UNKNOWN, Vec::new()),
        ],
        ..SystemState::default()
    };
    assert_eq!(texts(&state, &Facts::default()), Vec::<String>::new());
}

#[test]
fn the_least_urgent_is_left_out_where_there_is_too_much() {
    let late = (0..30).map(|n| strategy(&format!("s{n}"), 20.0)).collect();
    let gone = feed(feed_phase::NO_INGESTER, Vec::new());
    let state =
        SystemState { feeds: vec![feed(feed_phase::PUBLISHING, late), gone], ..SystemState::default() };
    let shown = texts(&state, &Facts::default());
    assert_eq!(shown.len(), MOST);
    assert_eq!(shown[0], "Feed btc has no ingester, and its run has not ended");
}

#[test]
fn a_long_reason_is_cut_at_a_character() {
    let text = because("It failed", &"é".repeat(LONGEST_REASON + 1));
    assert_eq!(text.chars().count(), "It failed: …".chars().count() + LONGEST_REASON);
}
