//! `perf budget`, and who uses what it wrote: `plan`, and `ingest` for runs that it begins.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tick_sdk::names::RunId;

use crate::measured::{Running, SOON, broker, two_nodes};
use crate::program::Folder;
use crate::waiting::wait_until;

const FILE: &str = ".orchard/budget.json";

/// A folder in which `orchard` runs, which lies beside `perf` when the whole workspace is built.
fn orchard_folder() -> Folder {
    let orchard = Path::new(crate::PROGRAM).with_file_name("orchard");
    assert!(orchard.exists(), "build it first: cargo build --features full");
    Folder::running(&orchard)
}

/// Runs `perf` in this folder and expects success; gives its standard output.
fn perf(folder: &Folder, args: &[&str]) -> String {
    let output = Command::new(crate::PROGRAM).args(args).current_dir(folder.path()).output();
    let output = output.expect("the program starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What the first node of a cluster is given in a plan, and what was said about it.
fn planned(folder: &Folder, more: &[&str]) -> (Value, String) {
    let plan = ["plan", "--ticks-per-second", "1M", "--json"];
    let ran = folder.run(&[&plan[..], more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let plan: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    (plan["layouts"][0]["by_node"][0]["budget"].clone(), ran.stderr)
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_measured_budget_is_used_in_its_folder() {
    let folder = orchard_folder();
    let broker = broker();
    assert_eq!(planned(&folder, &[]), (30_000.into(), String::new()));

    let out = folder.path().join(FILE);
    let measure = ["budget", "--broker", &broker, "--rate", "1K..2K", "--duration", "1s", "--quiet"];
    let out = ["--knee", "10s", "--out", out.to_str().expect("UTF-8")];
    let text = perf(&folder, &[&measure[..], &out].concat());
    let written: Value = serde_json::from_slice(&folder.read(FILE)).expect("JSON");
    // A machine that is busy with something else may carry less than the end of the ramp.
    let carried = written["carried"][0].as_u64().expect("messages a second");
    assert!((1_000..=2_000).contains(&carried), "{written}");
    assert_eq!(written["budget"], carried.to_string());
    assert!(text.starts_with("1 node: ") && text.contains(&format!("\nbudget {carried}, in ")), "{text}");

    let (budget, said) = planned(&folder, &[]);
    assert_eq!(budget, carried);
    let shown = format!("budget {carried}, measured ");
    assert!(said.starts_with(&shown) && said.contains(FILE), "{said}");
    let (budget, said) = planned(&folder, &["--budget", "30000,15000"]);
    assert_eq!((budget, said), (30_000.into(), String::new()));

    let feed = format!("t{}", RunId::random());
    let ingest = ["ingest", "--feed", &feed, "--strategies", "apple", "--broker", &broker, "--detach"];
    let ran = folder.run(&[&ingest[..], &["--ticks", "1K"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.starts_with(&shown), "{}", ran.stderr);
    assert_eq!(run_record(&folder, &format!(".orchard/{feed}"))["budget"], carried.to_string());

    folder.write(FILE, "{\"budget\": \"2000\"}");
    folder.fails(1, &["plan", "--ticks-per-second", "1M"], &[FILE, "perf budget"]);
    folder.fails(1, &[&ingest[..], &["--ticks", "1K", "--new"]].concat(), &[FILE, "perf budget"]);
    assert_eq!(planned(&folder, &["--budget", "30000"]).0, 30_000, "a named one needs no file");
}

/// What an ingester has written down; nothing while it has not.
fn run_record(folder: &Folder, state: &str) -> Value {
    let text = std::fs::read(folder.path().join(state).join("run")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_run_keeps_the_budget_that_placed_its_shards() {
    let (_turn, servers) = two_nodes();
    let folder = orchard_folder();
    let measured = |budget: &str| {
        std::fs::create_dir_all(folder.path().join(".orchard")).expect("there is room");
        let file = format!("{{\"budget\":\"{budget}\",\"carried\":[],\"at\":\"then\",\"machine\":\"this\"}}");
        folder.write(FILE, file);
    };
    let (first, second) = (servers.url("AMQP_1"), servers.url("AMQP_2"));
    let ingest = ["ingest", "--feed", "kept", "--strategies", "apple", "--broker", first, "--broker", second];
    let rest = ["--shards", "3", "--state", "s", "--ticks", "5K", "--detach"];
    let base = [&ingest[..], &rest].concat();
    measured("30000,15000");
    let running = Running::start(&folder, &[&base[..], &["--rate", "1000"]].concat());
    let has_begun = |record: &Value| {
        let shards = record["shards"].as_array().into_iter().flatten();
        shards.filter_map(|shard| shard["position"].as_u64()).sum::<u64>() > 0
    };
    wait_until("some of it is confirmed", SOON, || has_begun(&run_record(&folder, "s")));
    drop(running);
    let record = run_record(&folder, "s");
    assert_eq!(record["budget"], "30000,15000");
    let run = record["run"].as_str().expect("an id");

    let resume = |more: &[&'static str]| [&base[..], &["--resume", run], more].concat();
    let refused = ["begun with --budget 30000,15000", "with 15000,30000 its shards would change brokers"];
    let refused = [&refused[..], &[run, "leave --budget out"]].concat();
    folder.fails(1, &resume(&["--budget", "15000,30000"]), &refused);
    assert_eq!(run_record(&folder, "s"), record, "nothing has changed");

    // What was measured since concerns other runs.
    measured("15000,30000");
    let ran = folder.run(&resume(&[]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("measured"), "{}", ran.stderr);
    assert_eq!(run_record(&folder, "s")["budget"], "30000,15000");
    // Twice as fast leaves every shard where it is.
    let ran = folder.run(&resume(&["--budget", "60000,30000"]));
    assert_eq!(
        (ran.code, &run_record(&folder, "s")["budget"]),
        (Some(0), &"60000,30000".into()),
        "{}",
        ran.stderr
    );
}
