//! Commands: what has become of them, their causes and effects, and another try.

use std::time::Duration;

use super::call::Call;
use super::{Client, ClientError, CommandRequest, Items};
use crate::api::{CommandTree, CommandView};
use crate::contracts::CommandId;

/// Which commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandFilter {
    /// Only in this state: one of [`command_state`](crate::api::command_state).
    pub state: Option<String>,
}

impl Client {
    /// What has become of a command.
    pub async fn command(&self, command_id: CommandId) -> Result<CommandView, ClientError> {
        self.read(Call::get(self, &["api", "commands", &command_id.to_string()])?).await
    }

    /// The same, once the command has ended or `wait` is over.
    pub async fn command_after(
        &self,
        command_id: CommandId,
        wait: Duration,
    ) -> Result<CommandView, ClientError> {
        let call = Call::get(self, &["api", "commands", &command_id.to_string()])?;
        let text = format!("{}ms", wait.as_millis());
        self.read(call.query("wait", Some(text)).extra_time(wait)).await
    }

    /// A command's causes, and what it caused.
    pub async fn command_tree(&self, command_id: CommandId) -> Result<CommandTree, ClientError> {
        self.read(Call::get(self, &["api", "commands", &command_id.to_string(), "tree"])?).await
    }

    /// Commands, the newest first.
    pub fn commands(&self, filter: &CommandFilter) -> Items<CommandView> {
        let call = Call::get(self, &["api", "commands"]);
        self.items(call.map(|call| call.query("state", filter.state.as_deref())))
    }

    /// Has a failed command tried again. What is sent is a command of its own, which has ended when the failed one
    /// is accepted once more.
    pub fn requeue(&self, command_id: CommandId) -> CommandRequest {
        CommandRequest::new(self, self.post(&["api", "commands", &command_id.to_string(), "requeue"]))
    }
}
