//! Replays that are played through a feed: the signals of `orchard replay`, whoever is killed on the way.

use std::path::Path;
use std::time::Duration;

use futures_util::TryStreamExt;
use strategy_host::ledger;
use tick_sdk::client::{Client, SignalFilter};
use tick_sdk::contracts::strategies::StrategySpec;
use tick_sdk::contracts::ticks::StartReplay;
use tick_sdk::names::RunId;

use crate::database;
use crate::hosting::{start_hosts, start_server};
use crate::input::is_long;
use crate::program::{ORCHARD, Program};
use crate::servers::Turn;
use crate::waiting::wait_until;

/// What happens on the way does so within this time.
const SOON: Duration = Duration::from_secs(120);

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_replay_through_a_feed_gives_the_signals_of_orchard_replay_whoever_is_killed() {
    let turn = Turn::wait();
    let servers = turn.servers();
    let folder = tempfile::tempdir().expect("a folder");
    let captures = folder.path().join("captures");
    std::fs::create_dir(&captures).expect("a folder");
    let state = folder.path().join("state");
    std::fs::create_dir(&state).expect("a folder");
    let ticks = if is_long() { 3_000_000 } else { 300_000 };
    run(
        folder.path(),
        &["generate", "captures/market.ticks", "--ticks", &ticks.to_string(), "--instruments", "24"],
    );
    let replay = [
        "replay",
        "captures/market.ticks",
        "--strategy",
        "apple,pear",
        "--quiet",
        "--signals",
        "expected.csv",
    ];
    run(folder.path(), &replay);

    let database = format!("replays_{}", &RunId::random().to_string()[..8]);
    let url = database::create(servers.url("POSTGRES"), &database);
    let mut server = start_server("serve", &state, &captures, servers, &url);
    let address = |server: &mut Program| {
        let line = server.wait_for_line("ready", SOON);
        line.split_whitespace().nth(1).expect("an address").to_owned()
    };
    let mut hosts: Vec<_> =
        (0..3).map(|place| start_hosts(&format!("hosts {place}"), &state, servers, &url, &[])).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = Client::new(&address(&mut server)).expect("an address");
    let spec = |strategy: &str| StrategySpec { strategy: strategy.to_owned(), ..StrategySpec::default() };
    // Some minutes of a market, or an hour, in about ten seconds, or in a minute.
    let plan = StartReplay {
        files: vec!["market.ticks".to_owned()],
        speed: Some(if is_long() { 80.0 } else { 40.0 }),
        strategies: vec![spec("apple"), spec("pear")],
        ..StartReplay::default()
    };
    let sent = runtime.block_on(async { client.start_replay(&plan).await }).expect("it is accepted");
    let replay_id = sent.id().0;
    let feed = format!("replay-{}", replay_id.simple());

    let reader = ledger::open(&url).expect("the ledger opens");
    let committed = || {
        let runs = reader.runs(&feed).expect("the ledger answers");
        let of_run = |run| reader.lanes(run).expect("the ledger answers").iter().map(|row| row.cursor).sum();
        runs.first().map_or(0u64, |row| of_run(row.run))
    };
    let share = |percent: u64| 2 * ticks * percent / 100;
    wait_until("a tenth is committed", SOON, || committed() > share(10));
    hosts[0].kill();
    wait_until("a quarter is committed", SOON, || committed() > share(25));
    server.kill();
    hosts[1].kill();
    let mut server = start_server("serve, again", &state, &captures, servers, &url);
    let client = Client::new(&address(&mut server)).expect("an address");
    let sent = client.sent(sent.id());
    runtime.block_on(sent.completed_within(SOON)).expect("it completes");
    let shown = runtime.block_on(client.replay(replay_id)).expect("it is there");
    let outcome = shown.outcome.expect("it has ended");
    assert!(outcome.ticks >= ticks && outcome.signals > 0, "{outcome:?}");

    let runs = reader.runs(&feed).expect("the ledger answers");
    assert_eq!(runs.len(), 1, "it goes on with the run that it began with");
    let run_id = runs[0].run.to_string();
    let verify = ["verify", "expected.csv", "--feed", &feed, "--run", &run_id, "--state", &url];
    let verified = run(folder.path(), &[&verify[..], &["--strategies", "apple,pear"]].concat());
    assert!(verified.contains("lost 0, duplicated 0, unexpected 0"), "{verified}");
    let rows = std::fs::read_to_string(folder.path().join("expected.csv")).expect("it was written");
    assert_eq!(outcome.signals, rows.lines().count() as u64 - 1);
    let filter = SignalFilter { run: Some(run_id), ..SignalFilter::default() };
    let readable = runtime.block_on(async {
        let signals = client.signal_stream(&filter).await.expect("signals are read");
        signals.try_fold(0u64, async |count, _| Ok(count + 1)).await.expect("all of them are read")
    });
    assert_eq!(readable, outcome.signals, "all of them are readable");

    let list = servers.ctl("1", &["list_queues", "--no-table-headers", "name"]);
    let left: Vec<_> = list.lines().filter(|name| name.contains(&feed)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[track_caller]
fn run(folder: &Path, args: &[&str]) -> String {
    let ended = Program::start_of(Path::new(ORCHARD), args[0], folder, args).wait(SOON);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    ended.said
}
