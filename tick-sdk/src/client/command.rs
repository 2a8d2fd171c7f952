//! What asks for something to be done, and what became of it.

use std::future::IntoFuture;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::call::Call;
use super::{Client, ClientError};
use crate::api::{Accepted, CommandTree, CommandView, command_state};
use crate::contracts::{CommandId, ConversationId};

/// How long the server is asked to wait for a command to end, each time.
const WAIT: Duration = Duration::from_secs(20);

/// How long is waited where a server answers at once although it was asked to wait.
const PAUSE: Duration = Duration::from_millis(200);

/// A request for something to be done. Nothing happens until it is awaited.
///
/// Without a key of its own, each request is a command of its own. With one, the same request is the same
/// command, whoever sends it again: after a crash, say.
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct CommandRequest {
    client: Client,
    call: Result<Call, ClientError>,
    idempotency_key: Option<String>,
    correlation_id: Option<ConversationId>,
}

impl CommandRequest {
    pub(super) fn new(client: &Client, call: Result<Call, ClientError>) -> Self {
        Self { client: client.clone(), call, idempotency_key: None, correlation_id: None }
    }

    /// The same request under a key: with another body it is refused, with the same it is the same command.
    pub fn with_idempotency_key(self, key: impl Into<String>) -> Self {
        Self { idempotency_key: Some(key.into()), ..self }
    }

    /// The same request as a part of this tree of causes.
    pub fn with_correlation_id(self, correlation_id: ConversationId) -> Self {
        Self { correlation_id: Some(correlation_id), ..self }
    }
}

impl IntoFuture for CommandRequest {
    type Output = Result<SentCommand, ClientError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { client, call, idempotency_key, correlation_id } = self;
            let key = idempotency_key.unwrap_or_else(|| Uuid::new_v4().to_string());
            let call = call?.idempotency_key(key).correlation_id(correlation_id);
            let accepted: Accepted = client.read(call).await?;
            let Accepted { command_id, correlation_id, .. } = accepted;
            Ok(SentCommand { client, command_id, correlation_id: Some(correlation_id) })
        })
    }
}

/// A command that is on the server's disk: it will be carried out, or its status says why not.
#[derive(Clone, Debug)]
pub struct SentCommand {
    client: Client,
    command_id: CommandId,
    correlation_id: Option<ConversationId>,
}

impl SentCommand {
    /// The command's id. It is also that of the user or the replay which the command makes.
    pub fn id(&self) -> CommandId {
        self.command_id
    }

    /// The tree of causes that it belongs to, where this client sent it.
    pub fn correlation_id(&self) -> Option<ConversationId> {
        self.correlation_id
    }

    /// What has become of it by now.
    pub async fn status(&self) -> Result<CommandView, ClientError> {
        self.client.command(self.id()).await
    }

    /// Its causes and what it caused.
    pub async fn tree(&self) -> Result<CommandTree, ClientError> {
        self.client.command_tree(self.id()).await
    }

    /// Waits until it is carried out and what it made can be read. However long that takes: to stop waiting,
    /// drop the future, or use [`completed_within`](Self::completed_within).
    ///
    /// # Errors
    /// [`ClientError::Failed`] with the reason, [`ClientError::Cancelled`], or whatever a request may meet.
    pub async fn completed(&self) -> Result<CommandView, ClientError> {
        let ended = self.client.ended(self.id(), None).await?;
        into_completed(ended)
    }

    /// As [`completed`](Self::completed), with [`ClientError::NotEnded`] after so long.
    pub async fn completed_within(&self, limit: Duration) -> Result<CommandView, ClientError> {
        let ended = self.client.ended(self.id(), Some(limit)).await?;
        into_completed(ended)
    }
}

/// The command, if it was carried out.
pub(super) fn into_completed(ended: CommandView) -> Result<CommandView, ClientError> {
    match ended.state.as_str() {
        command_state::FAILED => Err(ClientError::Failed(Box::new(ended))),
        command_state::CANCELLED => Err(ClientError::Cancelled(Box::new(ended))),
        _ => Ok(ended),
    }
}

impl Client {
    /// A command that was sent before, by its id.
    pub fn sent(&self, command_id: CommandId) -> SentCommand {
        SentCommand { client: self.clone(), command_id, correlation_id: None }
    }

    /// Waits until a command has ended, in whichever way.
    pub async fn ended(
        &self,
        command_id: CommandId,
        limit: Option<Duration>,
    ) -> Result<CommandView, ClientError> {
        let began = Instant::now();
        loop {
            let left = limit.map(|limit| limit.saturating_sub(began.elapsed()));
            let wait = left.map_or(WAIT, |left| left.min(WAIT));
            let asked = Instant::now();
            let seen = self.command_after(command_id, wait).await?;
            if command_state::is_final(&seen.state) {
                return Ok(seen);
            }
            if let Some(within) = limit.filter(|limit| began.elapsed() >= *limit) {
                return Err(ClientError::NotEnded { command_id, within });
            }
            tokio::time::sleep(PAUSE.saturating_sub(asked.elapsed())).await;
        }
    }
}
