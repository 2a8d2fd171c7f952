//! `orchard deadletters`: what is not a frame of a feed, why, and what becomes of it.

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use tick_feed::rabbitmq::dead_letters::MAX_TAKEN;
use tick_feed::rabbitmq::{BrokerUrl, DeadLetterError, DeadLetters, event_loop};
use tick_sdk::names::FeedName;

use crate::ended::{Ended, UsageError};
use crate::text::counted;

mod show;

/// Options of `orchard deadletters`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct DeadLettersArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every dead letter: when, from which queue, how large, why
    List(WhereArgs),
    /// One of them: what frame it claims to be, and its first bytes
    Show(ShowArgs),
    /// Publish them to the queue they were in
    Requeue(WhichArgs),
    /// Remove them for ever
    Drop(WhichArgs),
}

/// Of which feed.
#[derive(Debug, Args)]
struct WhereArgs {
    /// The feed
    #[arg(long, value_name = "NAME")]
    feed: FeedName,
    /// Its brokers
    #[arg(long, value_name = "URL", required = true)]
    broker: Vec<BrokerUrl>,
    /// JSON on one line: an array of all, an object of one
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Its number in the list
    #[arg(value_name = "N")]
    number: usize,
    #[command(flatten)]
    place: WhereArgs,
}

#[derive(Debug, Args)]
struct WhichArgs {
    /// Its number in the list
    #[arg(value_name = "N", required_unless_present = "all", conflicts_with = "all")]
    number: Option<usize>,
    /// All of them
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: WhereArgs,
}

const AFTER_HELP: &str = "\
A message that is not a frame of its feed (damaged, of another version, of a foreign exchange) is stored
on its broker with the reason, and the rest of the feed goes on. Looking changes nothing. A number is
a place in the list: it holds until one before it is requeued or dropped.

Examples:
  orchard deadletters list --feed btc --broker amqp://guest:guest@localhost:5672/%2f
  orchard deadletters show 1 --feed btc --broker amqp://…
  orchard deadletters requeue 1 --feed btc --broker amqp://…
  orchard deadletters drop --all --feed btc --broker amqp://…";

pub(crate) fn run(args: DeadLettersArgs) -> Result<Ended> {
    event_loop()?.block_on(act(&args.action))?;
    Ok(Ended::Done)
}

async fn act(action: &Action) -> Result<()> {
    match action {
        Action::List(place) => list(place).await,
        Action::Show(args) => show_one(args).await,
        Action::Requeue(which) => {
            each(which, "requeued", async |all, number| all.requeue(number).await).await
        }
        Action::Drop(which) => each(which, "dropped", async |all, number| all.remove(number).await).await,
    }
}

async fn list(place: &WhereArgs) -> Result<()> {
    let taken = place.take(MAX_TAKEN).await?;
    let text = if place.json { show::json_list(&taken) } else { show::list(&taken, place.broker.len() > 1) };
    // Before anything is written: whoever reads it may be gone, and the letters must go back.
    taken.close().await?;
    print(&text)
}

async fn show_one(args: &ShowArgs) -> Result<()> {
    let taken = args.place.take(numbered(args.number)?).await?;
    let letter = taken.get(args.number)?;
    let text = if args.place.json {
        format!("{}\n", show::json(args.number, letter, true))
    } else {
        show::letter(args.number, letter)
    };
    taken.close().await?;
    print(&text)
}

/// Does something to one, or to all that are there now.
async fn each(
    which: &WhichArgs,
    done: &str,
    action: impl AsyncFn(&DeadLetters, usize) -> Result<(), DeadLetterError>,
) -> Result<()> {
    let taken = which.place.take(which.number.map_or(Ok(MAX_TAKEN), numbered)?).await?;
    let numbers = which.number.map_or(1..=taken.len(), |number| number..=number);
    let mut count = 0;
    // The first that cannot be is the end, and those before it are done.
    let mut outcome = Ok(());
    for number in numbers {
        outcome = action(&taken, number).await;
        if outcome.is_err() {
            break;
        }
        count += 1;
    }
    let left = taken.len() - count;
    taken.close().await?;
    if which.place.json {
        print(&format!("{}\n", serde_json::json!({ done: count, "left": left })))?;
    } else if count > 0 || outcome.is_ok() {
        print(&format!("{} {done}\n", counted(count as u64, "dead letter")))?;
    }
    Ok(outcome?)
}

impl WhereArgs {
    async fn take(&self, limit: usize) -> Result<DeadLetters> {
        Ok(DeadLetters::take(&self.broker, &self.feed, limit).await?)
    }
}

fn numbered(number: usize) -> Result<usize> {
    match number {
        0 => Err(UsageError("dead letters are counted from 1".to_owned()).into()),
        number => Ok(number),
    }
}

fn print(text: &str) -> Result<()> {
    io::stdout().write_all(text.as_bytes()).context("writing to standard output")
}
