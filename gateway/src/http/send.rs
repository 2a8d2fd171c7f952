//! Requests that ask for something to be done: the command is on disk, and the answer is where its status is.
//!
//! Where the command's endpoint is another process's, only that one finds out for certain that an `Idempotency-Key` was
//! used with another body: its inbox has the first. What the documents say of it is asked before.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use bus::{SendError, SendOptions};
use serde::Serialize;
use tick_sdk::api::Accepted;
use tick_sdk::contracts::bus::RequeueCommand;
use tick_sdk::contracts::{Command, CommandId};
use uuid::Uuid;

use super::GatewayState;
use super::refusal::Refusal;
use super::scope::{Asked, correlation_header};
use crate::projections::commands::KEYED;

impl Asked {
    fn options(self) -> SendOptions {
        SendOptions {
            command_id: self.command_id,
            conversation_id: self.conversation_id,
            initiator_id: None,
            caller: self.caller.to_owned(),
        }
    }
}

/// Sends a command to its endpoint.
pub(super) async fn send<C: Command>(
    state: &GatewayState,
    asked: Asked,
    command: &C,
) -> Result<Response, Refusal> {
    refuse_other_body(state, &asked, C::NAME, command).await?;
    let accepted = state.bus.send(command, asked.options()).await?;
    Ok(answer(accepted))
}

/// Refuses a command whose id is known to be another's.
async fn refuse_other_body(
    state: &GatewayState,
    asked: &Asked,
    name: &str,
    command: &impl Serialize,
) -> Result<(), Refusal> {
    let Some(command_id) = asked.command_id.filter(|_| state.sends_elsewhere) else { return Ok(()) };
    // Documents that cannot be read refuse nobody: the inbox decides.
    let known = state.documents.read(&KEYED, &command_id.to_string()).await.ok().flatten();
    let known = known.and_then(|text| serde_json::from_str::<Option<Uuid>>(text.as_str()).ok().flatten());
    let body = serde_json::to_string(command).unwrap_or_default();
    if known.is_some_and(|known| known != bus::body_hash(name, &body)) {
        return Err(SendError::OtherBody { command_id }.into());
    }
    Ok(())
}

/// Puts a failed command back.
pub(super) async fn requeue(
    state: &GatewayState,
    asked: Asked,
    endpoint: &str,
    command_id: CommandId,
) -> Result<Response, Refusal> {
    refuse_other_body(state, &asked, RequeueCommand::NAME, &RequeueCommand { command_id }).await?;
    let accepted = state.bus.requeue(endpoint, command_id, asked.options()).await?;
    Ok(answer(accepted))
}

fn answer(accepted: bus::Accepted) -> Response {
    let bus::Accepted { command_id, conversation_id, .. } = accepted;
    let status = format!("/api/commands/{command_id}");
    let location = [(LOCATION, status.clone())];
    let body = Accepted { command_id, correlation_id: conversation_id, status };
    let mut answer = (StatusCode::ACCEPTED, location, Json(body)).into_response();
    let (name, value) = correlation_header(conversation_id);
    answer.headers_mut().insert(name, value);
    answer
}
