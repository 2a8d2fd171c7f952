//! `orchard verify`: a run's committed signals against those of `orchard replay` on the same
//! sources. It is the oracle of the tests that kill everything, and a user's own check.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use strategy_host::ledger;
use strategy_host::verify::{self, ExpectedSignals, VerifyControl, VerifyError, VerifyPlan};
use tick_sdk::names::{FeedName, RunId, StrategyName};

use crate::ended::{Ended, UsageError};
use crate::sources::on_interrupt;

mod show;

/// Options of `orchard verify`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct VerifyArgs {
    /// Signals of the same sources and options, as `orchard replay … --signals EXPECTED.csv` wrote them
    #[arg(value_name = "EXPECTED.csv")]
    expected: String,
    /// The feed
    #[arg(long, value_name = "NAME")]
    feed: FeedName,
    /// The run [default: the feed's newest]
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
    /// The ledger that the run's hosts commit to: postgres://… or a folder
    #[arg(long, value_name = "LEDGER")]
    state: String,
    /// Only these strategies, in the ledger and in the file
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    strategies: Vec<StrategyName>,
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
    let ledger = ledger::open_to_read(&args.state)?;
    let expected = open_expected(&args.expected)?;
    let VerifyArgs { feed, run, strategies, .. } = args;
    let plan = VerifyPlan { feed: feed.clone(), run: *run, strategies: strategies.clone() };
    let control = Arc::new(VerifyControl::default());
    let stop = control.clone();
    on_interrupt(move || stop.cancel())?;
    let verdict = match verify::verify(&*ledger, &plan, expected, &control) {
        Ok(verdict) => verdict,
        Err(VerifyError::Cancelled) => return Ok(Ended::Interrupted),
        Err(error @ VerifyError::UnknownRun { .. }) => return Err(UsageError(error.to_string()).into()),
        Err(error) => return Err(error.into()),
    };
    let text = if args.json { serde_json::to_string(&verdict)? + "\n" } else { show::text(&verdict) };
    std::io::stdout().write_all(text.as_bytes())?;
    match show::reason(&verdict) {
        None => Ok(Ended::Done),
        Some(reason) => bail!("run {} is not as expected: {reason}", verdict.run),
    }
}

fn open_expected(name: &str) -> Result<ExpectedSignals<Box<dyn BufRead>>> {
    let text: Box<dyn BufRead> = if name == "-" {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(name).with_context(|| name.to_owned())?))
    };
    Ok(ExpectedSignals::new(text, name)?)
}
