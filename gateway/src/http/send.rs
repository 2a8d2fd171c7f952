//! Requests that ask for something to be done: the command is on disk, and the answer is where its status is.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use bus::SendOptions;
use tick_sdk::api::Accepted;
use tick_sdk::contracts::{Command, CommandId};

use super::GatewayState;
use super::refusal::Refusal;
use super::scope::{Asked, correlation_header};

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
    let accepted = state.bus.send(command, asked.options()).await?;
    Ok(answer(accepted))
}

/// Puts a failed command back.
pub(super) async fn requeue(
    state: &GatewayState,
    asked: Asked,
    endpoint: &str,
    command_id: CommandId,
) -> Result<Response, Refusal> {
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
