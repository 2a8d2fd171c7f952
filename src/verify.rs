//! `orchard verify`: a run's committed signals against those of `orchard replay` on the same
//! sources. It is the oracle of the tests that kill everything, and a user's own check.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use strategy_host::ledger::{self, LaneRow, Ledger, OrderedSignals, RunRow};
use tick_sdk::names::RunId;

use crate::ended::{Ended, UsageError};

mod comparison;
mod expected;
mod lanes;
mod verdict;

use comparison::{Comparison, Differences, SignalRow};
use expected::ExpectedSignals;
use verdict::Verdict;

/// Options of `orchard verify`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct VerifyArgs {
    /// Signals of the same sources and options, as `orchard replay … --signals EXPECTED.csv` wrote them
    #[arg(value_name = "EXPECTED.csv")]
    expected: String,
    /// The feed
    #[arg(long, value_name = "NAME")]
    feed: String,
    /// The run [default: the feed's newest]
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
    /// The ledger that the run's hosts commit to: postgres://… or a folder
    #[arg(long, value_name = "LEDGER")]
    state: String,
    /// Only these strategies, in the ledger and in the file
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    strategies: Vec<String>,
    /// The result as one JSON object
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Signals are compared by strategy, instrument, ts_event, side and price; in which order they were
committed, by which instance and in which shard does not matter.

  lost        expected, and not committed
  duplicated  committed twice for one (run, strategy, shard, seq, n)
  unexpected  committed, and not expected

Exit code 0 says that nothing is lost, duplicated or unexpected and that every lane (a strategy on
one shard) has come to the run's end; else it is 1, and the first differences are shown.

Examples:
  orchard replay day.gz --strategy apple,pear --signals expected.csv
  orchard verify expected.csv --feed btc --state postgres://orchard@db/orchard
  orchard verify expected.csv --feed btc --state ledger/ --strategies apple --json";

pub(crate) fn run(args: &VerifyArgs) -> Result<Ended> {
    if !args.state.contains("://") && !Path::new(&args.state).exists() {
        // Opening it would make an empty one.
        bail!("there is no ledger {}: see --state", args.state);
    }
    let ledger = ledger::open(&args.state)?;
    let run = choose_run(args, &*ledger)?;
    let wanted = |name: &str| args.strategies.is_empty() || args.strategies.iter().any(|one| one == name);
    let lanes: Vec<_> = ledger.lanes(run.run)?.into_iter().filter(|row| wanted(&row.lane.strategy)).collect();
    if lanes.is_empty() {
        bail!("no strategy has begun run {} of feed {}: see --strategies and --state", run.run, args.feed);
    }

    let repeated = lanes::repeated_signals(&*ledger, &lanes)?;
    let comparison = compare(args, &*ledger, &run, &lanes, wanted, &repeated)?;
    let verdict = Verdict {
        run: run.run,
        feed: args.feed.clone(),
        expected: comparison.expected,
        found: comparison.found,
        lost: comparison.lost(),
        duplicated: Differences::of(&repeated),
        unexpected: comparison.unexpected(),
        lanes: lanes::wanted_lanes(&run.manifest, &lanes),
        ended: lanes.iter().filter(|lane| lane.ended).count(),
        open_lanes: lanes::open_lanes(&lanes),
        skipped: lanes.iter().map(|lane| lane.skipped).sum(),
    };
    let text = if args.json { verdict.json()? } else { verdict.to_string() };
    std::io::stdout().write_all(text.as_bytes())?;
    match verdict.reason() {
        None => Ok(Ended::Done),
        Some(reason) => bail!("run {} is not as expected: {reason}", verdict.run),
    }
}

fn choose_run(args: &VerifyArgs, ledger: &dyn Ledger) -> Result<RunRow> {
    let runs = ledger.runs(&args.feed)?;
    let feed = &args.feed;
    if runs.is_empty() {
        bail!("the ledger has no run of feed {feed}: see --feed and --state");
    }
    let Some(wanted) = args.run else {
        return runs.into_iter().next().context("there is one");
    };
    let known = runs.iter().map(|row| row.run.to_string()).collect::<Vec<_>>().join(", ");
    let chosen = runs.into_iter().find(|row| row.run == wanted);
    chosen.ok_or_else(|| UsageError(format!("feed {feed} has no run {wanted}; its runs are {known}")).into())
}

/// Reads both sides in turn; they are in one order, so what is equal meets at once.
fn compare(
    args: &VerifyArgs,
    ledger: &dyn Ledger,
    run: &RunRow,
    lanes: &[LaneRow],
    wanted: impl Fn(&str) -> bool,
    repeated: &[SignalRow],
) -> Result<Comparison> {
    let names = lanes::strategies(lanes);
    let shards = lanes::shards(lanes);
    let mut found = OrderedSignals::new(ledger, run.run, &names, shards)?;
    let mut expected = open_expected(&args.expected)?;
    let mut comparison = Comparison::default();
    let (mut more_expected, mut more_found) = (true, true);
    while more_expected || more_found {
        if more_expected {
            match expected.next_row()? {
                Some(row) if wanted(&row.strategy) => comparison.expect(row)?,
                Some(_) => {}
                None => more_expected = false,
            }
        }
        if more_found {
            match found.next_signal()? {
                Some(named) => {
                    let row = SignalRow::new(&names[named.strategy], &named.symbol, &named.signal);
                    comparison.find(row)?;
                }
                None => more_found = false,
            }
        }
    }
    for row in repeated {
        comparison.forget(row.clone())?;
    }
    Ok(comparison)
}

fn open_expected(name: &str) -> Result<ExpectedSignals<Box<dyn std::io::BufRead>>> {
    let text: Box<dyn std::io::BufRead> = match name {
        "-" => Box::new(BufReader::new(std::io::stdin())),
        path => Box::new(BufReader::new(File::open(path).with_context(|| path.to_owned())?)),
    };
    Ok(ExpectedSignals::new(text, name)?)
}
