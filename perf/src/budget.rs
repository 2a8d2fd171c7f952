//! The message budget of the brokers that there are: how many messages a second one, two, three nodes
//! carry in time, one tick a message; and the file that `ingest` and `plan` take it from.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, Parser};
use thiserror::Error;
use tick_feed::atomic_file;
use tick_feed::budget::measured::{BUDGET_FILE, MeasuredBudget};
use tick_feed::rabbitmq::BrokerUrl;
use tick_ingest::outputs::{self, Output, OutputError};
use tick_sdk::quantity::parse_duration;

use crate::args::{BrokerArgs, LoadArgs};
use crate::broker_metrics::BrokerMetrics;
use crate::feeds::{Feeds, FeedsError, Part};
use crate::live::Live;
use crate::rates::{Rates, Search};
use crate::step::StepPlan;
use crate::{environment, is_carried, units};

/// Options of `perf budget`.
#[derive(Debug, Args)]
pub(crate) struct BudgetArgs {
    /// The brokers' nodes, in the order in which they would be added [default: ORCHARD_TEST_AMQP…]
    #[arg(long, value_name = "URL")]
    broker: Vec<BrokerUrl>,
    /// Messages a second, in the form of `perf broker --rate`
    #[arg(long, value_name = "FROM..TO xN", num_args = 1..=2, default_values = ["5K..160K", "x2"])]
    rate: Vec<String>,
    /// How long each rate is measured
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = parse_duration)]
    duration: Duration,
    /// A rate is carried if 99 of 100 messages are through the strategy so soon
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = parse_duration)]
    knee: Duration,
    /// Where it is written
    #[arg(long, value_name = "FILE", default_value = BUDGET_FILE)]
    out: PathBuf,
    /// No lines a second
    #[arg(long)]
    quiet: bool,
}

/// A budget that cannot be measured.
#[derive(Debug, Error)]
pub enum BudgetError {
    /// Not even the lowest rate was carried.
    #[error(
        "{nodes} broker nodes carry less than {rate} messages/s in time\n  let nothing else run there, or begin lower with --rate"
    )]
    Nothing {
        /// How many nodes.
        nodes: usize,
        /// The lowest rate.
        rate: String,
    },
    /// The feed.
    #[error(transparent)]
    Feeds(Box<FeedsError>),
    /// What was written for --rate.
    #[error("{0}")]
    Usage(String),
    /// No room.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not to be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// It was interrupted.
    #[error("it was interrupted, and nothing was written")]
    Interrupted,
}

impl From<FeedsError> for BudgetError {
    fn from(error: FeedsError) -> Self {
        Self::Feeds(Box::new(error))
    }
}

/// Measures, prints and writes.
///
/// # Errors
/// A broker is not there, nothing is carried, or the file cannot be written.
pub(crate) fn run(args: &BudgetArgs, stop: &AtomicBool) -> Result<(), BudgetError> {
    let rates = args.rate.join(" ").parse().map_err(BudgetError::Usage)?;
    let brokers = BrokerArgs::default_brokers(args.broker.clone()).map_err(BudgetError::Usage)?;
    check_out(&args.out)?;
    let environment = environment::look();
    environment.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    let mut carried = Vec::new();
    for nodes in 1..=brokers.len() {
        let messages = carried_by(args, rates, &brokers[..nodes], stop)?;
        println!(
            "{nodes} node{}: {} messages/s",
            if nodes == 1 { "" } else { "s" },
            units::rate(f64::from(messages))
        );
        carried.push(messages);
    }
    let measured = MeasuredBudget {
        budget: budget_of(&carried),
        carried,
        at: environment.at,
        machine: format!("{} × {}", environment.cores, environment.processor),
    };
    write(&args.out, &measured)?;
    println!(
        "budget {}, in {}: `ingest` and `plan` use it from here on",
        measured.budget,
        args.out.display()
    );
    if measured.carried.windows(2).any(|pair| pair[1] <= pair[0]) {
        println!("a further node carried no more: they share one machine, or a strategy's host is the limit");
    }
    Ok(())
}

/// The knee of so many nodes with one tick a message and a shard a node.
fn carried_by(
    args: &BudgetArgs,
    rates: Rates,
    brokers: &[BrokerUrl],
    stop: &AtomicBool,
) -> Result<u32, BudgetError> {
    #[derive(Parser)]
    struct Defaults {
        #[command(flatten)]
        load: LoadArgs,
        #[command(flatten)]
        broker: BrokerArgs,
    }
    let shards = brokers.len().to_string();
    let line = ["perf", "--frame-ticks", "1", "--budget", "off", "--instruments", "64", "--shards", &shards];
    let defaults = Defaults::parse_from(line);
    let folder =
        tempfile::tempdir().map_err(|source| BudgetError::Write { path: std::env::temp_dir(), source })?;
    let feeds = Feeds {
        part: Part::Whole,
        load: &defaults.load,
        options: &defaults.broker,
        brokers: brokers.to_vec(),
        metrics: BrokerMetrics::default(),
        ledger: "memory".to_owned(),
        folder: folder.path(),
        onlooker: None,
        stop,
    };
    let mut live = Live::lines(!args.quiet);
    let mut search = Search::new(rates);
    while let Some(rate) = search.next_rate() {
        live.heading(&format!("{} nodes, {} messages/s", brokers.len(), units::rate(rate)));
        let plan =
            StepPlan { rate: Some(rate), duration: Some(args.duration), warm_up: Duration::from_secs(1) };
        let step = feeds.step(plan, &mut live)?;
        if stop.load(Ordering::Acquire) {
            return Err(BudgetError::Interrupted);
        }
        search.note(is_carried(&step, rate, args.knee));
    }
    match search.knee() {
        (Some(carried), _) => Ok(carried as u32),
        (None, _) => Err(BudgetError::Nothing { nodes: brokers.len(), rate: units::rate(rates.lowest()) }),
    }
}

/// What each node adds; one that adds nothing may be given a little, as shards on it have to go on.
fn budget_of(carried: &[u32]) -> String {
    const LEAST: u32 = 1_000;
    let mut most = 0;
    let rates = carried.iter().map(|carried| {
        let more = carried.saturating_sub(most).max(LEAST);
        most = most.max(*carried);
        more.to_string()
    });
    rates.collect::<Vec<_>>().join(",")
}

/// What was measured before is replaced; anything else of that name is not.
fn check_out(path: &Path) -> Result<(), BudgetError> {
    // Its folder is made when there is something to write.
    if path.exists() {
        let is_budget = MeasuredBudget::read(path).is_ok();
        outputs::check(&[Output { option: "--out", path, endings: &["json"] }], &[], is_budget)?;
    }
    Ok(())
}

fn write(path: &Path, measured: &MeasuredBudget) -> Result<(), BudgetError> {
    let failed = |source| BudgetError::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let text = serde_json::to_string_pretty(measured).map_err(|error| failed(error.into()))?;
    atomic_file::write(path, (text + "\n").as_bytes()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_is_given_what_it_adds() {
        assert_eq!(budget_of(&[40_000]), "40000");
        assert_eq!(budget_of(&[40_000, 55_000, 68_000]), "40000,15000,13000");
        assert_eq!(budget_of(&[40_000, 38_000, 45_000]), "40000,1000,5000");
    }

    #[test]
    fn what_is_written_is_read_and_what_is_no_budget_is_refused() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("deep/budget.json");
        assert!(MeasuredBudget::read(&path).expect("there is none").is_none());
        let measured = MeasuredBudget {
            budget: "40000,15000".to_owned(),
            carried: vec![40_000, 55_000],
            at: "2026-11-23T00:00:00Z".to_owned(),
            machine: "2 × a processor".to_owned(),
        };
        write(&path, &measured).expect("it can be written");
        let (budget, read) = MeasuredBudget::read(&path).expect("it is one").expect("it is there");
        assert_eq!((budget.rate(0), budget.rate(2), read), (Some(40_000), Some(15_000), measured.clone()));
        for wrong in [
            "",
            "{}",
            &serde_json::to_string(&MeasuredBudget { budget: "x".to_owned(), ..measured })
                .expect("it is JSON"),
        ] {
            std::fs::write(&path, wrong).expect("it can be written");
            let error = MeasuredBudget::read(&path).expect_err("it is none").to_string();
            assert!(error.contains("budget.json") && error.contains("perf budget"), "{error}");
        }
    }
}
