//! What is printed: tables for people, JSON for programs.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use futures_util::StreamExt;
use serde::Serialize;
use serde_json::Value;
use tick_sdk::api::{CommandView, command_state};
use tick_sdk::client::{Client, ClientError, CommandRequest, Items, Retries, SentCommand};
use tick_sdk::contracts::CommandId;

use super::{Session, parse_duration};
use crate::stdout::stdout;
use crate::text::{aligned, printable};

/// Rows that are aligned with each other; a longer list is aligned anew after so many.
const ROWS: usize = 1000;

/// How answers are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    pub(super) is_json: bool,
}

/// How much of a list.
#[derive(Clone, Debug, Args)]
pub(super) struct ListArgs {
    /// So many at most
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "all")]
    limit: usize,
    /// All of them
    #[arg(long)]
    all: bool,
}

impl ListArgs {
    /// Of a list that is known to be short enough.
    pub(super) fn all() -> Self {
        Self { limit: usize::MAX, all: true }
    }

    pub(super) fn is_all(&self) -> bool {
        self.all
    }
}

/// How something is sent, and whether its end is waited for.
#[derive(Clone, Debug, Args)]
pub(super) struct SendArgs {
    /// Wait for the end, or at most so long, as --wait=30s
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, value_parser = parse_duration)]
    wait: Option<Option<Duration>>,
    /// The same request under the same key is done once
    #[arg(long, value_name = "TEXT")]
    idempotency_key: Option<String>,
}

/// A table of `T`.
pub(super) struct Columns<T> {
    pub(super) titles: &'static [&'static str],
    /// The columns of numbers, which are aligned at their ends.
    pub(super) numbers: &'static [usize],
    pub(super) row: fn(&T) -> Vec<String>,
}

impl Output {
    /// Prints a list: rows of a table, or an array.
    pub(super) async fn list<T: Serialize>(
        self,
        mut items: Items<T>,
        which: &ListArgs,
        columns: &Columns<T>,
    ) -> Result<()> {
        let mut shown = Shown::new(self.is_json, columns);
        let mut is_cut = false;
        while let Some(item) = items.next().await {
            let item = match item {
                Ok(item) => item,
                Err(error) => {
                    // What came before it is shown: it may be long that it took.
                    shown.flush()?;
                    return Err(error.into());
                }
            };
            if !which.all && shown.count == which.limit {
                is_cut = true;
                break;
            }
            shown.add(&item)?;
        }
        shown.end()?;
        if is_cut {
            eprintln!("There are more: --all shows them, --limit N so many.");
        }
        Ok(())
    }

    /// Prints one thing: its facts, a line each, or an object.
    pub(super) fn one(self, value: &impl Serialize, facts: &[(&str, String)]) -> Result<()> {
        if self.is_json {
            return self.json(value);
        }
        print(&lines(facts))
    }

    /// Prints a value as JSON on one line.
    pub(super) fn json(self, value: &impl Serialize) -> Result<()> {
        print(&format!("{}\n", serde_json::to_string(value)?))
    }
}

/// The part of a list that was shown.
struct Shown<'a, T> {
    is_json: bool,
    columns: &'a Columns<T>,
    rows: Vec<Vec<String>>,
    count: usize,
}

impl<'a, T: Serialize> Shown<'a, T> {
    fn new(is_json: bool, columns: &'a Columns<T>) -> Self {
        let titles = columns.titles.iter().map(|title| (*title).to_owned()).collect();
        Self { is_json, columns, rows: vec![titles], count: 0 }
    }

    fn add(&mut self, item: &T) -> Result<()> {
        self.count += 1;
        if self.is_json {
            let before = if self.count == 1 { '[' } else { ',' };
            return print(&format!("{before}{}", serde_json::to_string(item)?));
        }
        let row = (self.columns.row)(item);
        self.rows.push(row.iter().map(|cell| printable(cell)).collect());
        if self.rows.len() > ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        // Titles alone say nothing.
        if self.is_json || self.count == 0 {
            return Ok(());
        }
        print(&aligned(&std::mem::take(&mut self.rows), self.columns.numbers))
    }

    fn end(&mut self) -> Result<()> {
        match (self.is_json, self.count) {
            (true, 0) => print("[]\n"),
            (true, _) => print("]\n"),
            (false, 0) => {
                eprintln!("There are none.");
                Ok(())
            }
            (false, _) => self.flush(),
        }
    }
}

impl Session {
    /// Sends a command, and prints its id, or, where that is asked for, how it ended.
    pub(super) async fn send(&self, request: CommandRequest, how: &SendArgs) -> Result<()> {
        let sent = how.keyed(request).await?;
        match how.wait {
            Some(limit) => self.wait(&sent, limit).await,
            None => self.say_sent(&sent),
        }
    }

    /// Sends a wish that a failed command be tried again; its end is the end of that command.
    pub(super) async fn requeue(&self, command_id: CommandId, how: &SendArgs) -> Result<()> {
        let sent = how.keyed(self.client.requeue(command_id)).await?;
        let Some(limit) = how.wait else { return self.say_sent(&sent) };
        let requeued = self.patient().ended(sent.id(), limit).await?;
        if requeued.state != command_state::COMPLETED {
            self.out.one(&requeued, &command_facts(&requeued))?;
            return failure(requeued);
        }
        self.wait(&self.client.sent(command_id), limit).await
    }

    /// Prints the id of what was sent.
    fn say_sent(&self, sent: &SentCommand) -> Result<()> {
        let (command_id, correlation_id) = (sent.id(), sent.correlation_id());
        if self.out.is_json {
            let accepted = serde_json::json!({ "commandId": command_id, "correlationId": correlation_id });
            return self.out.json(&accepted);
        }
        print(&format!("{command_id}  accepted: orchard ctl commands wait {command_id}\n"))
    }

    /// Whoever waits for an hour outlasts a restart of the server.
    fn patient(&self) -> Client {
        self.client.clone().with_retries(Retries::default())
    }

    /// Waits for the end of a command, and prints it; an error unless it was carried out.
    pub(super) async fn wait(&self, sent: &SentCommand, limit: Option<Duration>) -> Result<()> {
        let ended = self.patient().ended(sent.id(), limit).await?;
        self.out.one(&ended, &command_facts(&ended))?;
        failure(ended)
    }
}

/// An error, unless the command was carried out.
fn failure(ended: CommandView) -> Result<()> {
    match ended.state.as_str() {
        command_state::FAILED => Err(ClientError::Failed(Box::new(ended)).into()),
        command_state::CANCELLED => Err(ClientError::Cancelled(Box::new(ended)).into()),
        _ => Ok(()),
    }
}

impl SendArgs {
    fn keyed(&self, request: CommandRequest) -> CommandRequest {
        match &self.idempotency_key {
            Some(key) => request.with_idempotency_key(key),
            None => request,
        }
    }
}

/// What is known of a command.
pub(super) fn command_facts(command: &CommandView) -> Vec<(&'static str, String)> {
    let id = |id: &Option<CommandId>| id.map(|id| id.to_string());
    let mut facts = vec![
        ("Command", command.command_id.to_string()),
        ("What", format!("{} at {}, asked by {}", command.command, command.endpoint, command.caller)),
        ("State", command.state.clone()),
        ("Attempts", command.attempts.to_string()),
        ("Accepted", command.accepted_at.clone()),
    ];
    let optional = [
        ("Started", command.started_at.clone()),
        ("Ended", command.ended_at.clone()),
        ("Again at", command.retry_at.clone()),
        ("Reason", command.reason.clone()),
        ("Caused by", id(&command.caused_by)),
        ("Requeued by", id(&command.requeued_by)),
        ("Refused", command.other_refused.clone()),
    ];
    facts.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    if let Some(Value::Object(result)) = &command.result {
        let members = result.iter().map(|(name, value)| format!("{name}: {}", plain(value)));
        facts.push(("Result", members.collect::<Vec<_>>().join("\n")));
    }
    facts
}

/// A JSON value; a text without its quotes.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value, or `-` where there is none.
pub(super) fn or_dash<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// Facts as lines: each name, and its value in a column of their own.
fn lines(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in facts {
        for (place, line) in value.lines().enumerate() {
            let name = if place == 0 { *name } else { "" };
            text.push_str(format!("{name:width$}  {}", printable(line)).trim_end());
            text.push('\n');
        }
    }
    text
}

/// Writes to standard output.
pub(super) fn print(text: &str) -> Result<()> {
    write!(stdout(), "{text}").context("writing to standard output")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_stand_in_two_columns() {
        let facts = [("State", "failed".to_owned()), ("Result", "a: 1\nb: \u{1b}[2J".to_owned())];
        assert_eq!(lines(&facts), "State   failed\nResult  a: 1\n        b: \\u{1b}[2J\n");
    }

    #[test]
    fn a_command_is_told_with_what_there_is() {
        let command = CommandView {
            command: "StartReplay".into(),
            state: "failed".into(),
            reason: Some("no such file".into()),
            result: Some(serde_json::json!({ "run": "r1", "ticks": 5 })),
            ..CommandView::default()
        };
        let facts = command_facts(&command);
        let value =
            |name: &str| facts.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        assert_eq!(value("Reason"), Some("no such file"));
        assert_eq!(value("Result"), Some("run: r1\nticks: 5"));
        assert_eq!(value("Ended"), None);
    }
}
