//! `orchard status`: how a feed stands, from its ingester to the last commit.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Args;
use strategy_host::ledger::{self, LaneRow, MEMBER_LIVES, MemberRow};
use tick_feed::rabbitmq::BrokerUrl;
use tick_feed::rabbitmq::observe::Listening;
use tick_sdk::FeedName;
use tick_sdk::RunId;

use crate::ended::Ended;

mod show;
mod standing;

use standing::Standing;

/// Options of `orchard status`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct StatusArgs {
    /// The feed
    #[arg(long, value_name = "NAME")]
    feed: FeedName,
    /// Its brokers, in the order in which `orchard ingest` has them
    #[arg(long, value_name = "URL", required = true)]
    broker: Vec<BrokerUrl>,
    /// The ledger that its hosts commit to: postgres://… or a folder
    #[arg(long, value_name = "LEDGER")]
    state: Option<String>,
    /// Every shard, not only the 16 that are farthest behind
    #[arg(long)]
    all: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
It listens for one second or two, as everyone who has to do with a feed says once a second
how far it is, and it changes nothing. Without --state, cursors are those that running hosts say;
with it they are what is committed, whoever runs.

  lag      ticks that are published and not committed yet
  behind   how long ago the tick at the cursor was published, at the present speed
  waiting  messages in the strategy's queue that nobody was given yet

Examples:
  orchard status --feed btc --broker amqp://guest:guest@localhost:5672/%2f
  orchard status --feed btc --broker amqp://… --state postgres://orchard@db/orchard
  orchard status --feed btc --broker amqp://… --json | jq '.strategies[].lag'";

/// What a ledger knows of a feed.
pub(crate) struct LedgerSeen {
    pub(crate) id: String,
    /// The feed's runs, the newest first.
    pub(crate) runs: Vec<RunId>,
    /// Of the feed's newest run, as its ingester has it.
    pub(crate) lanes: Vec<LaneRow>,
    /// Those that live.
    pub(crate) members: Vec<MemberRow>,
}

pub(crate) fn run(args: &StatusArgs) -> Result<Ended> {
    let listening = Listening::listen(&args.broker, &args.feed)?;
    // At once: so cursors and what is published are of the same moment.
    let run = listening.state().run;
    let ledger = args.state.as_ref().map(|state| look_into(state, &args.feed, run)).transpose()?;
    let observation = listening.finish()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
    let standing = Standing::new(&observation, ledger.as_ref(), now);
    let text = match args.json {
        true => format!("{}\n", serde_json::to_string(&standing)?),
        false => show::standing(&standing, args.all),
    };
    io::stdout().write_all(text.as_bytes()).context("writing to standard output")?;
    Ok(Ended::Done)
}

fn look_into(state: &str, feed: &FeedName, run: RunId) -> Result<LedgerSeen> {
    let ledger = ledger::open_to_read(state)?;
    let mut members = ledger.members(run)?;
    members.retain(|row| row.silent < MEMBER_LIVES);
    let runs = ledger.runs(feed.as_ref())?.into_iter().map(|row| row.run).collect();
    Ok(LedgerSeen { id: ledger.id().to_owned(), runs, lanes: ledger.lanes(run)?, members })
}
