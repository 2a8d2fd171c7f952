//! `orchard ingest`, as a user runs it: what it says to mistakes, and that it goes on where it was
//! stopped, whatever its ticks come from.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[allow(dead_code, reason = "shared with the tests of the other commands, which use all of it")]
#[path = "commands_files/program.rs"]
mod program;

const PROGRAM: &str = env!("CARGO_BIN_EXE_orchard");

use live::rabbitmq::{LinkPlan, LiveLink};
use live::{LiveMarket, Selection};
use program::Folder;
use tick_sdk::names::RunId;

/// What is waited for comes within this time.
const SOON: Duration = Duration::from_secs(60);

fn wait_for(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < SOON, "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn broker() -> String {
    std::env::var("ORCHARD_TEST_AMQP").expect("scripts/test sets it")
}

/// A name that no other test has.
fn feed() -> String {
    format!("t{}", RunId::random())
}

/// The id of the run that a folder of state holds, once it holds one.
fn run_of(folder: &Folder, state: &str) -> Option<String> {
    let text = std::fs::read_to_string(folder.path().join(state).join("run")).ok()?;
    let value: serde_json::Value = serde_json::from_str(&text).ok()?;
    value["run"].as_str().map(str::to_owned)
}

/// How many ticks were confirmed, as the state says.
fn confirmed(folder: &Folder, state: &str) -> u64 {
    let text = std::fs::read_to_string(folder.path().join(state).join("run")).unwrap_or_default();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let shards = value["shards"].as_array().cloned().unwrap_or_default();
    shards.iter().filter_map(|shard| shard["position"].as_u64()).sum()
}

/// A program that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The same broker by TLS, with the authority and the client's certificate.
fn broker_by_tls() -> String {
    let url = std::env::var("ORCHARD_TEST_AMQPS").expect("scripts/test sets it");
    let files = std::env::var("ORCHARD_TEST_TLS_DIR").expect("scripts/test sets it");
    format!("{url}?cacertfile={files}/ca.pem&certfile={files}/client.pem&keyfile={files}/client-key.pem")
}

/// Runs Apple on the feed and compares its signals with those of a replay of `source`.
fn expect_equal_signals(folder: &Folder, feed: &str, broker: &str, source: &str) {
    let run = ["run", "--feed", feed, "--strategy", "apple", "--broker", broker, "--state", "ledger"];
    folder.done(&[&run[..], &["--once"]].concat());
    folder.done(&["replay", source, "--strategy", "apple", "--signals", "expected.csv", "--quiet"]);
    folder.done(&["verify", "expected.csv", "--feed", feed, "--state", "ledger"]);
}

#[test]
fn mistakes_are_named() {
    let folder = Folder::new();
    let nowhere = "amqp://127.0.0.1:1";
    let base = ["ingest", "--feed", "f", "--broker", nowhere];
    let with = |more: &[&'static str]| [&base[..], more].concat();
    folder.fails(2, &with(&["--strategies", "apple,apple"]), &["names apple twice"]);
    folder.fails(2, &with(&["--strategies", "a b"]), &["not a valid strategy name"]);
    folder.fails(2, &with(&["--strategies", "a", "--queue-bytes", "0"]), &["number of bytes"]);
    folder.fails(2, &with(&["--strategies", "a", "--broker", nowhere]), &["2 --broker for --shards 1"]);
    folder.fails(2, &with(&["--strategies", "a", "--budget", "fast"]), &["not a valid budget"]);
    let run = RunId::random().to_string();
    let resume = [&base[..], &["--strategies", "a", "--resume", &run]].concat();
    folder.fails(1, &resume, &["holds no run", "--state"]);
    let wrong = ["ingest", "--feed", "f", "--strategies", "a", "--broker", "http://x"];
    folder.fails(2, &wrong, &["is not a valid broker URL", "amqp://USER"]);
}

#[test]
fn a_broker_that_is_not_there_leaves_no_run_behind() {
    let folder = Folder::new();
    let begun = Instant::now();
    let args =
        ["ingest", "--feed", "f", "--strategies", "a", "--broker", "amqp://127.0.0.1:1", "--state", "s"];
    folder.fails(1, &args, &["cannot be reached", "see whether it runs"]);
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert_eq!(run_of(&folder, "s"), None, "nothing is to be resumed");
}

#[test]
fn a_log_is_kept_until_the_feed_is_owned() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("s")).expect("a folder");
    std::fs::write(folder.path().join("s/log.ticks"), "of the run before").expect("a file");
    let broker = ["--broker", "amqp://127.0.0.1:1", "--state", "s", "--new"];
    let args = [&["ingest", "-", "--feed", "f", "--strategies", "a"][..], &broker].concat();
    folder.fails(1, &args, &["cannot be reached"]);
    assert_eq!(folder.read("s/log.ticks"), b"of the run before");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_state_folder_has_one_ingester_and_its_log_stays() {
    let folder = Folder::new();
    folder.done(&["generate", "market.csv", "--ticks", "20K", "--quiet"]);
    let (feed, broker) = (feed(), broker());
    let args = ["ingest", "-", "--feed", &feed, "--strategies", "apple", "--broker", &broker, "--state", "s"];
    let mut child = folder.command(&args).stdin(Stdio::piped()).spawn().expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    let mut running = Running(child);
    input.write_all(&folder.read("market.csv")).expect("it reads");
    wait_for(|| confirmed(&folder, "s") > 5_000);
    let pid = format!("process id {}", running.0.id());
    folder.fails(1, &[&args[..], &["--new"]].concat(), &["in use by another ingester", &pid]);
    drop(input);
    expect_equal_signals(&folder, &feed, &broker, "market.csv");
    assert!(running.0.wait().expect("it ends").success());
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_run_says_which_strategy_no_instance_runs() {
    let folder = Folder::new();
    let (feed, broker) = (feed(), broker());
    let args = ["ingest", "--ticks", "1K", "--feed", &feed, "--strategies", "aple", "--broker", &broker];
    let mut child = folder.command(&args).stderr(Stdio::piped()).spawn().expect("the program starts");
    let errors = child.stderr.take().expect("a pipe");
    let mut running = Running(child);
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(errors));
    let notice = lines.find_map(|line| line.ok().filter(|line| line.contains("no instance of aple")));
    running.0.kill().expect("it runs");
    assert!(notice.expect("it is said").contains("Is apple meant?"));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_killed_run_goes_on_with_the_same_options_only() {
    let folder = Folder::new();
    folder.done(&["generate", "market.ticks", "--ticks", "60K", "--quiet"]);
    let (feed, broker) = (feed(), broker());
    let base = ["ingest", "market.ticks", "--feed", &feed, "--strategies", "apple", "--broker", &broker];
    let state = ["--state", "s", "--shards", "2"];
    let mut slow = folder.command(&[&base[..], &state, &["--rate", "10000"]].concat());
    let mut running = Running(slow.spawn().expect("the program starts"));
    wait_for(|| confirmed(&folder, "s") > 0);
    running.0.kill().expect("it runs");
    running.0.wait().expect("it ends");
    let run = run_of(&folder, "s").expect("it is written down");

    let resumed = |more: &[&str]| -> Vec<String> {
        let args = [&base[..], more].concat();
        args.into_iter().map(str::to_owned).collect()
    };
    let fails = |args: Vec<String>, said: &[&str]| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        folder.fails(1, &args, said);
    };
    fails(resumed(&state), &["has not ended", "--resume", "--new"]);
    let other = RunId::random().to_string();
    fails(resumed(&["--state", "s", "--shards", "2", "--resume", &other]), &[&run, "--state"]);
    let three = ["--state", "s", "--shards", "3", "--resume", &run];
    fails(resumed(&three), &["--shards was 2, and is now 3"]);
    let looped = ["--state", "s", "--shards", "2", "--resume", &run, "--loop", "2"];
    fails(resumed(&looped), &["--loop was 1, and is now 2"]);
    // A folder that knows nothing of the run asks the broker, who does.
    fails(resumed(&["--state", "elsewhere", "--shards", "2"]), &[&run, "has not ended"]);

    let rest = [&base[..], &state, &["--resume", &run, "--json"]].concat();
    let finishing = folder.command(&rest).spawn().expect("the program starts");
    expect_equal_signals(&folder, &feed, &broker, "market.ticks");
    let output = finishing.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((summary["ticks"].as_u64(), summary["state"].as_str()), (Some(60_001), Some("done")));
    fails(resumed(&["--state", "s", "--shards", "2", "--resume", &run]), &["has ended"]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_feed_over_tls_has_the_same_signals() {
    let folder = Folder::new();
    folder.done(&["generate", "market.ticks", "--ticks", "300K", "--quiet"]);
    let (feed, broker) = (feed(), broker_by_tls());
    let ingest = ["ingest", "market.ticks", "--feed", &feed, "--strategies", "apple", "--broker", &broker];
    let ingesting = folder.command(&ingest).spawn().expect("the program starts");
    expect_equal_signals(&folder, &feed, &broker, "market.ticks");
    let output = ingesting.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_pipe_is_kept_and_goes_on_after_a_kill() {
    let folder = Folder::new();
    folder.done(&["generate", "market.csv", "--ticks", "40K", "--quiet"]);
    let csv = folder.read("market.csv");
    let (feed, broker) = (feed(), broker());
    let base = ["ingest", "-", "--feed", &feed, "--strategies", "apple", "--broker", &broker, "--state", "s"];
    let start = |more: &[&str]| -> (Running, std::process::ChildStdin) {
        let args = [&base[..], more].concat();
        let mut command: Command = folder.command(&args);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the program starts");
        let input = child.stdin.take().expect("a pipe");
        (Running(child), input)
    };
    let (mut running, mut input) = start(&[]);
    input.write_all(&csv[..csv.len() / 3]).expect("it reads");
    wait_for(|| confirmed(&folder, "s") > 5_000);
    running.0.kill().expect("it runs");
    running.0.wait().expect("it ends");
    drop(input);

    // The same input once more, from its beginning.
    let run = run_of(&folder, "s").expect("it is written down");
    let (mut running, mut input) = start(&["--resume", &run]);
    input.write_all(&csv).expect("it reads");
    drop(input);
    expect_equal_signals(&folder, &feed, &broker, "market.csv");
    assert!(running.0.wait().expect("it ends").success());
    folder.done(&["info", "s/log.ticks"]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
#[cfg(unix)]
fn an_interrupted_run_says_how_it_goes_on() {
    // A pipe that gives nothing, and a feed that is in the midst of it.
    for more in [&["-"][..], &["--ticks", "10M", "--rate", "1000"]] {
        let folder = Folder::new();
        let (feed, broker) = (feed(), broker());
        let args = ["ingest", "--feed", &feed, "--strategies", "apple", "--broker", &broker, "--state", "s"];
        let mut command = folder.command(&[&args[..], more].concat());
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the program starts");
        let input = child.stdin.take();
        wait_for(|| run_of(&folder, "s").is_some());
        let pid = child.id().to_string();
        let killed = Command::new("kill").args(["-INT", &pid]).status().expect("kill is there");
        assert!(killed.success());
        let output = child.wait_with_output().expect("it ends");
        drop(input);
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(130), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let run = run_of(&folder, "s").expect("it is written down");
        assert!(said.contains(&format!("--resume {run}")), "{said}");
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_gateway_of_another_process_shows_what_is_ingested() {
    let folder = Folder::new();
    let (feed, broker) = (feed(), broker());
    let market = LiveMarket::default();
    let plan = LinkPlan { follows: true, ..LinkPlan::new(vec![broker.parse().expect("a URL")]) };
    let _link = LiveLink::start(&market, plan).expect("a thread");
    let begin = ["ingest", "--ticks", "30K", "--rate", "10000", "--feed", &feed, "--strategies", "apple"];
    let args = [&begin[..], &["--broker", &broker, "--state", "s", "--detach"]].concat();
    let child = folder.command(&args).stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("it starts");
    let mut running = Running(child);
    let name = format!("feed/{feed}");
    let source = || market.sources().into_iter().find(|source| source.source == name);
    // Prices move while it is published.
    wait_for(|| source().is_some_and(|source| source.ticks > 0 && !source.has_ended));
    assert!(running.0.wait().expect("it ends").success());
    wait_for(|| source().is_some_and(|source| source.has_ended));
    let selection = Selection { source: Some(name.clone()), symbols: Vec::new() };
    let quotes = market.quotes(&selection, 0).quotes;
    let ticks = quotes.iter().map(|quote| quote.ticks).sum::<u64>();
    // The generated market ends with a whole quote, which is two ticks.
    assert!((30_000..=30_001).contains(&ticks), "{ticks}");
    assert_eq!(Some(source().expect("it is kept").run), run_of(&folder, "s"));
}
