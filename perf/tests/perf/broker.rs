//! The whole pipeline over a broker: open loop, full speed, and a ramp.

use crate::measured::{broker, expect_about, measure, two_nodes};
use crate::program::Folder;

const STAGES: [&str; 5] = ["sent", "confirmed", "delivered", "signal", "committed"];

#[test]
#[ignore = "needs servers: run scripts/test"]
fn an_offered_rate_passes_every_stage_and_leaves_nothing_behind() {
    let (folder, url) = (Folder::new(), broker());
    let load = ["--rate", "5K", "--duration", "2s", "--warm-up", "1s", "--budget", "1000"];
    let measured = measure(&folder, &[&["broker", "--broker", &url], &load[..]].concat());
    let step = measured.step();
    assert_eq!(step.offered, Some(5_000.0));
    assert_eq!(measured.stages(), STAGES);
    // A machine that is busy ends it later.
    let due = 5_000.0 * step.seconds;
    for stage in &step.stages {
        expect_about(&stage.name, stage.count as f64, due);
    }
    expect_about("sent in time", step.totals.sent as f64, due);
    // A tick may be in a strategy before its confirm has come back.
    for (before, after) in
        [("sent", "confirmed"), ("sent", "delivered"), ("delivered", "signal"), ("signal", "committed")]
    {
        let (before, after) = (measured.stage(before), measured.stage(after));
        assert!(before.p50 <= after.p50, "{before:?} {after:?}");
    }
    // One tick a message would be five times the budget. A second may have 10 ms of it on top.
    let budgets: Vec<f64> = step.series.iter().filter_map(|second| second.budget).collect();
    assert_eq!(budgets.len(), step.series.len());
    assert!(budgets.iter().all(|budget| *budget <= 1.05), "{budgets:?}");
    // A machine that is slow gathers more ticks for each message, and uses less of it.
    assert!(budgets.iter().any(|budget| *budget > 0.0), "{budgets:?}");
    assert!(step.series.iter().any(|second| second.warm_up));
    assert_eq!(measured.left_behind(), [""; 0]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn circumstances_are_shown_without_a_password() {
    let (folder, url) = (Folder::new(), broker());
    let args = [
        "broker",
        "--broker",
        &url,
        "--ticks",
        "1K",
        "--strategies",
        "apple,pear",
        "--durability",
        "replicated",
    ];
    let measured = measure(&folder, &args);
    let environment = &measured.outcome.environment;
    let shown = url.replacen(":guest@", "@", 1);
    assert_ne!(shown, url, "there is a password to hide");
    assert_eq!(
        environment.command,
        format!(
            "perf broker --broker {shown} --ticks 1K --strategies apple,pear --durability replicated --json --quiet"
        )
    );
    assert!(!measured.json.contains(":guest@"), "{}", measured.json);
    for server in ["RabbitMQ", "PostgreSQL"] {
        assert!(environment.versions[server].starts_with(|first: char| first.is_ascii_digit()), "{server}");
    }
    assert!(environment.versions.contains_key("orchard") && environment.versions.contains_key("rustc"));
    assert_eq!(environment.profile, "debug");
    assert!(environment.warnings.iter().any(|warning| warning.contains("debug build")));
    for (name, value) in [
        ("rate", "max"),
        ("ticks", "1000"),
        ("strategies", "apple,pear"),
        ("shards", "1"),
        ("nodes", "1"),
        ("budget", "30000,15000"),
        ("durability", "replicated"),
        ("ledger", "PostgreSQL"),
        ("input", "generated"),
    ] {
        assert_eq!(measured.outcome.settings[name], value, "{name}");
    }
    assert_eq!(measured.outcome.workload, "broker");
    assert_eq!(measured.left_behind(), [""; 0]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn at_full_speed_every_tick_is_committed_by_every_strategy() {
    let folder = Folder::new();
    let spread = ["--strategies", "2", "--shards", "2", "--instances", "2", "--producers", "2"];
    let measured = measure(&folder, &[&["broker", "--ticks", "200K"], &spread[..]].concat());
    let totals = &measured.step().totals;
    // A generated market ends with whole events: one tick more for each producer.
    assert!((200_000..=200_002).contains(&totals.sent), "{totals:?}");
    assert_eq!((totals.confirmed, totals.consumed), (totals.sent, 2 * totals.sent));
    assert_eq!(totals.committed, 2 * totals.sent);
    assert_eq!(measured.step().unsampled, 0);
    assert_eq!(measured.stage("sent").count, totals.sent);
    assert_eq!(measured.stage("committed").count, totals.committed);
    assert_eq!(measured.left_behind(), [""; 0]);
}

const RAMP: [&str; 7] = ["--rate", "2k..8k", "x2", "--duration", "1s", "--warm-up", "500ms"];

#[test]
fn a_ramp_that_is_carried_goes_to_its_end() {
    let folder = Folder::new();
    let measured =
        measure(&folder, &[&["embedded", "--knee", "10s", "--state", "memory"], &RAMP[..]].concat());
    let offered: Vec<_> = measured.outcome.steps.iter().map(|step| step.offered).collect();
    let knee = measured.outcome.knee.expect("rates were varied");
    assert_eq!(offered[0], Some(2_000.0));
    // A machine that is busy with something else may carry less than the end of the ramp.
    assert!((2_000.0..=8_000.0).contains(&knee.carried), "{knee:?}");
    if knee.refused.is_none() {
        assert_eq!((offered, knee.carried), ([2_000.0, 4_000.0, 8_000.0].map(Some).to_vec(), 8_000.0));
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_ramp_of_which_nothing_is_carried_ends_at_once() {
    let folder = Folder::new();
    let measured = measure(&folder, &[&["broker", "--knee", "1ns"], &RAMP[..]].concat());
    assert_eq!(measured.step().offered, Some(2_000.0));
    let knee = measured.outcome.knee.expect("rates were varied");
    assert_eq!((knee.carried, knee.refused), (0.0, Some(2_000.0)));
    assert_eq!(measured.left_behind(), [""; 0]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn shards_on_two_nodes_come_through_whole() {
    let (_turn, servers) = two_nodes();
    let folder = Folder::new();
    let (first, second) = (servers.url("AMQP_1"), servers.url("AMQP_2"));
    let load = ["--ticks", "50K", "--shards", "2", "--state", "memory"];
    let measured =
        measure(&folder, &[&["broker", "--broker", first, "--broker", second], &load[..]].concat());
    let totals = measured.step().totals;
    assert!((50_000..=50_001).contains(&totals.sent), "{totals:?}");
    assert_eq!((totals.consumed, totals.committed), (totals.sent, totals.sent));
}
