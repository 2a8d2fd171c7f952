//! Wishes to try a failed command again, as other processes of this program send them.

use tick_sdk::contracts::ConversationId;
use tick_sdk::contracts::bus::RequeueCommand;
use tick_sdk::contracts::envelope::{Envelope, type_urn};

use crate::events::json;
use crate::store::NewCommand;
use crate::wire::{CALLER, Delivery};

/// The wish in a delivery, if it is one. Every endpoint takes it, so it is no contract of one of them. The `commandId`
/// in its message is its own on the wire, as in every command's: the failed command is its initiator.
pub(super) fn requeue(endpoint: &str, delivery: &Delivery) -> Option<NewCommand> {
    let envelope = Envelope::decode(&delivery.body).ok()?;
    let urn = type_urn(RequeueCommand::NAME);
    if !envelope.message_type.iter().any(|known| known.eq_ignore_ascii_case(&urn)) {
        return None;
    }
    let (command_id, failed) = (envelope.correlation_id?, envelope.initiator_id?);
    Some(NewCommand {
        command_id,
        conversation_id: envelope.conversation_id.unwrap_or(ConversationId(command_id.0)),
        initiator_id: Some(failed),
        name: RequeueCommand::NAME.to_owned(),
        version: 1,
        endpoint: endpoint.to_owned(),
        caller: delivery.properties.headers.text(CALLER).unwrap_or_default().to_owned(),
        body: json(&RequeueCommand { command_id: failed }),
        original: None,
    })
}
