//! `orchard ctl commands`.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use tick_sdk::api::{CommandNode, CommandTree, CommandView};
use tick_sdk::client::CommandFilter;
use tick_sdk::contracts::CommandId;

use super::output::{Columns, ListArgs, SendArgs, command_facts, print};
use super::{Session, parse_duration};
use crate::text::printable;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Commands, the newest first
    List(CommandsArgs),
    /// What has become of one, and why
    Show {
        /// The command
        #[arg(value_name = "COMMANDID")]
        command: CommandId,
    },
    /// Its causes, and what it caused
    Tree {
        /// The command
        #[arg(value_name = "COMMANDID")]
        command: CommandId,
    },
    /// Wait until it has ended; fails if it did
    Wait(WaitArgs),
    /// Have a failed command tried again; --wait waits for the end of that command
    Requeue(RequeueArgs),
}

#[derive(Debug, Args)]
pub(super) struct CommandsArgs {
    /// Only those that are accepted, processing, completed, failed or cancelled
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    #[command(flatten)]
    which: ListArgs,
}

#[derive(Debug, Args)]
pub(super) struct WaitArgs {
    /// The command
    #[arg(value_name = "COMMANDID")]
    command: CommandId,
    /// At most so long, as 30s; it goes on after that
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    limit: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct RequeueArgs {
    /// The command that failed
    #[arg(value_name = "COMMANDID")]
    command: CommandId,
    #[command(flatten)]
    send: SendArgs,
}

const COLUMNS: Columns<CommandView> = Columns {
    titles: &["command", "what", "state", "attempts", "accepted", "reason"],
    numbers: &[3],
    row: |command| {
        vec![
            command.command_id.to_string(),
            command.command.clone(),
            command.state.clone(),
            command.attempts.to_string(),
            command.accepted_at.clone(),
            command.reason.clone().unwrap_or_default(),
        ]
    },
};

pub(super) async fn act(action: &Action, session: &Session) -> Result<()> {
    let client = &session.client;
    match action {
        Action::List(CommandsArgs { state, which }) => {
            let commands = client.commands(&CommandFilter { state: state.clone() });
            session.out.list(commands, which, &COLUMNS).await
        }
        Action::Show { command } => {
            let command = client.command(*command).await?;
            session.out.one(&command, &command_facts(&command))
        }
        Action::Tree { command } => {
            let tree = client.command_tree(*command).await?;
            if session.out.is_json { session.out.json(&tree) } else { print(&drawn(&tree)) }
        }
        Action::Wait(WaitArgs { command, limit }) => session.wait(&client.sent(*command), *limit).await,
        Action::Requeue(RequeueArgs { command, send }) => session.requeue(*command, send).await,
    }
}

/// The tree, a command a line, its effects further in; the one that was asked about has a star.
fn drawn(tree: &CommandTree) -> String {
    let mut text = String::new();
    let mut rest = vec![(0, &tree.root)];
    while let Some((level, CommandNode { command, caused })) = rest.pop() {
        let mark = if command.command_id == tree.command_id { " *" } else { "" };
        let reason = command.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let CommandView { command_id, command: what, state, .. } = command;
        let line = format!("{command_id}  {what}  {state}{reason}{mark}");
        text.push_str(&"  ".repeat(level));
        text.push_str(&printable(&line));
        text.push('\n');
        rest.extend(caused.iter().rev().map(|node| (level + 1, node)));
    }
    if tree.is_cut {
        text.push_str("There are more.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_drawn_with_effects_further_in() {
        let id = |n: u128| CommandId(uuid::Uuid::from_u128(n));
        let node = |n: u128, what: &str, caused: Vec<CommandNode>| CommandNode {
            command: CommandView {
                command_id: id(n),
                command: what.into(),
                state: "completed".into(),
                ..CommandView::default()
            },
            caused,
        };
        let root = node(1, "A", vec![node(2, "B", vec![node(3, "C", vec![])]), node(4, "D", vec![])]);
        let tree = CommandTree { command_id: id(3), causes: vec![id(1), id(2), id(3)], root, is_cut: true };
        let lines: Vec<_> = drawn(&tree).lines().map(str::to_owned).collect();
        let place = |line: &str, what: &str| line.find(what).map(|at| at - id(1).to_string().len());
        assert_eq!(place(&lines[0], "A"), Some(2));
        assert_eq!(place(&lines[1], "B"), Some(4));
        assert_eq!(place(&lines[2], "C"), Some(6));
        assert!(lines[2].ends_with("completed *"), "{}", lines[2]);
        assert_eq!(place(&lines[3], "D"), Some(4));
        assert_eq!(lines[4], "There are more.");
    }
}
