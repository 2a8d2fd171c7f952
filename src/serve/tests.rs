//! The contexts and their workers without HTTP.

use std::path::Path;
use std::time::{Duration, Instant};

use bus::{EventSource, SendOptions};
use gateway::CommandLookup;
use serde_json::{Value, json};
use tempfile::TempDir;
use tick_ingest::replays::Captures;
use tick_sdk::contracts::bus::{CommandCancelled, CommandCompleted, CommandFailed};
use tick_sdk::contracts::strategies::{STRATEGIES, StrategySpec};
use tick_sdk::contracts::ticks::{
    CancelReplay, ForgetReplay, ReplayProgressed, ReplayStarted, StartReplay, TICKS,
};
use tick_sdk::contracts::{Command, CommandId, Contract};
use tick_sdk::decimal::format_decimal;

use super::ServePlan;
use super::backend::Backend;
use super::state::StateFolder;

/// What is waited for here happens within seconds.
const PATIENCE: Duration = Duration::from_secs(60);

struct Running {
    backend: Backend,
    runtime: tokio::runtime::Runtime,
}

fn start(state: &Path) -> Running {
    start_with(state, Path::new("tests/data"))
}

fn start_with(state: &Path, captures: &Path) -> Running {
    let plan = ServePlan::new(state, captures);
    let (state, captures) = (StateFolder::open(state).unwrap(), Captures::open(captures).unwrap());
    let backend = Backend::start(&plan, &state, Some(&captures), &CommandLookup::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Running { backend, runtime }
}

impl Running {
    fn send<C: Command>(&self, command: &C) -> CommandId {
        let sent = self.backend.bus.send(command, SendOptions::default());
        self.runtime.block_on(sent).unwrap().command_id
    }

    /// The first event of these names that a command has caused, once it is there.
    fn event(&self, command: CommandId, names: &[&str]) -> (String, Value) {
        // For all of them together: a replay that plays has another event each second.
        let until = Instant::now() + PATIENCE;
        let mut position = 0;
        loop {
            let bus = &self.backend.bus;
            let left = until.saturating_duration_since(Instant::now());
            assert!(bus.wait_beyond(TICKS, position, left), "{names:?} of {command} did not come");
            for event in bus.events_after(TICKS, position, 1000).unwrap() {
                position = event.position;
                if event.command_id == Some(command) && names.contains(&event.name.as_str()) {
                    return (event.name, serde_json::from_str(&event.body).unwrap());
                }
            }
        }
    }

    /// How it ended, and with what.
    fn end(&self, command: CommandId) -> (String, Value) {
        self.event(command, &[CommandCompleted::NAME, CommandFailed::NAME, CommandCancelled::NAME])
    }

    fn signals(&self, run: &Value) -> u64 {
        let events = self.backend.bus.events_after(STRATEGIES, 0, 1_000_000).unwrap();
        let bodies = events.iter().filter(|event| event.name == "SignalsCommitted");
        let bodies = bodies.map(|event| serde_json::from_str::<Value>(&event.body).unwrap());
        bodies
            .filter(|body| body["run"] == *run)
            .map(|body| body["signals"].as_array().unwrap().len() as u64)
            .sum()
    }

    fn stop(mut self) -> u32 {
        let until = Instant::now() + PATIENCE;
        assert!(self.backend.stop_workers(until) && self.backend.stop_lanes(until));
        self.backend.given_back()
    }
}

#[test]
fn a_replay_shows_its_prices_while_it_plays_and_for_a_while_after() {
    let state = state();
    let running = start(state.path());
    let replay = running.send(&capture());
    let (_, completed) = running.event(replay, &["ReplayCompleted"]);
    let market = &running.backend.market;
    let source = &market.sources()[0];
    assert_eq!(
        (&source.source, &*source.run),
        (&format!("replay/{replay}"), completed["run"].as_str().unwrap())
    );
    assert!(source.has_ended);
    let outcome = &completed["outcome"];
    assert_eq!(outcome["ticks"], source.ticks);
    // What the recorder has seen is what the report has.
    let quotes = market.quotes(&live::Selection::default(), 0).quotes;
    let price = |price: Option<i64>| price.map(format_decimal);
    let shown: Vec<_> = quotes
        .iter()
        .map(|quote| {
            json!([
                quote.symbol,
                quote.ticks,
                price(quote.last),
                price(quote.bid),
                price(quote.ask),
                quote.ts_recv
            ])
        })
        .collect();
    let instruments = outcome["instruments"].as_array().unwrap().iter();
    let expected: Vec<_> = instruments
        .map(|instrument| {
            json!(["symbol", "ticks", "lastTrade", "bid", "ask", "lastTsRecv"].map(|name| &instrument[name]))
        })
        .collect();
    assert_eq!(shown, expected);
    let trades = |interval| {
        let candles = market.candles(&source.source, &quotes[0].symbol, interval, usize::MAX);
        candles.iter().map(|candle| candle.trades).sum::<u64>()
    };
    assert!(trades(live::Interval::Hour) > 0);
    assert_eq!(trades(live::Interval::Second), trades(live::Interval::Hour));
    running.stop();
}

fn ledgers(state: &Path) -> usize {
    std::fs::read_dir(state.join("replays")).unwrap().count()
}

fn state() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn capture() -> StartReplay {
    let spec = |strategy: &str| StrategySpec { strategy: strategy.to_owned(), ..StrategySpec::default() };
    StartReplay {
        files: vec!["usdm_btcusdt_20240808.zst".to_owned()],
        strategies: vec![spec("apple"), spec("pear")],
        ..StartReplay::default()
    }
}

#[test]
fn a_replay_ends_with_its_run_when_all_its_signals_are_in_the_log() {
    let state = state();
    let running = start(state.path());
    let replay = running.send(&capture());
    let (name, end) = running.end(replay);
    assert_eq!(name, CommandCompleted::NAME, "{end}");
    let (_, completed) = running.event(replay, &["ReplayCompleted"]);
    assert_eq!(end["result"]["run"], completed["run"]);
    assert!(completed["outcome"]["signals"].as_u64().unwrap() > 0);
    assert_eq!(running.signals(&completed["run"]), completed["outcome"]["signals"].as_u64().unwrap());
    let position = end["readable_at"].as_array().or(end["readableAt"].as_array()).unwrap()[0].clone();
    assert_eq!(position["context"], STRATEGIES);
    assert!(position["position"].as_u64().unwrap() <= running.backend.bus.head(STRATEGIES).unwrap());
    running.stop();
    assert_eq!(ledgers(state.path()), 0, "all of it is in the log");
}

#[test]
fn a_replay_that_plays_is_cancelled_long_before_its_end() {
    let state = state();
    let running = start(state.path());
    // To its end it would take hours: of what is waited for, nothing comes but by the cancel.
    let replay = running.send(&StartReplay { speed: Some(0.01), ..capture() });
    running.event(replay, &[ReplayProgressed::NAME]);
    running.send(&CancelReplay { replay_id: replay.0 });
    let (name, end) = running.end(replay);
    assert_eq!(name, CommandCancelled::NAME, "{end}");
    let (_, cancelled) = running.event(replay, &["ReplayCancelled"]);
    assert_eq!(cancelled["run"], end["result"]["run"]);
    running.stop();
}

#[test]
fn a_replay_that_is_stopped_with_the_process_goes_on_at_the_next_start() {
    let state = state();
    let running = start(state.path());
    // It lasts for six seconds after its first progress.
    let replay = running.send(&StartReplay { speed: Some(45.0), ..capture() });
    let (_, first) = running.event(replay, &[ReplayStarted::NAME]);
    running.event(replay, &[ReplayProgressed::NAME]);
    assert_eq!(running.stop(), 1);
    assert_eq!(ledgers(state.path()), 1);

    let running = start(state.path());
    let (name, end) = running.end(replay);
    assert_eq!((name.as_str(), &end["result"]["run"]), (CommandCompleted::NAME, &first["run"]));
    let (_, completed) = running.event(replay, &["ReplayCompleted"]);
    assert_eq!(running.signals(&first["run"]), completed["outcome"]["signals"].as_u64().unwrap());
    running.stop();
}

#[test]
fn a_file_that_cannot_be_read_fails_with_its_name_from_the_folder_on() {
    let state = state();
    let running = start(state.path());
    let replay = running.send(&StartReplay { files: vec!["../data/none.csv".to_owned()], ..capture() });
    let (name, end) = running.end(replay);
    assert_eq!(name, CommandFailed::NAME);
    assert!(end["reason"].as_str().unwrap().contains("goes up"), "{end}");
    let symbols = vec!["NONE".to_owned()];
    let replay = running.send(&StartReplay { symbols, ..capture() });
    let (name, end) = running.end(replay);
    assert_eq!(name, CommandFailed::NAME);
    assert!(end["reason"].as_str().unwrap().contains("no tick of the symbols NONE"), "{end}");
    running.stop();
}

#[test]
fn a_replay_that_failed_of_a_file_is_completed_by_a_requeue_once_that_is_mended() {
    let state = state();
    let captures = tempfile::tempdir().unwrap();
    let file = captures.path().join("trades.csv");
    let rows = "time,symbol,price,size\n1723161258000000000,BTC,61800.1,1\n";
    std::fs::write(&file, format!("{rows}1723161259000000000,BTC,no,1\n")).unwrap();
    let running = start_with(state.path(), captures.path());
    let replay = running.send(&StartReplay {
        files: vec!["trades.csv".to_owned()],
        map: Some("time=time:ns,symbol=symbol,price=price,size=size".to_owned()),
        ..capture()
    });
    let (name, end) = running.end(replay);
    assert_eq!(name, CommandFailed::NAME);
    let reason = end["reason"].as_str().unwrap();
    assert!(reason.starts_with("trades.csv:3: price"), "{reason}");

    std::fs::write(&file, format!("{rows}1723161259000000000,BTC,61800.2,1\n")).unwrap();
    let requeued = running.backend.bus.requeue(TICKS, replay, SendOptions::default());
    running.runtime.block_on(requeued).unwrap();
    let (_, completed) = running.event(replay, &["ReplayCompleted"]);
    assert_eq!(completed["outcome"]["ticks"], 2);
    assert_eq!(completed["outcome"]["instruments"][0]["lastTrade"], "61800.2");
    running.stop();
    // A process that was killed before it removed a ledger leaves it to the next start.
    std::fs::create_dir(state.path().join("replays").join(replay.to_string())).unwrap();
    start(state.path()).stop();
    assert_eq!(ledgers(state.path()), 0);
}

#[test]
fn a_failed_replay_that_is_forgotten_is_not_played_again_and_leaves_no_ledger() {
    let state = state();
    let captures = tempfile::tempdir().unwrap();
    let rows = "time,symbol,price,size\n1723161258000000000,BTC,61800.1,1\n1723161259000000000,BTC,no,1\n";
    std::fs::write(captures.path().join("trades.csv"), rows).unwrap();
    let running = start_with(state.path(), captures.path());
    let replay = running.send(&StartReplay {
        files: vec!["trades.csv".to_owned()],
        map: Some("time=time:ns,symbol=symbol,price=price,size=size".to_owned()),
        ..capture()
    });
    assert_eq!(running.end(replay).0, CommandFailed::NAME);
    let forget = running.send(&ForgetReplay { replay_id: replay.0 });
    let (name, end) = running.end(forget);
    assert_eq!(name, CommandCompleted::NAME, "{end}");
    let requeued = running.backend.bus.requeue(TICKS, replay, SendOptions::default());
    running.runtime.block_on(requeued).unwrap();
    let last_failure = || {
        let events = running.backend.bus.events_after(TICKS, 0, 1000).unwrap();
        let of_replay = events.iter().filter(|event| event.command_id == Some(replay));
        of_replay.filter(|event| event.name == CommandFailed::NAME).nth(1).map(|event| event.body.clone())
    };
    let mut position = 0;
    let reason = loop {
        if let Some(body) = last_failure() {
            break body;
        }
        assert!(running.backend.bus.wait_beyond(TICKS, position, PATIENCE), "it does not fail");
        position = running.backend.bus.head(TICKS).unwrap();
    };
    assert!(reason.contains("it is forgotten"), "{reason}");
    running.stop();
    assert_eq!(ledgers(state.path()), 1);
    start(state.path()).stop();
    assert_eq!(ledgers(state.path()), 0);
}
