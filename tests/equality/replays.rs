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
        "--shards",
        "4",
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
    let runs = || reader.runs(&feed).expect("the ledger answers");
    let committed = || {
        let runs = runs();
        let of_run = |run| reader.lanes(run).expect("the ledger answers").iter().map(|row| row.cursor).sum();
        runs.first().map_or(0u64, |row| of_run(row.run))
    };
    let share = |percent: u64| 2 * ticks * percent / 100;
    wait_until("a tenth is committed", SOON, || committed() > share(10));
    hosts[0].kill();
    wait_until("a quarter is committed", SOON, || committed() > share(25));
    let run = runs()[0].run;
    let begun = run.to_string();
    server.kill();
    hosts[1].kill();
    let mut server = start_server("serve, again", &state, &captures, servers, &url);
    let client = Client::new(&address(&mut server)).expect("an address");
    let sent = client.sent(sent.id());
    runtime.block_on(sent.completed_within(SOON)).expect("it completes");
    let shown = runtime.block_on(client.replay(replay_id)).expect("it is there");
    let outcome = shown.outcome.expect("it has ended");
    assert!(outcome.ticks >= ticks && outcome.signals > 0, "{outcome:?}");

    assert_eq!(shown.run, Some(begun), "it goes on with the run that it began with");
    let filter = SignalFilter { run: shown.run, ..SignalFilter::default() };
    let signals = runtime.block_on(async {
        let parts = client.signals_csv(&filter).await.expect("signals are read");
        parts.try_collect::<Vec<_>>().await.expect("all of them are read").concat()
    });
    let expected = std::fs::read_to_string(folder.path().join("expected.csv")).expect("it was written");
    assert_eq!(outcome.signals, expected.lines().count() as u64 - 1);
    let signals = String::from_utf8(signals).expect("text");
    assert!(without_run(&signals) == without_run(&expected), "lost, doubled or other signals");

    // Whoever was late is gone, too.
    wait_until("the ledger has nothing of it", SOON, || runs().is_empty());
    assert!(reader.lanes(run).expect("the ledger answers").is_empty());
    let list = servers.ctl("1", &["list_queues", "--no-table-headers", "name"]);
    let left: Vec<_> = list.lines().filter(|name| name.contains(&feed)).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Rows without the column of the run: each has its own.
fn without_run(csv: &str) -> Vec<String> {
    let mut lines = csv.lines();
    let titles: Vec<&str> = lines.next().expect("titles").split(',').collect();
    let place = titles.iter().position(|title| *title == "run").expect("a run");
    let row = |line: &str| {
        let fields = line.split(',').enumerate().filter(|(at, _)| *at != place);
        fields.map(|(_, field)| field).collect::<Vec<_>>().join(",")
    };
    lines.map(row).collect()
}

#[track_caller]
fn run(folder: &Path, args: &[&str]) -> String {
    let ended = Program::start_of(Path::new(ORCHARD), args[0], folder, args).wait(SOON);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    ended.said
}
