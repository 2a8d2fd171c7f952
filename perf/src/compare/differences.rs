//! What differs between two outcomes, as `--json` writes it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::outcome::{Outcome, Stage, Step};
use crate::units;

/// How much worse is marked: runs on one machine differ by some per cent of themselves.
pub(super) const MARKED: f64 = 0.05;

/// Two outcomes, side by side.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    pub a: Side,
    pub b: Side,
    /// The workloads differ, so that only their throughput can be compared.
    pub throughput_only: bool,
    /// Circumstances and settings, only those that differ.
    pub differ: Vec<Difference>,
    /// The highest throughput of all steps, and knees.
    pub best: Vec<Row>,
    /// Those that both have.
    pub steps: Vec<Both>,
    /// Offered rates that only `a` has; `None` is full speed.
    pub only_a: Vec<Option<f64>>,
    /// Offered rates that only `b` has.
    pub only_b: Vec<Option<f64>>,
}

/// One of the two.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    pub path: String,
    pub workload: String,
    pub at: String,
    pub warnings: Vec<String>,
}

/// A setting or circumstance; `None` where one does not have it.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    pub name: String,
    pub a: Option<String>,
    pub b: Option<String>,
}

/// A step that both have.
#[derive(Debug, Serialize)]
pub(super) struct Both {
    pub offered: Option<f64>,
    pub rows: Vec<Row>,
}

/// One figure of both.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub name: String,
    pub unit: Unit,
    pub a: Option<f64>,
    pub b: Option<f64>,
    /// `b / a`; `None` where there is none.
    pub ratio: Option<f64>,
    /// By more than [`MARKED`].
    pub b_is_worse: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    PerSecond,
    BytesPerSecond,
    Nanoseconds,
}

/// Which direction is worse.
#[derive(Clone, Copy, PartialEq)]
enum Worse {
    Less,
    More,
    /// Neither: it follows from settings.
    Neither,
}

impl Comparison {
    /// `None` where the workloads differ and not both have ticks/s.
    pub(super) fn of((path_a, a): (&Path, &Outcome), (path_b, b): (&Path, &Outcome)) -> Option<Self> {
        let throughput_only = a.workload != b.workload;
        if throughput_only && (best_rate(a).is_none() || best_rate(b).is_none()) {
            return None;
        }
        let (pairs, only_a, only_b) = matched(&a.steps, &b.steps);
        let steps = pairs.into_iter().map(|(a, b)| both(a, b, throughput_only)).collect();
        let mut best = Vec::new();
        if throughput_only || a.steps.len() > 1 || b.steps.len() > 1 {
            best.push(row("highest ticks/s", Unit::PerSecond, best_rate(a), best_rate(b), Worse::Less));
        }
        if !throughput_only && (a.knee.is_some() || b.knee.is_some()) {
            let carried = |outcome: &Outcome| outcome.knee.map(|knee| knee.carried);
            let p99 = |outcome: &Outcome| outcome.knee.map(|knee| knee.p99 as f64);
            best.push(row("knee, offered ticks/s", Unit::PerSecond, carried(a), carried(b), Worse::Less));
            // Later at a higher knee is not worse.
            best.push(row("knee, p99", Unit::Nanoseconds, p99(a), p99(b), Worse::Neither));
        }
        best.retain(|row| row.a.is_some() || row.b.is_some());
        Some(Self {
            a: side(path_a, a),
            b: side(path_b, b),
            throughput_only,
            differ: differ(a, b),
            best,
            steps,
            only_a,
            only_b,
        })
    }
}

fn side(path: &Path, outcome: &Outcome) -> Side {
    Side {
        path: path.display().to_string(),
        workload: outcome.workload.clone(),
        at: outcome.environment.at.clone(),
        warnings: outcome.environment.warnings.clone(),
    }
}

/// The highest ticks/s; `None` where the workload has no ticks.
fn best_rate(outcome: &Outcome) -> Option<f64> {
    let rates = outcome.steps.iter().map(|step| step.totals.ticks_per_s);
    rates.filter(|rate| *rate > 0.0).reduce(f64::max)
}

type Matched<'a> = (Vec<(&'a Step, &'a Step)>, Vec<Option<f64>>, Vec<Option<f64>>);

/// Steps of the same offered rate, each with one of the other at most, and the rates of the rest.
fn matched<'a>(a: &'a [Step], b: &'a [Step]) -> Matched<'a> {
    let mut left: Vec<&Step> = b.iter().collect();
    let (mut pairs, mut only_a) = (Vec::new(), Vec::new());
    for step in a {
        match left.iter().position(|other| step.name == other.name && same_rate(step.offered, other.offered))
        {
            Some(at) => pairs.push((step, left.remove(at))),
            None => only_a.push(step.offered),
        }
    }
    (pairs, only_a, left.into_iter().map(|step| step.offered).collect())
}

/// Rates are computed, so that the last digits may differ.
fn same_rate(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * a.abs().max(b.abs()),
        _ => false,
    }
}

type TimeOf = fn(&Stage) -> u64;

/// Those that are compared.
const PERCENTILES: [(&str, TimeOf); 4] =
    [("p50", |at| at.p50), ("p99", |at| at.p99), ("p99.9", |at| at.p999), ("max", |at| at.max)];

fn both(a: &Step, b: &Step, throughput_only: bool) -> Both {
    let mut rows = Vec::new();
    let mut rate = |name: &str, unit, of: fn(&Step) -> f64, worse| {
        let (a, b) = (of(a), of(b));
        // None at all, where the other has some, is 0 and worse.
        let some = a > 0.0 || b > 0.0;
        some.then(|| rows.push(row(name, unit, Some(a), Some(b), worse))).is_some()
    };
    let has_ticks = rate("ticks/s", Unit::PerSecond, |step| step.totals.ticks_per_s, Worse::Less);
    if !throughput_only {
        // Where there are ticks, fewer messages may carry more of them.
        let worse = if has_ticks { Worse::Neither } else { Worse::Less };
        rate("messages/s", Unit::PerSecond, |step| step.totals.messages_per_s, worse);
        rate("bytes/s", Unit::BytesPerSecond, |step| step.totals.bytes_per_s, worse);
        for name in stage_names(a, b) {
            let (of_a, of_b) = (reached(a, name), reached(b, name));
            for (percentile, of) in PERCENTILES {
                let time = |stage: Option<&Stage>| stage.map(|stage| of(stage) as f64);
                let name = format!("{name} {percentile}");
                rows.push(row(&name, Unit::Nanoseconds, time(of_a), time(of_b), Worse::More));
            }
        }
    }
    rows.retain(|row| row.a.is_some() || row.b.is_some());
    Both { offered: a.offered, rows }
}

/// The stage of that name, if any tick reached it.
fn reached<'a>(step: &'a Step, name: &str) -> Option<&'a Stage> {
    step.stages.iter().find(|stage| stage.name == name && stage.count > 0)
}

/// In the order of `a`, then those that only `b` has.
fn stage_names<'a>(a: &'a Step, b: &'a Step) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for stage in a.stages.iter().chain(&b.stages) {
        if !names.contains(&stage.name.as_str()) {
            names.push(&stage.name);
        }
    }
    names
}

fn row(name: &str, unit: Unit, a: Option<f64>, b: Option<f64>, worse: Worse) -> Row {
    let ratio = match (a, b) {
        (Some(a), Some(b)) if a > 0.0 => Some(b / a),
        _ => None,
    };
    let b_is_worse = ratio.is_some_and(|ratio| match worse {
        Worse::Less => ratio < 1.0 - MARKED,
        Worse::More => ratio > 1.0 + MARKED,
        Worse::Neither => false,
    });
    Row { name: name.to_owned(), unit, a, b, ratio, b_is_worse }
}

fn differ(a: &Outcome, b: &Outcome) -> Vec<Difference> {
    let (of_a, of_b) = (circumstances(a), circumstances(b));
    let mut names: Vec<_> = of_a.keys().chain(of_b.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let found = |name: &String| Difference {
        name: name.clone(),
        a: of_a.get(name).cloned(),
        b: of_b.get(name).cloned(),
    };
    names.into_iter().map(found).filter(|difference| difference.a != difference.b).collect()
}

/// As text by name. When it began is left out: that always differs and stands above the tables.
fn circumstances(outcome: &Outcome) -> BTreeMap<String, String> {
    let environment = &outcome.environment;
    let fixed = [
        ("command", environment.command.clone()),
        ("processor", environment.processor.clone()),
        ("cores", environment.cores.to_string()),
        ("memory", units::bytes(environment.memory_bytes as f64)),
        ("kernel", environment.kernel.clone()),
        ("profile", environment.profile.clone()),
        ("busy before", format!("{:.0} %", environment.busy * 100.0)),
    ];
    let mut all: BTreeMap<_, _> = fixed.map(|(name, text)| (name.to_owned(), text)).into();
    all.extend(environment.versions.iter().map(|(name, text)| (format!("version of {name}"), text.clone())));
    all.extend(outcome.settings.iter().map(|(name, text)| (format!("setting {name}"), text.clone())));
    all
}
