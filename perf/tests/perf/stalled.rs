//! A broker that stands still for a second. Every tick that was due in that time is late, and counts
//! as late: a load that waits for its broker would count one (coordinated omission).
//! With a long linger most of them are not even handed over to the publisher before it goes on.

use std::time::{Duration, Instant};

use perf::outcome::Outcome;

use crate::measured::{Running, expect_about, histograms, stage, two_nodes};
use crate::program::Folder;
use crate::waiting::pause;

const RATE: f64 = 1_000.0;
const LATE: Duration = Duration::from_millis(100);

#[test]
#[ignore = "needs servers: run scripts/test"]
fn every_tick_that_was_due_while_the_broker_stood_still_is_late() {
    let (_turn, servers) = two_nodes();
    let folder = Folder::new();
    let load = ["--rate", "1K", "--duration", "5s", "--warm-up", "1s", "--state", "memory", "--linger", "3s"];
    let outputs = ["--hdr", "stalled.hdr", "--json"];
    let to = ["broker", "--broker", servers.url("AMQP_1")];
    let running = Running::start(&folder, &[&to[..], &load, &outputs].concat());
    running.wait_for_a_second(&folder);
    servers.act("pause", &["1"]);
    let stopped = Instant::now();
    pause(Duration::from_secs(1));
    let still = stopped.elapsed();
    servers.act("continue", &["1"]);
    let (code, json) = running.end();
    assert_eq!(code, Some(0), "{}", String::from_utf8_lossy(&folder.read("said")));

    let outcome: Outcome = serde_json::from_str(&json).expect("an outcome");
    let step = &outcome.steps[0];
    expect_about("sent, though nobody took it", step.totals.sent as f64, 5.0 * RATE);
    let signal = stage(step, "signal");
    assert!(u128::from(signal.max) >= still.as_nanos() * 9 / 10, "{still:?}: {signal:?}");
    let log = histograms(&folder.read("stalled.hdr"));
    let signals = log.iter().filter(|(stage, _)| stage == "signal").map(|(_, histogram)| histogram);
    let late: u64 = signals.map(|histogram| histogram.count_between(LATE.as_nanos() as u64, u64::MAX)).sum();
    let due = RATE * (still - LATE).as_secs_f64();
    assert!(late as f64 >= 0.85 * due, "{late} of {due} ticks were late, still for {still:?}");
    // A sixth of all ticks.
    assert!(signal.p90 >= LATE.as_nanos() as u64, "{signal:?}");
}
