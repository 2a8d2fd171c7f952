//! One measurement from its circumstances to its results.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use broker::{BrokerError, BrokerUrl};
use tick_feed::atomic_file;

use crate::args::{LedgerArgs, LoadArgs, OutputArgs};
use crate::error::PerfError;
use crate::feeds::{FeedsError, open_ledger};
use crate::live::Live;
use crate::outcome::{Knee, Outcome, SCHEMA, Step};
use crate::rates::{Rates, Search};
use crate::step::StepPlan;
use crate::vary::Vary;
use crate::{bodies, environment, is_carried, latency_stage, table};

/// A measurement that has begun.
pub(crate) struct Session<'a> {
    outcome: Outcome,
    pub(crate) live: Live,
    output: &'a OutputArgs,
    stop: &'a AtomicBool,
}

impl<'a> Session<'a> {
    pub(crate) fn open(
        workload: &str,
        output: &'a OutputArgs,
        input: Option<&Path>,
        stop: &'a AtomicBool,
    ) -> Result<Self, PerfError> {
        output.check(input)?;
        let environment = environment::look();
        for warning in &environment.warnings {
            eprintln!("warning: {warning}");
        }
        let outcome =
            Outcome { schema: SCHEMA, workload: workload.to_owned(), environment, ..Outcome::default() };
        Ok(Self { outcome, live: Live::open(output)?, output, stop })
    }

    pub(crate) fn set(&mut self, name: &str, value: impl ToString) {
        self.outcome.settings.insert(name.to_owned(), value.to_string());
    }

    pub(crate) fn settings(&mut self, settings: BTreeMap<String, String>) {
        self.outcome.settings.extend(settings);
    }

    /// Notes what has a version, as `RabbitMQ 3.10.8`.
    fn product(&mut self, product: &str) {
        if let Some((name, version)) = product.split_once(' ') {
            self.outcome.environment.versions.insert(name.to_owned(), version.to_owned());
        }
    }

    pub(crate) fn brokers(&mut self, brokers: &[BrokerUrl]) -> Result<(), BrokerError> {
        self.set("nodes", brokers.len());
        self.product(&bodies::product(&brokers[0])?);
        Ok(())
    }

    /// The ledger's URL or folder.
    pub(crate) fn ledger(
        &mut self,
        args: &LedgerArgs,
        folder: &tempfile::TempDir,
    ) -> Result<String, FeedsError> {
        let postgres = || std::env::var("ORCHARD_TEST_POSTGRES").ok();
        let temporary = || folder.path().join("ledger").display().to_string();
        let ledger = args.state.clone().or_else(postgres).unwrap_or_else(temporary);
        self.note_ledger(&ledger)?;
        Ok(ledger)
    }

    /// Notes what the ledger is, which must answer.
    pub(crate) fn note_ledger(&mut self, ledger: &str) -> Result<(), FeedsError> {
        self.set("ledger", ledger_kind(ledger));
        self.product(&open_ledger(ledger)?.product()?);
        Ok(())
    }

    /// Measures one rate after the other.
    pub(crate) fn rates(
        mut self,
        load: &LoadArgs,
        mut measure: impl FnMut(StepPlan, Option<(&Vary, u64)>, &mut Live) -> Result<Step, PerfError>,
    ) -> Result<(), PerfError> {
        self.settings(load.settings());
        let rates = load.rates().map_err(PerfError::Usage)?;
        if let Some(vary) = &load.vary {
            self.set(vary.name(), vary.values());
            return self.vary(load, vary, rates, measure);
        }
        let Some(rates) = rates else {
            let step = measure(StepPlan::new(load, None), None, &mut self.live)?;
            return self.finish(vec![step], None);
        };
        let mut search = Search::new(rates);
        let mut steps: Vec<Step> = Vec::new();
        while let Some(rate) = search.next_rate().filter(|_| !self.stop.load(Ordering::Acquire)) {
            if matches!(rates, Rates::Ramp { .. }) {
                self.live.heading(&format!("{} ticks/s", crate::units::rate(rate)));
            }
            let step = measure(StepPlan::new(load, Some(rate)), None, &mut self.live)?;
            // One that was cut short says nothing of its rate.
            if !self.stop.load(Ordering::Acquire) {
                search.note(is_carried(&step, rate, load.knee));
            }
            steps.push(step);
        }
        let (carried, refused) = search.knee();
        let has_knee = matches!(rates, Rates::Ramp { .. }) && (carried.is_some() || refused.is_some());
        let knee = has_knee.then(|| {
            let carried = carried.unwrap_or(0.0);
            let at = steps.iter().find(|step| step.offered == Some(carried));
            Knee { carried, p99: at.and_then(latency_stage).map_or(0, |stage| stage.p99), refused }
        });
        steps.sort_by(|a, b| a.offered.unwrap_or(0.0).total_cmp(&b.offered.unwrap_or(0.0)));
        self.finish(steps, knee)
    }

    /// One value of an option after the other, at one rate or at full speed.
    fn vary(
        mut self,
        load: &LoadArgs,
        vary: &Vary,
        rates: Option<Rates>,
        mut measure: impl FnMut(StepPlan, Option<(&Vary, u64)>, &mut Live) -> Result<Step, PerfError>,
    ) -> Result<(), PerfError> {
        let rate = match rates {
            None => None,
            Some(Rates::Fixed(rate)) => Some(rate),
            Some(Rates::Ramp { .. }) => {
                return Err(PerfError::Usage("--vary goes with one --rate, not with a ramp".to_owned()));
            }
        };
        let mut steps = Vec::new();
        for (name, value) in vary.steps() {
            if self.stop.load(Ordering::Acquire) {
                break;
            }
            self.live.heading(&name);
            let step = measure(StepPlan::new(load, rate), Some((vary, value)), &mut self.live)?;
            steps.push(Step { name, ..step });
        }
        self.finish(steps, None)
    }

    /// Prints the results.
    pub(crate) fn finish(mut self, steps: Vec<Step>, knee: Option<Knee>) -> Result<(), PerfError> {
        self.outcome.steps = steps;
        self.outcome.knee = knee;
        if self.stop.load(Ordering::Acquire) {
            self.outcome.environment.warnings.push("it was interrupted before its end".to_owned());
        }
        self.live.close()?;
        let mut written = Ok(());
        if let Some(path) = &self.output.html {
            let page = crate::page::render(&self.outcome);
            written = atomic_file::write(path, page.as_bytes())
                .map_err(|source| PerfError::Write { path: path.clone(), source });
        }
        let text = if self.output.json {
            serde_json::to_string_pretty(&self.outcome).map_err(std::io::Error::from)? + "\n"
        } else {
            table::text(&self.outcome)
        };
        std::io::stdout().write_all(text.as_bytes())?;
        // The results are shown by now, whatever became of the page.
        written
    }
}

/// What a ledger's name says of it.
fn ledger_kind(ledger: &str) -> &'static str {
    match ledger.split_once("://") {
        Some(_) => "PostgreSQL",
        None if ledger == "memory" => "memory",
        None => "SQLite",
    }
}
