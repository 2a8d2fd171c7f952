//! A ledger written in small commits, and what the log has of it after kills.

use std::collections::BTreeMap;
use std::path::Path;

use bus::StoredEvent;
use tempfile::TempDir;
use tick_feed::NewInstrument;
use tick_feed::run::Manifest;
use tick_sdk::TargetPosition;
use tick_sdk::contracts::results::{CurvesDrawn, TradesClosed};
use tick_sdk::contracts::strategies::{AccountMarked, CommittedSignal, SignalsCommitted};
use tick_sdk::contracts::{CommandId, ConversationId};
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::names::StrategyName;
use tick_sdk::signal::{Signal, encode_signals};

use super::*;
use crate::ledger::Commit;
use crate::ledger::SqliteLedger;
use crate::paper::{PaperAccount, PaperRules};

mod forgetting;

const RUN: RunId = RunId([7; 16]);
const SHARDS: u16 = 2;
/// So many round trips need several commits.
const TRADES_IN_A_COMMIT: usize = 16_000;

fn strategies() -> [StrategyName; 2] {
    ["apple", "pear"].map(|name| name.parse().unwrap())
}

/// The state's folder: the context's store and the ledger.
struct State {
    folder: TempDir,
    command: EndedCommand,
}

impl State {
    fn new() -> Self {
        let (command_id, conversation_id) = (CommandId::new(), ConversationId::new());
        let command = EndedCommand { command_id, conversation_id, initiator_id: None, attempts: 1 };
        Self { folder: tempfile::tempdir().unwrap(), command }
    }

    fn store(&self) -> std::path::PathBuf {
        self.folder.path().join("strategies.sqlite")
    }

    fn bus(&self) -> Arc<Bus> {
        let store = crate::deployments::open(&self.store()).unwrap();
        Arc::new(Bus::builder().context(STRATEGIES, store).start().unwrap())
    }

    fn ledger(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn publisher(&self, bus: &Arc<Bus>, ledger: &Path) -> SignalPublisher {
        SignalPublisher::open(bus.clone(), ledger.to_str().unwrap(), RUN, Some(self.command)).unwrap()
    }
}

/// Draws the same numbers for a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// One lane of a run: all signals that it will ever have, and how far it is committed.
struct Writer {
    lane: LaneId,
    epoch: u64,
    cursor: u64,
    end: u64,
    ended: bool,
    signals: Vec<Signal>,
}

impl Writer {
    /// Commits the signals of the ticks before `to_seq`, and the run's end with those that have its number.
    fn commit(&mut self, ledger: &mut SqliteLedger, to_seq: u64, ended: bool) {
        let is_within = |signal: &&Signal| {
            (self.cursor..to_seq).contains(&signal.seq) || (ended && signal.seq == self.end)
        };
        let batch: Vec<Signal> = self.signals.iter().filter(is_within).copied().collect();
        let mut signals = Vec::new();
        encode_signals(&batch, &mut signals);
        let named = 0..batch.iter().map(|signal| signal.instrument + 1).max().unwrap_or(0);
        let name = |id| NewInstrument { id, symbol: symbol(self.lane.shard, id), key: "k".to_owned() };
        let commit = Commit {
            lane: self.lane.clone(),
            epoch: self.epoch,
            from_seq: self.cursor,
            to_seq,
            signals,
            new_instruments: named.map(name).collect(),
            states: None,
            ended,
            skipped: 0,
        };
        assert!(ledger.commit(&[commit]).unwrap().is_empty());
        (self.cursor, self.ended) = (to_seq, ended);
    }
}

fn symbol(shard: u16, id: u32) -> String {
    format!("S{shard}-{id}")
}

fn signal(seq: u64, n: u32, instrument: u32) -> Signal {
    let side = [TargetPosition::Flat, TargetPosition::Long, TargetPosition::Short][seq as usize % 3];
    let price = if seq % 7 == 6 { UNDEFINED_PRICE } else { 61_800_100_000_000 + seq as i64 };
    let (ts_event, ts_recv) = (seq * 1000, seq * 1000 + 1);
    Signal { ts_event, ts_recv, seq, n, instrument, side, price, bid: UNDEFINED_PRICE, ask: UNDEFINED_PRICE }
}

/// A new ledger of the run with a writer for each lane, whose signals follow from the seed.
fn begin(folder: &Path, seed: u64) -> (SqliteLedger, Vec<Writer>) {
    let mut ledger = SqliteLedger::open(folder).unwrap();
    ledger.record_run(RUN, "feed", &Manifest::new([("shards", "2")])).unwrap();
    let mut draw = Draw(seed);
    let mut writers = Vec::new();
    for strategy in strategies() {
        for shard in 0..SHARDS {
            let lane = LaneId { run: RUN, strategy: strategy.clone(), shard };
            let end = draw.below(400);
            let mut signals = Vec::new();
            // Those at the end's own number are given when the run ends.
            for seq in 0..=end {
                let count = if draw.below(4) == 0 { draw.below(4) } else { 0 };
                signals.extend((0..count).map(|n| signal(seq, n as u32, draw.below(5) as u32)));
            }
            let epoch = ledger.claim(&lane, 0).unwrap().epoch;
            writers.push(Writer { lane, epoch, cursor: 0, end, ended: false, signals });
        }
    }
    (ledger, writers)
}

fn log(bus: &Bus) -> Vec<StoredEvent> {
    let mut log: Vec<StoredEvent> = Vec::new();
    loop {
        let position = log.last().map_or(0, |event| event.position);
        let read = bus.events_after(STRATEGIES, position, usize::MAX >> 1).unwrap();
        if read.is_empty() {
            return log;
        }
        // However many are asked for, a reader holds little at once.
        assert!(read.iter().map(|event| event.body.len()).sum::<usize>() < 9 << 20);
        log.extend(read);
    }
}

fn positions(bus: &Bus) -> Vec<u64> {
    log(bus).iter().map(|event| event.position).collect()
}

fn committed_events(bus: &Bus) -> Vec<SignalsCommitted> {
    let log = log(bus);
    let of_signals = log.iter().filter(|event| event.name == "SignalsCommitted");
    of_signals.map(|event| serde_json::from_str(&event.body).unwrap()).collect()
}

/// By strategy and shard: all published signals in the order of the log.
fn published(bus: &Bus) -> BTreeMap<(String, u16), Vec<CommittedSignal>> {
    let mut lanes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in committed_events(bus) {
        let within = event.from_seq..event.to_seq;
        assert!(event.signals.iter().all(|signal| within.contains(&signal.seq)));
        assert_eq!(event.run, RUN.to_string());
        lanes.entry((event.strategy, event.shard)).or_default().extend(event.signals);
    }
    lanes
}

fn expected(writers: &[Writer]) -> BTreeMap<(String, u16), Vec<CommittedSignal>> {
    let lanes = writers.iter().filter(|writer| !writer.signals.is_empty());
    let lane = |writer: &Writer| {
        let LaneId { strategy, shard, .. } = &writer.lane;
        let signals = writer.signals.iter().map(|signal| CommittedSignal {
            symbol: symbol(*shard, signal.instrument),
            seq: signal.seq,
            n: signal.n,
            ts_event: signal.ts_event,
            ts_recv: signal.ts_recv,
            side: ["flat", "buy", "sell"][signal.seq as usize % 3].to_owned(),
            price: (signal.seq % 7 != 6).then(|| {
                let text = format!("61800.1{:08}", signal.seq);
                text.trim_end_matches('0').to_owned()
            }),
        });
        ((strategy.as_str().to_owned(), *shard), signals.collect())
    };
    lanes.map(lane).collect()
}

#[test]
fn every_signal_is_in_the_log_once_whatever_is_killed() {
    for seed in 0..12 {
        let state = State::new();
        let mut draw = Draw(seed + 1000);
        let mut ledger_folder = state.ledger("ledger");
        let (mut ledger, mut writers) = begin(&ledger_folder, seed);
        let mut bus = state.bus();
        let mut publisher = state.publisher(&bus, &ledger_folder);
        let mut ledgers = 1;
        while writers.iter().any(|writer| !writer.ended) {
            match draw.below(20) {
                0..12 => {
                    let writer = &mut writers[draw.below(4) as usize];
                    let to_seq = (writer.cursor + draw.below(60)).min(writer.end);
                    let ended = to_seq == writer.end && draw.below(2) == 0;
                    if !writer.ended && (to_seq > writer.cursor || ended) {
                        writer.commit(&mut ledger, to_seq, ended);
                    }
                }
                12..15 => drop(publisher.publish_new().unwrap()),
                15..17 => drop(publisher.publish_some(draw.below(4)).unwrap()),
                17 => publisher = state.publisher(&bus, &ledger_folder),
                18 if draw.below(4) == 0 => {
                    // The process is killed: its bus goes, too.
                    drop(publisher);
                    drop(bus);
                    bus = state.bus();
                    publisher = state.publisher(&bus, &ledger_folder);
                }
                19 if draw.below(4) == 0 => {
                    // Power is lost, and with it the ledger's last commits: the run makes them again, with
                    // other borders, beginning before what is published.
                    ledger_folder = state.ledger(&format!("ledger {ledgers}"));
                    ledgers += 1;
                    (ledger, writers) = begin(&ledger_folder, seed);
                    publisher = state.publisher(&bus, &ledger_folder);
                }
                _ => {}
            }
        }
        publisher.finish(&PaperResults::default()).unwrap();
        assert_eq!(published(&bus), expected(&writers), "seed {seed}");
        assert_eq!(forgetting::noted(&state), positions(&bus), "seed {seed}");
        let id = Some(state.command.command_id);
        assert!(log(&bus).iter().all(|event| event.command_id == id), "seed {seed}");
        let conversation_id = Some(state.command.conversation_id);
        assert!(log(&bus).iter().all(|event| event.conversation_id == conversation_id), "seed {seed}");
    }
}

/// One lane with so many signals a tick, all committed.
fn large(state: &State, ticks: u64, per_tick: u32, per_commit: u64) -> Writer {
    let (mut ledger, mut writers) = begin(&state.ledger("ledger"), 0);
    let mut writer = writers.remove(0);
    writer.end = ticks;
    let signals = (0..ticks).flat_map(|seq| (0..per_tick).map(move |n| signal(seq, n, 0)));
    writer.signals = signals.collect();
    while writer.cursor < ticks {
        let to_seq = (writer.cursor + per_commit).min(ticks);
        writer.commit(&mut ledger, to_seq, to_seq == ticks);
    }
    writer
}

#[test]
fn a_commit_that_fails_on_the_way_loses_nothing_and_doubles_nothing() {
    let state = State::new();
    let writer = large(&state, 50_000, 2, 500);
    let bus = state.bus();
    let mut publisher = state.publisher(&bus, &state.ledger("ledger"));
    let file = rusqlite::Connection::open(state.store()).unwrap();
    file.execute_batch(
        "CREATE TRIGGER full BEFORE INSERT ON event WHEN (SELECT count(*) FROM event) >= 50
         BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
    )
    .unwrap();
    let error = publisher.publish_new().unwrap_err().to_string();
    assert!(error.contains("disk is full"), "{error}");
    let before: u64 = published(&bus).values().map(|signals| signals.len() as u64).sum();
    assert!(0 < before && before < 100_000, "{before} signals were published before the disk was full");
    file.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(before + publisher.publish_new().unwrap(), 100_000);
    assert_eq!(published(&bus), expected(&[writer]));
    assert_eq!(publisher.publish_new().unwrap(), 0);
}

#[test]
fn of_two_publishers_of_one_run_the_slower_doubles_nothing() {
    let state = State::new();
    let folder = state.ledger("ledger");
    let (mut ledger, mut writers) = begin(&folder, 3);
    let bus = state.bus();
    let mut zombie = state.publisher(&bus, &folder);
    // It knows that nothing is published, and is overtaken before it publishes anything; later, between two.
    assert_eq!(zombie.publish_new().unwrap(), 0);
    for part in [2, 1] {
        for writer in &mut writers {
            writer.commit(&mut ledger, writer.end / part, part == 1);
        }
        assert!(state.publisher(&bus, &folder).publish_new().unwrap() > 0);
        let error = zombie.publish_new().unwrap_err();
        assert!(matches!(error, PublishError::Overtaken { .. }), "{error}");
        assert_eq!(zombie.publish_new().unwrap(), 0);
    }
    assert_eq!(published(&bus), expected(&writers));
}

#[test]
fn an_event_is_bounded_and_ends_with_a_tick() {
    let state = State::new();
    let writer = large(&state, 40, 300, 9);
    let bus = state.bus();
    assert_eq!(state.publisher(&bus, &state.ledger("ledger")).publish_new().unwrap(), 12_000);
    let events = committed_events(&bus);
    // Four ticks make 1,200 signals, three only 900.
    assert!(events.iter().all(|event| event.signals.len() == 1200), "{} events", events.len());
    assert!(events.windows(2).all(|pair| pair[0].to_seq == pair[1].from_seq));
    assert_eq!(published(&bus), expected(&[writer]));

    let state = State::new();
    large(&state, 3, 2500, 1);
    let bus = state.bus();
    state.publisher(&bus, &state.ledger("ledger")).publish_new().unwrap();
    let lengths: Vec<_> = committed_events(&bus).iter().map(|event| event.signals.len()).collect();
    assert_eq!(lengths, [2500; 3]);
}

#[test]
fn accounts_are_published_once_with_the_figures_of_the_report() {
    let state = State::new();
    let folder = state.ledger("ledger");
    drop(begin(&folder, 1));
    let mut account = PaperAccount::new(PaperRules::default(), ["apple", "pear"]);
    let at = |ts_recv, side, price| Signal { ts_recv, side, price, ..signal(0, 0, 0) };
    for (symbol, signal) in [
        ("BTC", at(1, TargetPosition::Long, 100_000_000_000)),
        ("ETH", at(2, TargetPosition::Long, 10_000_000_000)),
        ("BTC", at(3, TargetPosition::Short, 101_500_000_000)),
        ("ETH", at(4, TargetPosition::Flat, 9_000_000_000)),
    ] {
        account.signal(0, symbol, &signal).unwrap();
    }
    account.mark(5, "BTC", 101_250_000_000);
    let results = account.finish(1, 5);
    let bus = state.bus();
    let position = state.publisher(&bus, &folder).finish(&results).unwrap();
    // Killed before the replay's end was stored, it does this again.
    assert_eq!(state.publisher(&bus, &folder).finish(&results).unwrap(), position);
    assert_eq!(bus.head(STRATEGIES).unwrap(), position);
    assert_eq!(forgetting::noted(&state), positions(&bus));

    let log = log(&bus);
    assert!(log.iter().all(|event| event.command_id.is_some()));
    let names: Vec<_> = log.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["AccountMarked", "AccountMarked", "CurvesDrawn", "CurvesDrawn"]);
    let marked: Vec<AccountMarked> =
        log[..2].iter().map(|event| serde_json::from_str(&event.body).unwrap()).collect();
    let drawn: CurvesDrawn = serde_json::from_str(&log[2].body).unwrap();
    assert_eq!(
        (drawn.strategy.as_str(), drawn.curves.equity.last().unwrap().value.as_str()),
        ("apple", "0.75")
    );
    assert_eq!(drawn.curves.hours[0].figures.net_profit, "0.75");
    let names: Vec<_> = marked.iter().map(|marked| marked.strategy.as_str()).collect();
    assert_eq!(names, ["apple", "pear"]);
    let apple = &marked[0];
    assert_eq!((apple.total.realised.as_str(), apple.total.open.as_str()), ("0.5", "0.25"));
    assert_eq!((apple.total.equity.as_str(), apple.total.fees.as_str()), ("0.75", "0"));
    assert_eq!((apple.total.trades, apple.total.wins, apple.total.hit_rate), (2, 1, Some(0.5)));
    let positions: Vec<_> =
        apple.instruments.iter().map(|one| (one.symbol.as_str(), one.position.as_str())).collect();
    assert_eq!(positions, [("BTC", "sell"), ("ETH", "flat")]);
    assert_eq!(apple.instruments[0].figures.realised, "1.5");
    assert_eq!(marked[1].total.realised, "0");
}

#[test]
fn round_trips_are_in_the_log_once_and_in_order_whatever_is_killed() {
    let state = State::new();
    let writer = large(&state, 40_000, 1, 500);
    let bus = state.bus();
    let file = rusqlite::Connection::open(state.store()).unwrap();
    file.execute_batch(
        "CREATE TRIGGER full BEFORE INSERT ON event WHEN (SELECT count(*) FROM event) >= 80
         BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
    )
    .unwrap();
    // The account as a replay makes it, with the round trips that it gives away.
    let name = writer.lane.strategy.as_str();
    let mut account = PaperAccount::new(PaperRules::default(), [name]);
    let symbol = symbol(writer.lane.shard, 0);
    let closed = |signal: &Signal| account.signal(0, &symbol, signal).unwrap();
    let expected: Vec<_> = writer.signals.iter().filter_map(closed).collect();
    let results = account.finish(1, 40_000_000);
    assert_eq!(results.strategies[0].total.trades, expected.len() as u64);
    assert!(expected.len() > TRADES_IN_A_COMMIT + 4_000, "{} round trips", expected.len());

    let publisher = || state.publisher(&bus, &state.ledger("ledger"));
    let error = publisher().finish(&results).unwrap_err().to_string();
    assert!(error.contains("disk is full"), "{error}");
    file.execute_batch("DROP TRIGGER full").unwrap();
    let position = publisher().finish(&results).unwrap();
    assert_eq!(publisher().finish(&results).unwrap(), position);
    assert_eq!(forgetting::noted(&state), positions(&bus));

    let log = log(&bus);
    let events = log.iter().filter(|event| event.name == "TradesClosed");
    let events: Vec<TradesClosed> = events.map(|event| serde_json::from_str(&event.body).unwrap()).collect();
    let mut published = Vec::new();
    for event in events {
        assert_eq!((event.first, event.strategy.as_str()), (published.len() as u64, name));
        assert!(event.trades.len() <= 500);
        published.extend(
            event.trades.into_iter().map(|trade| (trade.opened_at_ns, trade.closed_at_ns, trade.side)),
        );
    }
    let trade =
        |trade: &crate::paper::Trade| (trade.opened_at, trade.closed_at, trade.side.name().to_owned());
    assert_eq!(published, expected.iter().map(trade).collect::<Vec<_>>());
}

#[test]
fn without_the_context_or_a_ledger_nothing_begins() {
    let state = State::new();
    let open = |bus: Bus| {
        let ledger = state.ledger("none");
        let opened = SignalPublisher::open(Arc::new(bus), ledger.to_str().unwrap(), RUN, Some(state.command));
        opened.err().map(|error| error.to_string()).unwrap_or_default()
    };
    let error = open(Bus::builder().start().unwrap());
    assert!(error.contains("does not serve the context strategies"), "{error}");
    let store = crate::deployments::open(&state.store()).unwrap();
    let error = open(Bus::builder().context(STRATEGIES, store).start().unwrap());
    assert!(error.contains("none"), "{error}");
}
