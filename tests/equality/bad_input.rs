//! Wrong options, logins and files: each ends the program within a time, with an error that says what to do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::case::{Case, STARTS};
use crate::database;
use crate::program::Program;
use crate::proxy::address_of;
use crate::servers::Turn;
use crate::waiting::wait_until;

/// Such an error is found within this time: a broker that is away is tried again for a while.
const FOUND: Duration = Duration::from_secs(60);

/// Runs it; it must fail with exit code 1 or 2 and say each of `said`.
#[track_caller]
fn fails<A: AsRef<str>>(folder: &Path, args: &[A], said: &[&str]) {
    let ended = Program::run(folder, args, FOUND);
    assert!(matches!(ended.code, Some(1 | 2)), "{:?}: {}", ended.code, ended.said);
    for text in said {
        assert!(ended.said.contains(text), "it does not say '{text}': {}", ended.said);
    }
}

/// A command line with one option's value changed, or with the option added.
fn with(args: &[String], option: &str, value: &str) -> Vec<String> {
    let mut args = args.to_vec();
    match args.iter().position(|arg| arg == option) {
        Some(place) => args[place + 1] = value.to_owned(),
        None => args.extend([option.to_owned(), value.to_owned()]),
    }
    args
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_broker_that_is_none_or_refuses() {
    let turn = Turn::wait();
    let case = Case::new(turn.servers(), "bad-broker", "memory");
    let good = case.brokers[0].clone();
    // It was free a moment ago.
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let wrong = [
        ("http://guest:guest@localhost".to_owned(), "is not a valid broker URL"),
        (good.replace(address_of(&good), &nobody.to_string()), "cannot be reached"),
        (good.replace("guest:guest", "guest:wrong"), "refuses the login"),
        (good.replace("%2f", "orchard-that-is-not-there"), "has no vhost 'orchard-that-is-not-there'"),
    ];
    for (url, said) in &wrong {
        fails(case.folder(), &with(&case.ingest_args(), "--broker", url), &[said]);
        fails(case.folder(), &with(&case.instance_args("apple", &[]), "--broker", url), &[said]);
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_queue_with_other_arguments() {
    let turn = Turn::wait();
    let case = Case::new(turn.servers(), "other-queue", "memory");
    case.management().declare_queue(&case.queue("apple", 2));
    let said =
        [case.queue("apple", 2), "made with other arguments: use another feed name, or delete it".to_owned()];
    fails(case.folder(), &case.ingest_args(), &said.each_ref().map(String::as_str));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_ledger_of_another_version() {
    let turn = Turn::wait();
    let case = Case::start(&turn, turn.servers(), "other-ledger", "memory");
    let disturber = case.disturber();
    case.wait_committed(&disturber, 0.01);
    database::execute(&case.ledger, "UPDATE orchard.ledger SET version = 99");
    let said = ["has schema 99", "and this program reads"];
    fails(case.folder(), &case.instance_args("apple", &[]), &said);

    let folder = case.folder().join("ledger");
    drop(strategy_host::ledger::open(folder.to_str().expect("UTF-8")).expect("a new one"));
    let connection = rusqlite::Connection::open(folder.join("ledger.sqlite")).expect("the ledger");
    connection.pragma_update(None, "user_version", 99).expect("it is changed");
    fails(case.folder(), &with(&case.instance_args("apple", &[]), "--state", "ledger"), &said);
}

/// Lets the case play a small copy of its source at leisure; gives the file.
fn play_a_copy(case: &mut Case<'_>) -> PathBuf {
    let mut sources = case.input.args.iter().filter(|arg| arg.ends_with(".ticks") || arg.ends_with(".zst"));
    let source = sources.next_back().expect("a source").clone();
    let path = case.folder().join("copy.csv");
    let copy = path.to_str().expect("UTF-8").to_owned();
    let converted = ["convert", &source, &copy, "--to", "2024-08-08T23:54:30Z"];
    assert_eq!(Program::run(case.folder(), &converted, STARTS).code, Some(0));
    case.sources = Some(vec![copy]);
    case.pace = ["--rate", "100"].map(str::to_owned).into();
    path
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_late_strategy_whose_source_is_gone() {
    let turn = Turn::wait();
    let mut case = Case::new(turn.servers(), "late-without-source", "memory");
    let copy = play_a_copy(&mut case);
    case.start_all();
    let disturber = case.disturber();
    case.wait_committed(&disturber, 0.0001);
    std::fs::remove_file(copy).expect("it is removed");
    let late = with(&case.instance_args("apple", &[]), "--as", "late");
    fails(
        case.folder(),
        &late,
        &["refuses strategy late: it cannot be caught up", "copy.csv", "put them back"],
    );
    let before = disturber.committed();
    wait_until("the others go on", STARTS, || disturber.committed() > before);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn another_run_than_the_one_to_resume() {
    let turn = Turn::wait();
    let mut case = Case::new(turn.servers(), "other-run", "memory");
    let copy = play_a_copy(&mut case);
    case.start_ingester();
    // By then it has written down which run it is.
    case.ingester.as_mut().expect("it runs").wait_for_line("ticks/s", STARTS);
    case.ingester = None;

    let resume = with(&case.ingest_args(), "--resume", &case.run().to_string());
    for (option, value, said) in [
        ("--shards", "8", "--shards was 4, and is now 8"),
        ("--symbols", "X", "--symbols was empty, and is now X"),
        ("--loop", "3", "--loop was 1, and is now 3"),
        ("--from", "2024-08-08T23:54:20Z", "--from was none, and is now 17"),
        ("--reorder", "1s", "--reorder was 0 ns, and is now 1000000000 ns"),
        ("--prefix", "Z.", "--prefix 1 was absent, and is now Z."),
        ("--resume", "00000000000000000000000000000000", "00000000000000000000000000000000"),
    ] {
        fails(case.folder(), &with(&resume, option, value), &[said]);
    }
    let text = std::fs::read_to_string(&copy).expect("the copy");
    std::fs::write(&copy, text.replacen("trade", "Trade", 1)).expect("it is changed");
    fails(case.folder(), &resume, &["source 1 was copy.csv, ", "and is now copy.csv, "]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_strategy_with_other_parameters_than_its_state() {
    let turn = Turn::wait();
    let mut case = Case::start(&turn, turn.servers(), "other-parameters", "memory");
    let disturber = case.disturber();
    // Of a strategy that has acknowledged nothing yet, another ledger would miss nothing.
    let some = case.input.ticks / 100;
    wait_until("apple has committed", STARTS, || disturber.committed_by("apple") > some);
    case.instances.clear();
    let args = case.instance_args("apple=apple:fast=3", &[]);
    fails(case.folder(), &args, &["was recorded with parameters fast=12,slow=26", "fast=3", "NAME=apple:"]);
    // Another ledger would begin from nothing, and what this one holds would not be known.
    let other = with(&case.instance_args("apple", &[]), "--state", "other");
    fails(case.folder(), &other, &["ledger"]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn two_ingesters_of_one_feed() {
    let turn = Turn::wait();
    let mut case = Case::new(turn.servers(), "two-ingesters", "memory");
    // It is not to end before the others have failed.
    case.pace = ["--rate", "5000"].map(str::to_owned).into();
    case.start_all();
    let disturber = case.disturber();
    case.wait_committed(&disturber, 0.01);
    let again = with(&case.ingest_args(), "--resume", &case.run().to_string());
    let mut again = Program::start("ingest, resumed", case.folder(), &again);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let mut new = Program::start("ingest, elsewhere", elsewhere.path(), &case.ingest_args());
    // In the same folder the lock is in the way, elsewhere the feed's owner.
    for (second, reason) in
        [(&mut again, "is in use by another ingester"), (&mut new, "has an ingester already")]
    {
        let ended = second.wait(FOUND);
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        assert!(ended.said.contains(reason), "{}", ended.said);
    }
    let before = disturber.committed();
    wait_until("the first goes on", STARTS, || disturber.committed() > before);
    assert!(case.ingester_is_running());
}
