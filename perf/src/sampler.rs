//! A look a second at what goes on, and the sums at the end.

use std::sync::Arc;
use std::time::Duration;

use crate::broker_metrics::BrokerMetrics;
use crate::environment;
use crate::live::Live;
use crate::outcome::{Drift, Second, Stage, Step, Totals};
use crate::probe::{Point, Probe, cost_of_a_note};

/// Between looks.
const EVERY: Duration = Duration::from_secs(1);

/// What the workload itself knows of its messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Messages {
    /// Sent so far, one a queue.
    pub(crate) sent: u64,
    /// That may be sent a second; `None` for no limit.
    pub(crate) budget: Option<f64>,
    /// For how long brokers took nothing.
    pub(crate) blocked: Duration,
}

/// What had happened at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// Since the step began.
    pub(crate) at: Duration,
    passed: [u64; 5],
    messages: Messages,
    /// Of the cores, taken by this process.
    cpu: Duration,
}

/// Looks at one step.
pub(crate) struct Sampler<'a> {
    probe: Arc<Probe>,
    messages: Box<dyn Fn() -> Messages + 'a>,
    metrics: &'a BrokerMetrics,
    live: &'a mut Live,
    warm_up: Duration,
    last: Mark,
    series: Vec<Second>,
    /// Taken of the cores before it began.
    cpu_before: Duration,
}

impl<'a> Sampler<'a> {
    /// Begins.
    pub(crate) fn new(
        probe: Arc<Probe>,
        warm_up: Duration,
        messages: impl Fn() -> Messages + 'a,
        metrics: &'a BrokerMetrics,
        live: &'a mut Live,
    ) -> Self {
        let messages: Box<dyn Fn() -> Messages + 'a> = Box::new(messages);
        let last = mark(&probe, messages());
        Self { probe, messages, metrics, live, warm_up, cpu_before: last.cpu, last, series: Vec::new() }
    }

    /// Of the cores, taken by this process before the step.
    pub(crate) fn cpu_before(&self) -> Duration {
        self.cpu_before
    }

    /// What has happened by now.
    pub(crate) fn mark(&self) -> Mark {
        mark(&self.probe, (self.messages)())
    }

    /// Looks, if a second has passed.
    pub(crate) fn look(&mut self) {
        if self.probe.origin().elapsed() >= self.last.at + EVERY {
            self.look_now();
        }
    }

    fn look_now(&mut self) {
        let now = self.mark();
        let seconds = (now.at - self.last.at).as_secs_f64();
        let rate =
            |point: Point| (now.passed[point as usize] - self.last.passed[point as usize]) as f64 / seconds;
        let messages = (now.messages.sent - self.last.messages.sent) as f64 / seconds;
        let recent = Point::ALL.map(|point| self.probe.take_recent(point));
        let shown = &recent[self.shown_point() as usize];
        let quantile = |quantile| (!shown.is_empty()).then(|| shown.value_at_quantile(quantile));
        let broker = self.metrics.read();
        let second = Second {
            at: now.at.as_secs_f64(),
            warm_up: self.last.at < self.warm_up,
            sent: rate(Point::Sent),
            confirmed: rate(Point::Confirmed),
            consumed: rate(Point::Signal),
            committed: rate(Point::Committed),
            messages,
            budget: now.messages.budget.map(|budget| messages / budget),
            p50: quantile(0.5),
            p99: quantile(0.99),
            blocked: (now.messages.blocked.saturating_sub(self.last.messages.blocked)).as_secs_f64()
                / seconds,
            broker_memory: broker.map(|broker| broker.memory),
            queued: broker.map(|broker| broker.queued),
            memory: environment::memory(),
            files: environment::open_files(),
        };
        self.live.show(&second, self.last.at, &recent);
        self.series.push(second);
        self.last = now;
    }

    /// The last point that ticks come to, but for commits, which come in groups.
    fn shown_point(&self) -> Point {
        let reached = |point: &&Point| self.probe.passed(**point) > 0 && **point != Point::Committed;
        Point::ALL.iter().rev().find(reached).copied().unwrap_or(Point::Sent)
    }

    /// The step between two marks. `strategies` many get each tick; ticks/s are those that come to
    /// `point`.
    pub(crate) fn finish(
        mut self,
        name: String,
        offered: Option<f64>,
        (from, to): (Mark, Mark),
        point: Point,
        strategies: usize,
    ) -> Step {
        let now = self.probe.origin().elapsed();
        if self.series.is_empty() || now > self.last.at + EVERY / 10 {
            self.look_now();
        } else {
            // Too short to be a second of its own; but the log has every tick.
            let recent = Point::ALL.map(|point| self.probe.take_recent(point));
            self.live.log(now.saturating_sub(self.last.at), &recent);
        }
        let seconds = (to.at.saturating_sub(from.at)).as_secs_f64().max(1e-9);
        let between = |point: Point| to.passed[point as usize] - from.passed[point as usize];
        let into_each = match point {
            Point::Sent | Point::Confirmed => between(point) as f64,
            _ => between(point) as f64 / strategies.max(1) as f64,
        };
        let messages = to.messages.sent - from.messages.sent;
        let totals = Totals {
            sent: between(Point::Sent),
            confirmed: between(Point::Confirmed),
            consumed: between(Point::Signal),
            committed: between(Point::Committed),
            messages,
            bytes: (into_each * size_of::<tick_sdk::Tick>() as f64) as u64,
            ticks_per_s: into_each / seconds,
            messages_per_s: messages as f64 / seconds,
            bytes_per_s: into_each / seconds * size_of::<tick_sdk::Tick>() as f64,
        };
        let measuring = cost_of_a_note().as_secs_f64() * self.probe.notes() as f64;
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        Step {
            name,
            offered,
            seconds,
            totals,
            stages: Point::ALL.into_iter().filter_map(|point| stage(&self.probe, point)).collect(),
            overhead: measuring / (self.probe.origin().elapsed().as_secs_f64() * cores),
            cpu_seconds: to.cpu.saturating_sub(from.cpu).as_secs_f64(),
            unsampled: self.probe.unsampled(),
            drift: drift(&self.series),
            series: self.series,
        }
    }
}

fn mark(probe: &Probe, messages: Messages) -> Mark {
    Mark {
        at: probe.origin().elapsed(),
        passed: Point::ALL.map(|point| probe.passed(point)),
        messages,
        cpu: environment::cpu_time(),
    }
}

impl Mark {
    /// The same counts at another time.
    pub(crate) fn moved_to(self, at: Duration) -> Self {
        Self { at, ..self }
    }

    /// Before anything had happened.
    pub(crate) fn nothing_yet(self, at: Duration, cpu: Duration) -> Self {
        let messages = Messages { sent: 0, blocked: Duration::ZERO, ..self.messages };
        Self { at, passed: [0; 5], messages, cpu }
    }
}

/// Latencies up to one point; `None` where no tick came.
fn stage(probe: &Probe, point: Point) -> Option<Stage> {
    let latencies = probe.latencies(point);
    (!latencies.is_empty()).then(|| stage_of(point.name(), &latencies))
}

/// A histogram as results have it.
pub(crate) fn stage_of(name: &str, latencies: &hdrhistogram::Histogram<u64>) -> Stage {
    let at = |quantile| latencies.value_at_quantile(quantile);
    let curve = latencies
        .iter_quantiles(2)
        .map(|step| (step.quantile_iterated_to() * 100.0, step.value_iterated_to()));
    Stage {
        name: name.to_owned(),
        count: latencies.len(),
        min: latencies.min(),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        p9999: at(0.9999),
        max: latencies.max(),
        curve: curve.collect(),
    }
}

/// From the first quarter to the last, where there are seconds in both.
fn drift(series: &[Second]) -> Option<Drift> {
    const FEWEST: usize = 12;
    let measured: Vec<&Second> = series.iter().filter(|second| !second.warm_up).collect();
    if measured.len() < FEWEST {
        return None;
    }
    let quarter = measured.len() / 4;
    let (first, last) = (&measured[..quarter], &measured[measured.len() - quarter..]);
    let mean = |part: &[&Second], value: &dyn Fn(&Second) -> f64| {
        part.iter().map(|second| value(second)).sum::<f64>() / part.len() as f64
    };
    let median = |part: &[&Second], value: &dyn Fn(&Second) -> Option<u64>| {
        let mut values: Vec<u64> = part.iter().filter_map(|second| value(second)).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied().unwrap_or(0) as f64
    };
    let means = |value: &dyn Fn(&Second) -> f64| (mean(first, value), mean(last, value));
    let medians = |value: &dyn Fn(&Second) -> Option<u64>| (median(first, value), median(last, value));
    let has_broker = measured.iter().all(|second| second.broker_memory.is_some());
    Some(Drift {
        memory: means(&|second| second.memory as f64),
        files: means(&|second| second.files as f64),
        broker_memory: has_broker.then(|| means(&|second| second.broker_memory.unwrap_or(0) as f64)),
        queued: has_broker.then(|| means(&|second| second.queued.unwrap_or(0) as f64)),
        p50: medians(&|second| second.p50),
        p99: medians(&|second| second.p99),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_from_the_first_quarter_to_the_last_without_warm_up() {
        let second = |at: u64| Second {
            warm_up: at < 4,
            memory: if at < 4 { 1_000_000 } else { at },
            p50: Some(at),
            ..Second::default()
        };
        assert_eq!(drift(&(0..15).map(second).collect::<Vec<_>>()), None);
        let drift = drift(&(0..20).map(second).collect::<Vec<_>>()).expect("there are 16 seconds");
        assert_eq!(drift.memory, (5.5, 17.5));
        assert_eq!(drift.p50, (6.0, 18.0));
        assert_eq!(drift.broker_memory, None);
    }
}
