//! What a measurement came to: what `--json` writes, and what the page and `compare` read.
//!
//! Times are nanoseconds, rates are per second, sizes are bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The form of this file.
pub const SCHEMA: u32 = 1;

/// One measurement: the circumstances, and a step for each offered rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What was measured: `broker`, `embedded`, …
    pub workload: String,
    /// Where, by what, and what was wrong with the circumstances.
    pub environment: Environment,
    /// Every option that decides what was done, as text by its name.
    pub settings: BTreeMap<String, String>,
    /// In the order of measuring; one where the rate was not varied.
    pub steps: Vec<Step>,
    /// Where rates were varied: the highest one that was carried.
    pub knee: Option<Knee>,
}

/// Machine and programs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// The exact command.
    pub command: String,
    /// When it began, RFC 3339, UTC.
    pub at: String,
    /// The processor's name.
    pub processor: String,
    /// How many of them may be used.
    pub cores: usize,
    /// The machine's memory.
    pub memory_bytes: u64,
    /// The system's kernel.
    pub kernel: String,
    /// Names and versions: orchard, rustc, RabbitMQ, the ledger's server.
    pub versions: BTreeMap<String, String>,
    /// `release` or `debug`.
    pub profile: String,
    /// Share of all cores that others used just before, 0 to 1.
    pub busy: f64,
    /// What makes the figures doubtful.
    pub warnings: Vec<String>,
}

/// One offered rate, or full speed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Which of several it is, where they differ by more than the rate; else empty.
    pub name: String,
    /// Ticks/s that were due; `None` for full speed.
    pub offered: Option<f64>,
    /// How long it was measured, without warm-up.
    pub seconds: f64,
    /// What went through in that time.
    pub totals: Totals,
    /// In the order in which a tick passes them.
    pub stages: Vec<Stage>,
    /// The whole time, warm-up included.
    pub series: Vec<Second>,
    /// Share of the cores' time that measuring itself took, 0 to 1.
    pub overhead: f64,
    /// Time that this process's threads took of the cores, in s; brokers and servers not included.
    pub cpu_seconds: f64,
    /// Frames whose ticks are in no stage, as too many were in flight.
    pub unsampled: u64,
    /// How the process and the broker changed from the first to the last quarter of the time.
    pub drift: Option<Drift>,
}

/// Sums of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Ticks written to the broker, or handed to hosts.
    pub sent: u64,
    /// Ticks that brokers have confirmed.
    pub confirmed: u64,
    /// Ticks that went through a strategy, summed over strategies.
    pub consumed: u64,
    /// Ticks whose effect is committed, summed over strategies.
    pub committed: u64,
    /// Messages, one for each queue that a frame reaches.
    pub messages: u64,
    /// Bytes of ticks that were sent, or of bodies.
    pub bytes: u64,
    /// The rate that counts: ticks/s into each strategy until committed; or, without one, as far as
    /// the workload goes. 0 where there are no ticks.
    pub ticks_per_s: f64,
    /// Messages/s.
    pub messages_per_s: f64,
    /// Bytes/s.
    pub bytes_per_s: f64,
}

/// From the time when a tick was due to one stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// `sent`, `confirmed`, `delivered`, `signal`, `committed`.
    pub name: String,
    /// How many ticks.
    pub count: u64,
    /// The least.
    pub min: u64,
    /// Half of them.
    pub p50: u64,
    /// Nine of ten.
    pub p90: u64,
    /// 99 of 100.
    pub p99: u64,
    /// 999 of 1,000.
    pub p999: u64,
    /// 9,999 of 10,000.
    pub p9999: u64,
    /// The most.
    pub max: u64,
    /// The whole curve, as (percentile from 0 to 100, time).
    pub curve: Vec<(f64, u64)>,
}

/// One second of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Its end, in seconds since the step began.
    pub at: f64,
    /// Whether it is warm-up, and in no sum.
    pub warm_up: bool,
    /// Ticks/s sent.
    pub sent: f64,
    /// Ticks/s confirmed.
    pub confirmed: f64,
    /// Ticks/s through strategies, summed over strategies.
    pub consumed: f64,
    /// Ticks/s committed, summed over strategies.
    pub committed: f64,
    /// Messages/s.
    pub messages: f64,
    /// Share of the message budget, 0 to 1 and, while resending, above; `None` without a budget.
    pub budget: Option<f64>,
    /// From due to signal, median of this second's; `None` where there was nothing.
    pub p50: Option<u64>,
    /// From due to signal, 99 of 100 of this second's.
    pub p99: Option<u64>,
    /// Share of the second for which a broker took nothing, 0 to 1.
    pub blocked: f64,
    /// Memory of all brokers, where they say.
    pub broker_memory: Option<u64>,
    /// Messages that are in brokers' queues, where they say.
    pub queued: Option<u64>,
    /// This process's anonymous memory.
    pub memory: u64,
    /// This process's open files.
    pub files: u64,
}

/// Means of the first and of the last quarter of a step, warm-up left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// This process's anonymous memory.
    pub memory: (f64, f64),
    /// Its open files.
    pub files: (f64, f64),
    /// Brokers' memory.
    pub broker_memory: Option<(f64, f64)>,
    /// Messages in brokers' queues.
    pub queued: Option<(f64, f64)>,
    /// Median of the seconds' p50.
    pub p50: (f64, f64),
    /// Median of the seconds' p99.
    pub p99: (f64, f64),
}

/// Where latency leaves the ground.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Knee {
    /// The highest offered rate that was carried within the limit, ticks/s.
    pub carried: f64,
    /// Its p99 from due to signal.
    pub p99: u64,
    /// The lowest one that was not, if any was tried.
    pub refused: Option<f64>,
}
