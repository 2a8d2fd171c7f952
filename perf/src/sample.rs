//! An outcome such as a sweep over a broker gives, for tests and for looking at.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::outcome::{Drift, Environment, Knee, Outcome, SCHEMA, Second, Stage, Step, Totals};

/// Where the sample's broker is full, ticks/s.
const CAPACITY: f64 = 3.1e6;
const STRATEGIES: f64 = 2.0;
const WARM_UP: usize = 5;
const MEASURED: usize = 30;

/// Six offered rates and full speed, 30 s each after 5 s of warm-up; the last two are too much.
pub(crate) fn sweep() -> Outcome {
    let rates = [250e3, 500e3, 1e6, 2e6, 3e6, 4e6].map(Some);
    let mut random = Random(88_172_645_463_325_252);
    let steps: Vec<Step> = rates.into_iter().chain([None]).map(|rate| step(rate, &mut random)).collect();
    let knee = Knee { carried: 3e6, p99: steps[4].stages[3].p99, refused: Some(4e6) };
    Outcome { steps, knee: Some(knee), ..circumstances() }
}

/// One step alone: 2 million ticks/s.
pub(crate) fn single() -> Outcome {
    Outcome { steps: vec![step(Some(2e6), &mut Random(7))], knee: None, ..circumstances() }
}

fn circumstances() -> Outcome {
    let names = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    };
    Outcome {
        schema: SCHEMA,
        workload: "broker".to_owned(),
        environment: Environment {
            command: "perf broker --broker amqp://localhost --strategies apple,pear --rates \
                      250k,500k,1M,2M,3M,4M,max --seconds 30 --warm-up 5 --json result.json --page result.html"
                .to_owned(),
            at: "2026-11-23T12:40:07Z".to_owned(),
            processor: "AMD EPYC 9B14".to_owned(),
            cores: 2,
            memory_bytes: 24 << 30,
            kernel: "Linux 6.1.0-28-amd64".to_owned(),
            versions: names(&[("orchard", "0.1.0"), ("rustc", "1.95.0"), ("RabbitMQ", "3.10.8")]),
            profile: "release".to_owned(),
            busy: 0.14,
            warnings: vec!["Others used 14 % of the cores just before: stop them and measure again.".to_owned()],
        },
        settings: names(&[
            ("broker", "amqp://localhost"),
            ("strategies", "apple, pear"),
            ("rates", "250k, 500k, 1M, 2M, 3M, 4M, max"),
            ("seconds", "30"),
            ("warm-up", "5"),
            ("frame-ticks", "4096"),
            ("instruments", "64"),
            ("limit", "p99 50 ms"),
        ]),
        ..Outcome::default()
    }
}

fn step(offered: Option<f64>, random: &mut Random) -> Step {
    let due = offered.unwrap_or(3.6e6);
    let rate = due.min(CAPACITY);
    let late = due > CAPACITY;
    let load = rate / CAPACITY;
    let stages: Vec<_> =
        [("sent", 0.06), ("confirmed", 0.7), ("delivered", 0.9), ("signal", 1.0), ("committed", 2.2)]
            .into_iter()
            .map(|(name, share)| stage(name, 1.2e6 * share / (1.03 - load), late, random))
            .collect();
    let series: Vec<_> = (0..WARM_UP + MEASURED).map(|i| second(i, rate, late, &stages[3], random)).collect();
    let ticks = |rate: f64| (rate * MEASURED as f64) as u64;
    let (first, last) = (&series[WARM_UP + 3], &series[WARM_UP + MEASURED - 3]);
    let pair = |of: fn(&Second) -> f64| (of(first), of(last));
    Step {
        name: String::new(),
        unsampled: 0,
        cpu_seconds: 0.0,
        offered,
        seconds: MEASURED as f64,
        totals: Totals {
            sent: ticks(rate),
            confirmed: ticks(rate * 0.9995),
            consumed: ticks(rate * STRATEGIES * 0.999),
            committed: ticks(rate * STRATEGIES * 0.998),
            messages: ticks(rate / 4096.0 * STRATEGIES),
            bytes: ticks(rate * 40.0),
            ticks_per_s: rate * 0.998,
            messages_per_s: rate / 4096.0 * STRATEGIES,
            bytes_per_s: rate * 40.0,
        },
        drift: Some(Drift {
            memory: pair(|at| at.memory as f64),
            files: pair(|at| at.files as f64),
            broker_memory: Some(pair(|at| at.broker_memory.unwrap_or(0) as f64)),
            queued: Some(pair(|at| at.queued.unwrap_or(0) as f64)),
            p50: pair(|at| at.p50.unwrap_or(0) as f64),
            p99: pair(|at| at.p99.unwrap_or(0) as f64),
        }),
        overhead: 0.012 + 0.01 * load,
        stages,
        series,
    }
}

/// A body around `middle` and one tick in some hundreds far above it.
fn stage(name: &str, middle: f64, late: bool, random: &mut Random) -> Stage {
    let mut times = Histogram::<u64>::new(3).unwrap();
    for i in 0..20_000 {
        let body = middle * (0.45 * random.normal()).exp();
        let tail = if random.uniform() < 0.004 { middle * 6.0 / (random.uniform() + 0.04) } else { 0.0 };
        // What is not carried waits the longer the more has been offered.
        let backlog = if late { f64::from(i) * 400_000.0 } else { 0.0 };
        times.record_n((body + tail + backlog) as u64, 25).unwrap();
    }
    let at = |q: f64| times.value_at_quantile(q);
    Stage {
        name: name.to_owned(),
        count: times.len(),
        min: times.min(),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        p9999: at(0.9999),
        max: times.max(),
        curve: times
            .iter_quantiles(10)
            .map(|point| (point.quantile_iterated_to() * 100.0, point.value_iterated_to()))
            .collect(),
    }
}

fn second(i: usize, rate: f64, late: bool, signal: &Stage, random: &mut Random) -> Second {
    let measured = i >= WARM_UP;
    let start = (0.4 + 0.2 * i as f64).min(1.0);
    let blocked = if late && i % 9 == 7 { 0.35 } else { 0.0 };
    let mut near = |value: f64, by: f64| value * (1.0 + by * random.normal());
    let sent = near(rate * start * (1.0 - blocked), 0.015);
    let behind = if measured { 1.0 } else { 0.9 };
    let memory = near(186e6 + 0.25e6 * i as f64, 0.004);
    Second {
        at: (i + 1) as f64,
        warm_up: !measured,
        sent,
        confirmed: near(sent * behind, 0.006),
        consumed: near(sent * STRATEGIES * behind, 0.008),
        committed: near(sent * STRATEGIES * behind, 0.012),
        messages: sent / 4096.0 * STRATEGIES,
        budget: Some((sent / 4096.0 / 700.0).min(1.08)),
        p50: (i > 0).then(|| near(signal.p50 as f64, 0.05) as u64),
        p99: (i > 0).then(|| near(signal.p99 as f64 * (2.0 - start), 0.12) as u64),
        blocked,
        broker_memory: Some(near(152e6 + if late { 9e6 * i as f64 } else { 0.0 }, 0.02) as u64),
        queued: Some(near(if late { 900.0 * i as f64 } else { 14.0 }, 0.2) as u64),
        memory: memory as u64,
        files: 37,
    }
}

/// Xorshift: the sample is the same each time.
struct Random(u64);

impl Random {
    /// From 0 to 1.
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Close to a normal distribution.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}
