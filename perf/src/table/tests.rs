use super::*;
use crate::outcome::{Environment, Knee, Totals};

fn stage(name: &str, ns: u64) -> Stage {
    Stage {
        name: name.to_owned(),
        count: 10_000,
        min: ns,
        p50: 2 * ns,
        p90: 3 * ns,
        p99: 4 * ns,
        p999: 5 * ns,
        p9999: 6 * ns,
        max: 7 * ns,
        curve: Vec::new(),
    }
}

/// `rate` ticks/s for two seconds, two strategies, ten ticks a frame.
fn step(rate: f64) -> Step {
    let sent = (2.0 * rate) as u64;
    Step {
        offered: Some(rate),
        seconds: 2.0,
        totals: Totals {
            sent,
            confirmed: sent,
            consumed: 2 * sent,
            committed: 2 * sent,
            messages: sent / 5,
            bytes: 40 * sent,
            ticks_per_s: rate,
            messages_per_s: rate / 5.0,
            bytes_per_s: 40.0 * rate,
        },
        stages: vec![stage("sent", 500), stage("signal", 1_200), stage("committed", 10_000_000)],
        overhead: 0.0125,
        ..Step::default()
    }
}

fn outcome(steps: Vec<Step>, knee: Option<Knee>) -> Outcome {
    let environment = Environment {
        command: "perf broker".to_owned(),
        at: "2026-11-23T12:00:00Z".to_owned(),
        processor: "a processor".to_owned(),
        cores: 2,
        memory_bytes: 24_000_000_000,
        kernel: "6.1".to_owned(),
        versions: [("RabbitMQ".to_owned(), "3.10.8".to_owned())].into(),
        profile: "debug".to_owned(),
        warnings: vec!["a debug build".to_owned()],
        ..Environment::default()
    };
    Outcome { environment, steps, knee, ..Outcome::default() }
}

const HEAD: &str = "\
perf broker, 2026-11-23T12:00:00Z
2 × a processor, 24.0 GB, Linux 6.1
RabbitMQ 3.10.8; debug build
warning: a debug build
";

#[test]
fn one_step_is_told_by_its_sums_and_its_stages() {
    let expected = "
5.00 k ticks/s, 1.00 k messages/s, 200 kB/s in 2.00 s
10.0 ticks a frame
measuring took 1.25 % of the cores' time

from due to   ticks      min      p50      p90      p99    p99.9   p99.99      max
sent         10.0 k   500 ns  1.00 µs  1.50 µs  2.00 µs  2.50 µs  3.00 µs  3.50 µs
signal       10.0 k  1.20 µs  2.40 µs  3.60 µs  4.80 µs  6.00 µs  7.20 µs  8.40 µs
committed    10.0 k  10.0 ms  20.0 ms  30.0 ms  40.0 ms  50.0 ms  60.0 ms  70.0 ms
";
    assert_eq!(text(&outcome(vec![step(5e3)], None)), format!("{HEAD}{expected}"));
}

#[test]
fn a_ramp_is_told_by_a_line_a_rate_and_its_knee() {
    let knee = Knee { carried: 5e3, p99: 4_800, refused: Some(1e4) };
    let expected = "
offered  ticks/s  ns a tick  messages/s  bytes/s      p50      p99    p99.9      max
5.00 k    5.00 k       21.0      1.00 k   200 kB  2.40 µs  4.80 µs  6.00 µs  8.40 µs
10.0 k    10.0 k       10.5      2.00 k   400 kB  2.40 µs  4.80 µs  6.00 µs  8.40 µs

knee: 5.00 k ticks/s carried, p99 4.80 µs; 10.0 k ticks/s not
";
    let timed = |rate| Step { cpu_seconds: 420e-6, ..step(rate) };
    assert_eq!(text(&outcome(vec![timed(5e3), timed(1e4)], Some(knee))), format!("{HEAD}{expected}"));
}

#[test]
fn a_ramp_without_a_knee_says_why() {
    let last_line = |knee: Knee| {
        let text = text(&outcome(vec![step(5e3)], Some(knee)));
        text.lines().last().map(str::to_owned)
    };
    let all = Knee { carried: 8e3, p99: 1, refused: None };
    assert_eq!(last_line(all).as_deref(), Some("no knee: all up to 8.00 k ticks/s were carried"));
    let nothing = Knee { carried: 0.0, p99: 0, refused: Some(2e3) };
    assert_eq!(last_line(nothing).as_deref(), Some("no knee: not even 2.00 k ticks/s were carried"));
}
