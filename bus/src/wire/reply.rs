//! Answers to requests.

use thiserror::Error;
use tick_sdk::contracts::envelope::{Address, Envelope, EnvelopeError, JsonText, urns_of};
use tick_sdk::contracts::{AnswerTo, CommandId, Contract, Kind, Request};

use super::incoming::IncomingRequest;
use super::writer::passed_on;
use super::{Home, Properties, Publication, Stamp, Target, Writer};

/// How the queue begins on which RabbitMQ itself passes answers on.
const DIRECT_REPLY: &str = "amq.rabbitmq.reply-to";

/// Why a request is not answered: whoever asked waits in vain, so it is logged.
#[derive(Debug, Error)]
pub enum ReplyError {
    /// The address is in another virtual host, or names nothing.
    #[error("the answer cannot go to '{address}': this program reaches only its own virtual host")]
    Unreachable {
        /// The address.
        address: String,
    },
    /// The answer cannot be written.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

impl Writer {
    /// An answer to a request of the contract `R`, which was read as this.
    ///
    /// # Errors
    /// Where it is awaited cannot be reached, or it is too long.
    pub fn answer<R: Request, A: AnswerTo<R>>(
        &self,
        request: &IncomingRequest,
        answer: &A,
        stamp: Stamp,
    ) -> Result<Publication, ReplyError> {
        let asked = &request.envelope;
        let message = JsonText::message(answer, None)?;
        let mut envelope = Envelope {
            request_id: asked.request_id,
            conversation_id: asked.conversation_id,
            initiator_id: initiator_of(asked),
            destination_address: asked.response_address.clone(),
            message_type: urns_of(A::NAME, <A as Contract>::Kind::MARKER),
            message,
            expiration_time: asked.expiration_time,
            headers: passed_on(&asked.headers)?,
            ..Envelope::default()
        };
        envelope.correlation_id = envelope.command_id();
        let target = asked.response_address.as_ref();
        let target = target.and_then(|address| reply_to(&self.home, address, &request.delivery.properties));
        let Some(target) = target else {
            let address = asked.response_address.as_ref().map(Address::to_string).unwrap_or_default();
            return Err(ReplyError::Unreachable { address });
        };
        Ok(self.publication(envelope, target, stamp)?)
    }
}

/// What is sent because of a message names it so: by its `correlationId`, else by its `requestId`.
pub(super) fn initiator_of(envelope: &Envelope) -> Option<CommandId> {
    envelope.correlation_id.or(envelope.request_id.map(CommandId))
}

/// Where an answer or a fault goes that is to go to `address`.
pub(super) fn reply_to(home: &Home, address: &Address, properties: &Properties) -> Option<Target> {
    if let Some(queue) = properties.reply_to.as_deref().filter(|queue| queue.starts_with(DIRECT_REPLY)) {
        return Some(Target::Reply { exchange: String::new(), key: queue.to_owned() });
    }
    let name = address.name();
    (home.reaches(address) && !name.is_empty())
        .then(|| Target::Reply { exchange: name.to_owned(), key: String::new() })
}
