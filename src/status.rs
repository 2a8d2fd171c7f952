//! `orchard status`: how a feed stands, from its ingester to the last commit.

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::Args;
use strategy_host::status::{StatusPlan, feed_status};
use tick_feed::rabbitmq::{BrokerUrl, event_loop};
use tick_sdk::names::FeedName;

use crate::ended::Ended;

mod show;

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
It takes a second or two, as everyone who has part in a feed announces once a second how far it
is, and it changes nothing. Without --state, cursors are those that running hosts report; with it
they are what is committed, whoever runs.

  lag      ticks that are published and not committed yet
  behind   how long ago the tick at the cursor was published, at the present speed
  waiting  messages in the strategy's queue that were not delivered yet

Examples:
  orchard status --feed btc --broker amqp://guest:guest@localhost:5672/%2f
  orchard status --feed btc --broker amqp://… --state postgres://orchard@db/orchard
  orchard status --feed btc --broker amqp://… --json | jq '.strategies[].lag'";

pub(crate) fn run(args: &StatusArgs) -> Result<Ended> {
    let plan =
        StatusPlan { feed: args.feed.clone(), brokers: args.broker.clone(), ledger: args.state.clone() };
    let status = event_loop()?.block_on(feed_status(&plan))?;
    let text = if args.json {
        format!("{}\n", serde_json::to_string(&status)?)
    } else {
        show::feed_status(&status, args.all)
    };
    io::stdout().write_all(text.as_bytes()).context("writing to standard output")?;
    Ok(Ended::Done)
}
