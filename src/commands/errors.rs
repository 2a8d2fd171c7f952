//! `orchard errors`: what failed on a broker, why, and what becomes of it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use tick_feed::rabbitmq::{BrokerUrl, event_loop};
use tick_sdk::contracts::KnownCommand;
use tick_sdk::contracts::envelope::UtcTime;
use tick_sdk::names::FeedName;
use tick_sdk::quantity::parse_duration_ns;
use triage::{Acted, Action, FailedQueue, Filter, Found, Names, Record, Selection, Sight, Triage};

use crate::ended::{Ended, UsageError};
use crate::sources::on_interrupt;
use crate::text::counted;

mod frames;
mod show;

/// Options of `orchard errors`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ErrorsArgs {
    #[command(subcommand)]
    action: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Each queue: how many, since when, why the last one failed; with --messages each message
    List(ListArgs),
    /// Some of them in full: reason, stack, what was sent, by whom, caused by what
    Show(ShowArgs),
    /// Give them to the endpoint where they failed, as they were sent, with the same ids
    Requeue(RequeueArgs),
    /// Give them to another queue, with the headers that say how they failed
    Move(MoveArgs),
    /// Write them to a file, and remove them
    Discard(DiscardArgs),
}

/// Where to look.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where")]
struct WhereArgs {
    /// The broker; of several that are no cluster, each
    #[arg(long, value_name = "URL", required = true)]
    broker: Vec<BrokerUrl>,
    /// Its management API, which knows all queues; `none` to do without [default: port 15672 of its host]
    #[arg(long, value_name = "URL")]
    management: Option<String>,
    /// Only this queue
    #[arg(long, value_name = "NAME")]
    queue: Vec<String>,
    /// Only the queues NAME_error and NAME_skipped
    #[arg(long, value_name = "NAME")]
    endpoint: Vec<String>,
    /// Only the dead letters of this feed
    #[arg(long, value_name = "NAME")]
    feed: Vec<FeedName>,
    /// JSON on one line
    #[arg(long)]
    json: bool,
}

/// Which messages.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which")]
struct WhichArgs {
    /// Whose message, command or own id is this
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Whose type has this in it, such as CreateUser
    #[arg(long = "type", value_name = "TEXT")]
    message_type: Option<String>,
    /// Whose reason or exception has this in it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// That failed so long ago, or longer
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    older_than: Option<Duration>,
    /// That failed since so long ago
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    newer_than: Option<Duration>,
    /// At most so many messages [default: 100 are listed, 10 shown, all requeued, moved or discarded]
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Of each queue, look at so many messages at most [default: 10,000 where queues are listed, else 1 million]
    #[arg(long, value_name = "N")]
    scan: Option<u64>,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Each message on a line, rather than each queue
    #[arg(long, short)]
    messages: bool,
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    place: WhereArgs,
}

#[derive(Debug, Args)]
struct ShowArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    place: WhereArgs,
}

/// Those that something is done with.
#[derive(Debug, Args)]
struct TargetArgs {
    /// All of them
    #[arg(long)]
    all: bool,
    /// Do nothing: say what would be done with which
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    place: WhereArgs,
}

#[derive(Debug, Args)]
struct RequeueArgs {
    /// Another endpoint's exchange
    #[arg(long, value_name = "EXCHANGE")]
    to: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Args)]
struct MoveArgs {
    /// The queue, which must be there
    #[arg(long, value_name = "QUEUE")]
    to: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Args)]
struct DiscardArgs {
    /// The file, to which each is appended as a line of JSON
    #[arg(long, value_name = "FILE", default_value = "discarded.jsonl")]
    record: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
}

const AFTER_HELP: &str = "\
What failed is in a queue of its own: NAME_error where a handler gave up, NAME_skipped where there is none, of
Orchard's endpoints and of .NET services (MassTransit) alike; and orchard.FEED.dead for what is not a frame of
its feed. Looking loses nothing, and never uses up the delivery limit of a quorum queue; there, what was looked
at goes to the end of the queue. What is requeued keeps its ids, so that whoever has handled it already does
not do so twice; should this program be killed, the last ones may be in both places, with the same ids.

Examples (A is amqp://guest:guest@localhost:5672/%2f):
  orchard errors list --broker $A
  orchard errors list --messages --endpoint create-user --broker $A
  orchard errors show 0197f0aa-0000-7000-8000-000000000001 --broker $A
  orchard errors requeue --type CreateUser --reason timeout --dry-run --broker $A
  orchard errors requeue 0197f0aa-0000-7000-8000-000000000001 --broker $A
  orchard errors move --endpoint create-user --older-than 30d --to parked --broker $A
  orchard errors discard --feed btc --all --record discarded.jsonl --broker $A

Exit codes: 0 done, 1 failed, or some stay, 2 wrong usage, 130 interrupted after a clean end.";

/// To list the queues, so many messages of each are looked at, unless it is said.
const SURVEYED: u64 = 10_000;
/// For everything else.
const SCANNED: u64 = 1_000_000;

fn parse_duration(text: &str) -> Result<Duration, String> {
    Ok(Duration::from_nanos(parse_duration_ns(text).map_err(|error| error.to_string())?))
}

pub(crate) fn run(args: ErrorsArgs) -> Result<Ended> {
    event_loop()?.block_on(act(args.action))
}

async fn act(what: What) -> Result<Ended> {
    match what {
        What::List(args) if args.messages => messages(&args.place, &args.which).await,
        What::List(args) => queues(&args.place, &args.which).await,
        What::Show(args) => show_some(&args.place, &args.which).await,
        What::Requeue(args) => each(&args.target, &Action::Requeue { to: args.to }, "requeued").await,
        What::Move(args) => each(&args.target, &Action::Move { to: args.to }, "moved").await,
        What::Discard(args) => {
            let record = Record::open(&args.record)?;
            each(&args.target, &Action::Discard { record }, "discarded").await
        }
    }
}

async fn queues(place: &WhereArgs, which: &WhichArgs) -> Result<Ended> {
    let selection = which.selection(u64::MAX, SURVEYED);
    let mut brokers = Vec::new();
    for url in &place.broker {
        let (triage, found) = place.open(url).await?;
        let mut surveys = Vec::new();
        for queue in &found.queues {
            surveys.push(triage.survey(queue, &selection).await?);
        }
        triage.close().await;
        brokers.push(show::Queues { broker: url.to_string(), source: found.source, queues: surveys });
    }
    place.print(|| show::queues(&brokers), || show::json_queues(&brokers))
}

async fn messages(place: &WhereArgs, which: &WhichArgs) -> Result<Ended> {
    let selection = which.selection(100, SCANNED);
    let mut brokers = Vec::new();
    for url in &place.broker {
        let (triage, found) = place.open(url).await?;
        let listed = triage.entries(&found.queues, &selection).await?;
        triage.close().await;
        brokers.push(show::Messages { broker: url.to_string(), source: found.source, listed });
    }
    place.print(|| show::messages(&brokers), || show::json_messages(&brokers))
}

async fn show_some(place: &WhereArgs, which: &WhichArgs) -> Result<Ended> {
    let selection = which.selection(10, SCANNED);
    let mut all = Vec::new();
    for url in &place.broker {
        let (triage, found) = place.open(url).await?;
        all.extend(triage.show(&found.queues, &selection).await?);
        triage.close().await;
    }
    if all.is_empty() {
        return Err(anyhow::anyhow!(
            "no such message failed: `orchard errors list --messages` shows all that did"
        ));
    }
    place.print(|| all.iter().map(show::one).collect::<Vec<_>>().join("\n"), || show::json_shown(&all))
}

/// Does something with those that are meant, on one broker after the other.
async fn each(target: &TargetArgs, action: &Action, done: &str) -> Result<Ended> {
    let selection = target.which.selection(u64::MAX, SCANNED);
    if target.all != selection.filter.is_empty() {
        let advice = "say which: by ids, --type, --reason, --older-than or --newer-than, or --all of them";
        return Err(UsageError(advice.to_owned()).into());
    }
    let stop = Arc::<AtomicBool>::default();
    let on_stop = stop.clone();
    on_interrupt(move || on_stop.store(true, Ordering::Relaxed))?;
    let place = &target.place;
    let mut all = Acted::default();
    for url in &place.broker {
        let (triage, found) = place.open(url).await?;
        let selection = Selection { limit: selection.limit - all.selected, ..selection.clone() };
        let queues: Vec<FailedQueue> = found.queues;
        let acted = if target.dry_run {
            triage.dry_run(&queues, &selection, action).await?
        } else {
            triage.act(&queues, &selection, action, &stop).await?
        };
        triage.close().await;
        all.add(acted);
    }
    place.print(|| show::acted(&all, done, target.dry_run), || show::json_acted(&all))?;
    if all.stayed > 0 {
        return Err(anyhow::anyhow!("{} where they were", counted(all.stayed, "message") + " stay"));
    }
    Ok(if stop.load(Ordering::Relaxed) { Ended::Interrupted } else { Ended::Done })
}

impl WhereArgs {
    async fn open(&self, url: &BrokerUrl) -> Result<(Triage, Found)> {
        let sight = match self.management.as_deref() {
            None => Sight::ManagementBeside,
            Some("none") => Sight::ByName,
            Some(address) => Sight::Management(address.to_owned()),
        };
        let triage = Triage::open(url, sight).await?;
        let found = triage.find(&self.names()).await?;
        Ok((triage, found))
    }

    fn names(&self) -> Names {
        let known: BTreeSet<_> = KnownCommand::all().iter().map(|command| command.endpoint).collect();
        Names {
            queues: self.queue.clone(),
            endpoints: self.endpoint.clone(),
            feeds: self.feed.iter().map(ToString::to_string).collect(),
            known_endpoints: known.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Whoever reads it may be gone, so everything has its place before this.
    fn print(&self, text: impl Fn() -> String, json: impl Fn() -> serde_json::Value) -> Result<Ended> {
        let text = if self.json { format!("{}\n", json()) } else { text() };
        crate::stdout::stdout().write_all(text.as_bytes()).context("writing to standard output")?;
        Ok(Ended::Done)
    }
}

impl WhichArgs {
    fn selection(&self, limit: u64, scan: u64) -> Selection {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let before = |age: Duration| {
            let ms = now.saturating_sub(age).as_millis();
            UtcTime::from_unix_ms(u64::try_from(ms).unwrap_or(0))
        };
        let filter = Filter {
            ids: self.ids.clone(),
            message_type: self.message_type.clone(),
            reason: self.reason.clone(),
            until: self.older_than.and_then(before),
            since: self.newer_than.and_then(before),
        };
        Selection { filter, limit: self.limit.unwrap_or(limit), scan: self.scan.unwrap_or(scan) }
    }
}
