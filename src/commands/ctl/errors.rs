//! `orchard ctl errors`: messages that failed, on the gateway's broker.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use tick_sdk::api::{
    DiscardErrorsBody, ErrorDetailView, ErrorQueueView, ErrorView, ErrorsDone, MoveErrorsBody,
    RequeueErrorsBody,
};
use tick_sdk::client::ErrorFilter;

use super::Session;
use super::output::{Columns, ListArgs, or_dash};
use crate::ended::UsageError;
use crate::text::{bytes, counted, thousands};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// The queues: how many messages, since when, why the newest failed
    Queues(ListArgs),
    /// Messages of a queue, the newest first
    List(ErrorsArgs),
    /// One in full: reason, stack, what was sent, by whom, caused by what
    Show {
        /// The queue
        #[arg(value_name = "QUEUE")]
        queue: String,
        /// Its own id, its message's or its command's
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Give them at once to the endpoint where they failed, as they were sent, with the same ids
    Requeue(RequeueArgs),
    /// Give them at once to another queue, with the headers that say how they failed
    Move(MoveArgs),
    /// Write them down in the server's folder of state, and remove them at once
    Discard(TargetArgs),
}

#[derive(Debug, Args)]
pub(super) struct ErrorsArgs {
    /// The queue
    #[arg(value_name = "QUEUE")]
    queue: String,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    which: ListArgs,
}

/// Which messages.
#[derive(Debug, Args)]
struct FilterArgs {
    /// Whose type has this in it, such as CreateUser
    #[arg(long = "type", value_name = "TEXT")]
    message_type: Option<String>,
    /// Whose reason or exception has this in it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// That failed so long ago, or longer, as 2h or 30d
    #[arg(long, value_name = "TIME")]
    older_than: Option<String>,
    /// That failed since so long ago
    #[arg(long, value_name = "TIME")]
    newer_than: Option<String>,
}

/// Those that something is done with.
#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// The queue
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// Whose message, command or own id is this
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// All of the queue
    #[arg(long)]
    all: bool,
    /// At most so many [default: 1,000]
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Do nothing: say what would be done with which
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct RequeueArgs {
    /// Another endpoint's exchange
    #[arg(long, value_name = "EXCHANGE")]
    to: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Args)]
pub(super) struct MoveArgs {
    /// The queue, which must be there
    #[arg(long, value_name = "QUEUE")]
    to: String,
    #[command(flatten)]
    target: TargetArgs,
}

const QUEUES: Columns<ErrorQueueView> = Columns {
    titles: &["queue", "messages", "oldest", "newest", "why"],
    numbers: &[1],
    row: |queue| {
        vec![
            queue.name.clone(),
            thousands(queue.messages),
            or_dash(queue.oldest_at.as_ref()),
            or_dash(queue.newest_at.as_ref()),
            or_dash(queue.newest_reason.as_ref()),
        ]
    },
};

const ERRORS: Columns<ErrorView> = Columns {
    titles: &["id", "failed", "type", "why"],
    numbers: &[],
    row: |error| {
        vec![
            error.id.clone(),
            or_dash(error.failed_at.as_ref().or(error.sent_at.as_ref())),
            or_dash(error.message_type.as_ref()),
            error.reason.clone(),
        ]
    },
};

pub(super) async fn act(action: &Action, session: &Session) -> Result<()> {
    let client = &session.client;
    match action {
        Action::Queues(which) => session.out.list(client.error_queues(), which, &QUEUES).await,
        Action::List(ErrorsArgs { queue, filter, which }) => {
            session.out.list(client.errors(queue, &filter.filter()), which, &ERRORS).await
        }
        Action::Show { queue, id } => {
            let error = client.error(queue, id).await?;
            session.out.one(&error, &facts(&error))
        }
        Action::Requeue(RequeueArgs { to, target }) => {
            target.check()?;
            let DiscardErrorsBody { ids, message_type, reason, older_than, newer_than, all, limit, dry_run } =
                target.body();
            let to = to.clone();
            let body = RequeueErrorsBody {
                ids,
                message_type,
                reason,
                older_than,
                newer_than,
                all,
                limit,
                dry_run,
                to,
            };
            say(&client.requeue_errors(&target.queue, &body).await?, "requeued", session)
        }
        Action::Move(MoveArgs { to, target }) => {
            target.check()?;
            let DiscardErrorsBody { ids, message_type, reason, older_than, newer_than, all, limit, dry_run } =
                target.body();
            let to = to.clone();
            let body =
                MoveErrorsBody { ids, message_type, reason, older_than, newer_than, all, limit, dry_run, to };
            say(&client.move_errors(&target.queue, &body).await?, "moved", session)
        }
        Action::Discard(target) => {
            target.check()?;
            say(&client.discard_errors(&target.queue, &target.body()).await?, "discarded", session)
        }
    }
}

impl FilterArgs {
    fn filter(&self) -> ErrorFilter {
        let Self { message_type, reason, older_than, newer_than } = self;
        ErrorFilter {
            message_type: message_type.clone(),
            reason: reason.clone(),
            older_than: older_than.clone(),
            newer_than: newer_than.clone(),
        }
    }
}

impl TargetArgs {
    fn check(&self) -> Result<(), UsageError> {
        let is_any = self.ids.is_empty() && self.filter.filter() == ErrorFilter::default();
        if self.all == is_any {
            return Ok(());
        }
        let advice = "say which: by ids, --type, --reason, --older-than or --newer-than, or --all of them";
        Err(UsageError(advice.to_owned()))
    }

    fn body(&self) -> DiscardErrorsBody {
        let ErrorFilter { message_type, reason, older_than, newer_than } = self.filter.filter();
        DiscardErrorsBody {
            ids: self.ids.clone(),
            message_type,
            reason,
            older_than,
            newer_than,
            all: Some(self.all),
            limit: self.limit,
            dry_run: Some(self.dry_run),
        }
    }
}

/// Says what was done; an error where some stay.
fn say(done: &ErrorsDone, what: &str, session: &Session) -> Result<()> {
    let count = if done.is_dry_run { done.selected } else { done.done };
    let would = if done.is_dry_run { "would be " } else { "" };
    let mut facts = vec![("Done", format!("{} {would}{what}", counted(count, "message")))];
    if done.is_dry_run {
        let ids: Vec<_> = done.first.iter().map(|one| format!("{}  {}", one.id, one.reason)).collect();
        facts.push(("Which", ids.join("\n")));
    }
    let stays: Vec<_> = done.stays.iter().map(|one| format!("{}: {}", one.message.id, one.reason)).collect();
    facts.push(("Stay", stays.join("\n")));
    facts.extend(done.record.clone().map(|record| ("Written to", format!("{record} in the server's state"))));
    if done.is_cut {
        facts.push(("More", "there may be: run it again, or give a higher --limit".to_owned()));
    }
    session.out.one(done, &facts)?;
    if done.stayed > 0 {
        bail!("{} where they were", counted(done.stayed, "message") + " stay");
    }
    Ok(())
}

fn facts(error: &ErrorDetailView) -> Vec<(&'static str, String)> {
    let message = &error.message;
    let host = [&error.host.machine, &error.host.process, &error.host.version];
    let host = host.into_iter().flatten().cloned().collect::<Vec<_>>().join(", ");
    let optional = [
        ("Exception", message.exception_type.clone()),
        ("Consumer", error.consumer_type.clone()),
        ("Failed", message.failed_at.clone()),
        ("In", Some(host).filter(|host| !host.is_empty())),
        ("Retries", error.retries.map(|retries| retries.to_string())),
        ("Unreadable", error.unreadable.clone()),
        ("Type", Some(error.message_types.join("\n"))),
        ("Sent", message.sent_at.clone()),
        ("From", error.source_address.clone()),
        ("To", error.destination_address.clone()),
        ("Answer to", error.response_address.clone()),
        ("Command", message.command_id.clone()),
        ("Caused by", error.initiator_id.clone()),
        ("First cause", error.conversation_id.clone()),
        ("Request", error.request_id.clone()),
        ("Requeued to", message.endpoint.clone()),
        ("Came by", error.came_by.clone()),
        ("Size", Some(bytes(message.bytes))),
        ("Stack", error.stack_trace.clone()),
        ("Original", error.body.clone().or_else(|| error.body_base64.clone())),
    ];
    let mut facts = vec![
        ("Id", message.id.clone()),
        ("Queue", message.queue.clone()),
        ("Kind", message.kind.clone()),
        ("Why", message.reason.clone()),
    ];
    facts.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    facts
}
