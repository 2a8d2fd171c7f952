//! What a forgotten replay has published is removed, and nothing else.

use bus::testing::TestBus;
use tick_sdk::contracts::strategies::{LaneFailed, RunForgotten};
use tick_sdk::contracts::ticks::ReplayForgotten;

use super::*;

/// The positions of the run's events, as its publishers noted them.
pub(super) fn noted(state: &State) -> Vec<u64> {
    let file = rusqlite::Connection::open(state.store()).unwrap();
    let sql = "SELECT first, last FROM published_span WHERE run = ?1 ORDER BY first";
    let mut statement = file.prepare(sql).unwrap();
    let spans =
        statement.query_map([RUN.0], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).unwrap();
    spans.flat_map(|span| span.map(|(first, last)| first..=last).unwrap()).map(i64::cast_unsigned).collect()
}

fn event_of(run: RunId) -> SignalsCommitted {
    let run = run.to_string();
    SignalsCommitted { run, strategy: "apple".to_owned(), shard: 0, from_seq: 0, to_seq: 1, signals: vec![] }
}

fn rows(bus: &TestBus, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    bus.store().query(&sql, &[]).unwrap()[0].get(0).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_runs_of_a_forgotten_replay_are_removed_in_steps_and_others_stay() {
    let (other, anew) = (RunId([8; 16]), RunId([9; 16]));
    let (replay, kept) = (CommandId::of_key("test", "replay"), CommandId::of_key("test", "kept"));
    // Events 1 to 900 are of the run, but each third of another one's; the last two are of the run that the replay
    // began anew. All as if they were published so.
    let run_of = |position: u64| match position {
        901.. => anew,
        _ if position.is_multiple_of(3) => other,
        _ => RUN,
    };
    let mut tables = crate::deployments::tables();
    for (run, replay) in [(RUN, replay), (anew, replay), (other, kept)] {
        let (run, replay) = (hex(&run.0), hex(replay.0.as_bytes()));
        tables += &format!("INSERT INTO published_run VALUES (x'{replay}', x'{run}');");
        tables += &format!("INSERT INTO published_lane VALUES (x'{run}', 'apple', 0, 1, 0);");
        tables += &format!("INSERT INTO published_account VALUES (x'{run}');");
    }
    for first in (1..=902).filter(|position| position % 3 != 2) {
        // Two of the run's events follow each other in one commit.
        let last = if run_of(first) == RUN { first + 1 } else { first };
        let run = hex(&run_of(first).0);
        tables += &format!("INSERT INTO published_span VALUES (x'{run}', {first}, {last});");
    }
    tables += &format!("INSERT INTO published_span VALUES (x'{}', 902, 902);", hex(&anew.0));
    for seed in 0..3 {
        let mut bus = TestBus::new(STRATEGIES, &tables).seed(seed);
        (1..=902).for_each(|position| bus.publish(&event_of(run_of(position))));
        let forgotten = ReplayForgotten { replay_id: replay.0, run: Some(anew.to_string()) };
        bus.publish(&forgotten);
        bus.settle();
        assert_eq!(bus.published::<SignalsCommitted>(), vec![event_of(other); 300], "seed {seed}");
        let mut runs: Vec<_> = bus.published::<RunForgotten>().into_iter().map(|event| event.run).collect();
        runs.sort();
        assert_eq!(runs, [RUN.to_string(), anew.to_string()], "seed {seed}");
        assert!(bus.faults().is_empty(), "{:?}", bus.faults());
        // Three steps for 600 events, one for two.
        let steps = bus.sent_messages().iter().filter(|command| command.name == "ForgetRun").count();
        assert_eq!(steps, 4, "seed {seed}");
        assert_eq!(rows(&bus, "published_span"), 300);
        for table in ["published_run", "published_lane", "published_account"] {
            assert_eq!(rows(&bus, table), 1, "{table}");
        }
        let log = bus.log();
        let last = log.last().unwrap();
        assert!(last.position > 902 && log.windows(2).all(|pair| pair[0].position < pair[1].position));
    }
}

#[test]
fn what_has_published_nothing_is_forgotten_at_once() {
    let mut bus = TestBus::new(STRATEGIES, &crate::deployments::tables());
    let replay_id = CommandId::of_key("test", "replay").0;
    bus.publish(&ReplayForgotten { replay_id, run: None });
    bus.publish(&ReplayForgotten { replay_id, run: Some(RUN.to_string()) });
    bus.settle();
    assert_eq!(bus.published::<RunForgotten>(), [RunForgotten { run: RUN.to_string() }]);
}

#[test]
fn that_something_is_forgotten_is_forgotten_once_everybody_knows_it() {
    let mut bus = TestBus::new(STRATEGIES, &crate::deployments::tables());
    let forget = |bus: &mut TestBus, number: u8| {
        let replay_id = CommandId::of_key("test", &number.to_string()).0;
        let failed = LaneFailed {
            feed: feed_of_replay(CommandId(replay_id)).to_string(),
            strategy: "apple".to_owned(),
            reason: "it panicked".to_owned(),
            failures: 1,
            is_of_strategy: true,
        };
        bus.publish(&failed);
        let position = bus.log().last().unwrap().position;
        let sql = "INSERT INTO lane_event (strategy, feed, position, is_failed) VALUES ('apple', $1, $2, 1)";
        let mut transaction = bus.store().begin().unwrap();
        transaction.tables().execute(sql, &values![&failed.feed, position]).unwrap();
        transaction.commit().unwrap();
        bus.publish(&ReplayForgotten { replay_id, run: Some(RunId([number; 16]).to_string()) });
        bus.settle();
    };
    let tables = ["forgotten_replay", "forgotten_run_event"];
    for number in 1..=3 {
        forget(&mut bus, number);
        bus.advance(std::time::Duration::from_secs(20 * 24 * 3600));
    }
    // The first is forgotten for 40 days by then.
    assert_eq!(tables.map(|table| rows(&bus, table)), [2, 2]);
    assert_eq!(bus.published::<RunForgotten>().len(), 2);
    assert_eq!((rows(&bus, "lane_event"), bus.published::<LaneFailed>().len()), (0, 0));
    assert!(bus.faults().is_empty(), "{:?}", bus.faults());
}

#[test]
fn who_has_lost_a_replay_publishes_nothing_once_it_is_forgotten() {
    let state = State::new();
    let folder = state.ledger("ledger");
    let (mut ledger, mut writers) = begin(&folder, 3);
    let bus = state.bus();
    let mut zombie = state.publisher(&bus, &folder);
    assert_eq!(zombie.publish_new().unwrap(), 0);
    for writer in &mut writers {
        writer.commit(&mut ledger, writer.end, true);
    }
    let file = rusqlite::Connection::open(state.store()).unwrap();
    let id = state.command.command_id.0;
    file.execute("INSERT INTO forgotten_replay VALUES (?1, 0)", [id.as_bytes()]).unwrap();
    let error = zombie.publish_new().unwrap_err();
    assert!(matches!(error, PublishError::Forgotten { run: RUN }), "{error}");
    let error = state.publisher(&bus, &folder).finish(&PaperResults::default()).unwrap_err();
    assert!(matches!(error, PublishError::Forgotten { run: RUN }), "{error}");
    assert!(log(&bus).is_empty());
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_replay_is_forgotten_alike_on_postgresql() {
    bus::testing::on_postgres(&[
        what_has_published_nothing_is_forgotten_at_once,
        that_something_is_forgotten_is_forgotten_once_everybody_knows_it,
    ]);
}
