//! Results as people read them.

use std::fmt::Write as _;

use crate::outcome::{Drift, Outcome, Stage, Step};
use crate::units::{NOTHING, bytes, rate, time};

/// The whole outcome.
pub(crate) fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    circumstances(outcome, &mut text);
    if outcome.steps.len() > 1 {
        steps(outcome, &mut text);
    } else if let Some(step) = outcome.steps.first() {
        sums(step, &mut text);
    }
    if let Some(step) = outcome.steps.last().filter(|_| outcome.steps.len() == 1) {
        stages(&step.stages, &mut text);
    }
    if let Some(drift) = outcome.steps.last().and_then(|step| step.drift.as_ref()) {
        drifts(drift, &mut text);
    }
    if let Some(knee) = &outcome.knee {
        let _ = match knee.refused {
            Some(refused) if knee.carried == 0.0 => {
                writeln!(text, "\nno knee: not even {} ticks/s were carried", rate(refused))
            }
            Some(refused) => writeln!(
                text,
                "\nknee: {} ticks/s carried, p99 {}; {} ticks/s not",
                rate(knee.carried),
                time(knee.p99),
                rate(refused)
            ),
            None => writeln!(text, "\nno knee: all up to {} ticks/s were carried", rate(knee.carried)),
        };
    }
    text
}

fn circumstances(outcome: &Outcome, text: &mut String) {
    let environment = &outcome.environment;
    let versions: Vec<String> =
        environment.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let _ = writeln!(
        text,
        "{}, {}\n{} × {}, {}, Linux {}\n{}; {} build",
        environment.command,
        environment.at,
        environment.cores,
        environment.processor,
        bytes(environment.memory_bytes as f64),
        environment.kernel,
        versions.join(", "),
        environment.profile
    );
    for warning in &environment.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
}

/// One line for what went through.
fn sums(step: &Step, text: &mut String) {
    let totals = &step.totals;
    let mut parts = Vec::new();
    if totals.ticks_per_s > 0.0 {
        parts.push(format!("{} ticks/s", rate(totals.ticks_per_s)));
    }
    if totals.messages_per_s > 0.0 {
        parts.push(format!("{} messages/s", rate(totals.messages_per_s)));
    }
    if totals.bytes_per_s > 0.0 {
        parts.push(format!("{}/s", bytes(totals.bytes_per_s)));
    }
    let _ = writeln!(text, "\n{} in {:.2} s", parts.join(", "), step.seconds);
    if totals.ticks_per_s > 0.0 && totals.messages > 0 && totals.sent > 0 {
        let frames = totals.messages as f64 / step_fan_out(step);
        let _ = writeln!(text, "{:.1} ticks a frame", totals.sent as f64 / frames);
    }
    if step.unsampled > 0 {
        let _ = writeln!(text, "{} frames are in no latency: too many were in flight", step.unsampled);
    }
    if let Some(ns) = of_a_tick(step) {
        let _ = writeln!(text, "{ns:.1} ns of this process's time a tick and strategy");
    }
    if step.overhead > 0.0 {
        let _ = writeln!(text, "measuring took {:.2} % of the cores' time", step.overhead * 100.0);
    }
}

/// How many queues each frame reached.
fn step_fan_out(step: &Step) -> f64 {
    let totals = &step.totals;
    (totals.consumed as f64 / totals.sent.max(1) as f64).round().max(1.0)
}

fn stages(stages: &[Stage], text: &mut String) {
    if stages.is_empty() {
        return;
    }
    let mut rows = vec![
        ["from due to", "ticks", "min", "p50", "p90", "p99", "p99.9", "p99.99", "max"].map(str::to_owned),
    ];
    for stage in stages {
        let Stage { name, count, min, p50, p90, p99, p999, p9999, max, .. } = stage;
        let times = [min, p50, p90, p99, p999, p9999, max].map(|ns| time(*ns));
        let [min, p50, p90, p99, p999, p9999, max] = times;
        rows.push([name.clone(), rate(*count as f64), min, p50, p90, p99, p999, p9999, max]);
    }
    let _ = write!(text, "\n{}", aligned(&rows));
}

/// One line a step.
fn steps(outcome: &Outcome, text: &mut String) {
    let has_names = outcome.steps.iter().any(|step| !step.name.is_empty());
    let first = if has_names { "" } else { "offered" };
    let mut rows = vec![
        [first, "ticks/s", "ns a tick", "messages/s", "bytes/s", "p50", "p99", "p99.9", "max"]
            .map(str::to_owned),
    ];
    for step in &outcome.steps {
        let totals = &step.totals;
        let or_nothing = |value: f64, shown: String| if value > 0.0 { shown } else { NOTHING.to_owned() };
        let stage = crate::latency_stage(step);
        let late = |of: fn(&Stage) -> u64| stage.map_or_else(|| NOTHING.to_owned(), |stage| time(of(stage)));
        rows.push([
            if has_names { step.name.clone() } else { step.offered.map_or_else(|| "max".to_owned(), rate) },
            or_nothing(totals.ticks_per_s, rate(totals.ticks_per_s)),
            of_a_tick(step).map_or_else(|| NOTHING.to_owned(), |ns| format!("{ns:.1}")),
            or_nothing(totals.messages_per_s, rate(totals.messages_per_s)),
            or_nothing(totals.bytes_per_s, bytes(totals.bytes_per_s)),
            late(|stage| stage.p50),
            late(|stage| stage.p99),
            late(|stage| stage.p999),
            late(|stage| stage.max),
        ]);
    }
    let _ = write!(text, "\n{}", aligned(&rows));
}

/// This process's time of the cores for each tick of each strategy, in ns.
fn of_a_tick(step: &Step) -> Option<f64> {
    let ticks = step.totals.consumed.max(step.totals.confirmed);
    (ticks > 0 && step.cpu_seconds > 0.0).then(|| step.cpu_seconds * 1e9 / ticks as f64)
}

fn drifts(drift: &Drift, text: &mut String) {
    let mut rows = vec![["", "first quarter", "last quarter"].map(str::to_owned)];
    let mut row = |name: &str, (first, last): (f64, f64), shown: fn(f64) -> String| {
        rows.push([name.to_owned(), shown(first), shown(last)]);
    };
    row("memory", drift.memory, bytes);
    row("open files", drift.files, |files| format!("{files:.0}"));
    drift.broker_memory.into_iter().for_each(|memory| row("brokers' memory", memory, bytes));
    drift.queued.into_iter().for_each(|queued| row("messages queued", queued, |count| format!("{count:.0}")));
    row("p50, median", drift.p50, |ns| time(ns as u64));
    row("p99, median", drift.p99, |ns| time(ns as u64));
    let _ = write!(text, "\n{}", aligned(&rows));
}

/// The first column to the left, the others to the right.
fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let _ = write!(text, "{:<width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            let _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
