//! Events, commands and requests on their way out.

use std::time::Duration;

use serde_json::value::RawValue;
use tick_sdk::contracts::envelope::{Envelope, EnvelopeError, JsonText, UtcTime, type_urn, urns_of};
use tick_sdk::contracts::{CommandKind, ConversationId, EventKind, Kind, MessageId, Request, bus};
use uuid::Uuid;

use super::{Publication, Stamp, Target, Writer};
use crate::store::{NewCommand, StoredEvent};

/// AMQP header: the context in whose log an event stands. No header of the envelope: .NET services would pass it on.
pub(super) const CONTEXT: &str = "MT-Orchard-Context";
/// AMQP header: the position there.
pub(super) const POSITION: &str = "MT-Orchard-Position";
/// AMQP header: who asked for a command.
pub(crate) const CALLER: &str = "MT-Orchard-Caller";

impl Writer {
    /// An event of this endpoint's log, for its type exchange; `None` for what becomes of commands, which is no
    /// event that services listen to. `correlationId` and `initiatorId` are the command in whose handler it was
    /// raised, as MassTransit's consumers have it.
    ///
    /// # Errors
    /// It is longer or deeper than a message may be.
    pub fn event(&self, event: &StoredEvent) -> Result<Option<Publication>, EnvelopeError> {
        if bus::is_status(&event.name) {
            return Ok(None);
        }
        let id = EventKind::ID_PROPERTY.zip(event.command_id.map(|id| id.0));
        let envelope = Envelope {
            correlation_id: event.command_id,
            conversation_id: Some(event.conversation_id.unwrap_or(ConversationId(event.message_id.0))),
            initiator_id: event.command_id,
            message_type: urns_of(&event.name, EventKind::MARKER),
            message: message(&event.body, id)?,
            ..Envelope::default()
        };
        let at = UtcTime::from_unix_ms(event.at_ms).unwrap_or(UtcTime::EPOCH);
        let stamp = Stamp { message_id: event.message_id, at };
        let target = Target::Event { name: event.name.clone() };
        let mut publication = self.publication(envelope, target, stamp)?;
        let headers = &mut publication.properties.headers;
        headers.set(CONTEXT, self.endpoint.as_str());
        headers.set(POSITION, i64::try_from(event.position).unwrap_or(i64::MAX));
        Ok(Some(publication))
    }

    /// A command for its endpoint.
    ///
    /// # Errors
    /// It is longer or deeper than a message may be.
    pub fn command(&self, command: &NewCommand, stamp: Stamp) -> Result<Publication, EnvelopeError> {
        let id = CommandKind::ID_PROPERTY.map(|property| (property, command.command_id.0));
        let envelope = Envelope {
            correlation_id: Some(command.command_id),
            conversation_id: Some(command.conversation_id),
            initiator_id: command.initiator_id,
            message_type: urns_of(&command.name, CommandKind::MARKER),
            message: message(&command.body, id)?,
            ..Envelope::default()
        };
        let target = Target::Endpoint { name: command.endpoint.clone() };
        let mut publication = self.publication(envelope, target, stamp)?;
        if !command.caller.is_empty() {
            publication.properties.headers.set(CALLER, command.caller.as_str());
        }
        Ok(publication)
    }

    /// A request, whose answer is awaited at the exchange `response` until `timeout` is over. The answer has the same
    /// `request_id`.
    ///
    /// # Errors
    /// It is longer or deeper than a message may be.
    pub fn request<R: Request>(
        &self,
        request: &R,
        request_id: Uuid,
        response: &str,
        timeout: Duration,
        stamp: Stamp,
    ) -> Result<Publication, EnvelopeError> {
        let accepted: Vec<_> = R::ANSWERS.iter().map(|answer| type_urn(answer)).collect();
        let message = JsonText::message(request, None)?;
        let mut envelope = Envelope {
            request_id: Some(request_id),
            conversation_id: Some(ConversationId(MessageId::new().0)),
            response_address: Some(self.home.temporary_address(response)),
            message_type: urns_of(R::NAME, R::Kind::MARKER),
            message,
            expiration_time: after(stamp.at, timeout),
            ..Envelope::default()
        };
        envelope.correlation_id = envelope.command_id();
        envelope.headers.set("MT-Request-AcceptType", &accepted)?;
        self.publication(envelope, Target::Request { name: R::NAME.to_owned() }, stamp)
    }
}

/// A stored message with the command's id in it, where .NET services look for it.
fn message(body: &str, id: Option<(&str, Uuid)>) -> Result<JsonText, EnvelopeError> {
    let body: &RawValue = serde_json::from_str(body).map_err(EnvelopeError::Json)?;
    JsonText::message(body, id)
}

fn after(at: UtcTime, timeout: Duration) -> Option<UtcTime> {
    let ms = u64::try_from(at.unix_ms()).ok()?;
    UtcTime::from_unix_ms(ms.checked_add(u64::try_from(timeout.as_millis()).ok()?)?)
}
