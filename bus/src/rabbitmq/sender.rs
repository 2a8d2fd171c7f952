//! Commands to endpoints that this process does not serve.

use std::sync::Arc;
use std::time::Duration;

use broker::{BrokerError, Outcome, PublisherState};
use tick_sdk::contracts::envelope::{EnvelopeError, Host, UtcTime};
use tick_sdk::contracts::{KnownCommand, MessageId};

use super::session::Session;
use crate::failed::FailedCommand;
use crate::running::now_ms;
use crate::store::{NewCommand, OutgoingMessage};
use crate::transport::{Elsewhere, SendError, Sending};
use crate::wire::{Delivery, Failure, Home, Original, Publication, Stamp, Target, Writer};

/// A command is confirmed within this time, or was not accepted.
const LONGEST_SEND: Duration = Duration::from_secs(10);
/// Whoever sends when the broker cannot be used is to come again so late.
const RETRY_AFTER_S: u32 = 5;
/// What those are called on the wire who send and serve nothing.
const SENDER: &str = "orchard";

/// Sends commands to their endpoints' exchanges.
pub(crate) struct Sender {
    session: Arc<Session>,
    writer: Writer,
}

impl Sender {
    pub(super) fn new(session: Arc<Session>) -> Self {
        let writer = writer(&session.home, SENDER);
        Self { session, writer }
    }

    async fn send_confirmed(&self, command: NewCommand) -> Result<(), SendError> {
        let unavailable = |reason: String| SendError::Unavailable { reason, retry_after_s: RETRY_AFTER_S };
        if let Err(wait) = self.session.tokens.try_take() {
            let reason = "the control plane's share of the broker's messages is spent".to_owned();
            let retry_after_s = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
            return Err(SendError::Unavailable { reason, retry_after_s });
        }
        let publisher = self.session.publisher().map_err(unavailable)?;
        let endpoint = command.endpoint.clone();
        let has_endpoint = self.session.has_endpoint(&endpoint).await;
        if !has_endpoint.map_err(|error| unavailable(error.to_string()))? {
            return Err(nobody_serves(endpoint));
        }
        let publication = publication(&self.writer, &command, now_ms())
            .map_err(|error| SendError::Unwritable { reason: error.to_string() })?;
        let target = publication.target.clone();
        let mut state = publisher.state();
        let outcome = tokio::select! {
            outcome = self.session.publish_now(&publisher, publication, LONGEST_SEND) => outcome,
            // The broker may take it yet: whoever sends it again does so with the same id.
            _ = state.wait_for(|state| *state == PublisherState::Blocked) => {
                return Err(unavailable("the broker takes no messages: it lacks memory or disk".to_owned()));
            }
        };
        match outcome {
            Ok(Outcome::Confirmed) => Ok(()),
            Ok(Outcome::Returned) | Err(BrokerError::NotFound { .. }) => {
                self.session.forget_declared(&target).await;
                Err(nobody_serves(endpoint))
            }
            Ok(Outcome::Refused) => Err(unavailable(format!("the queue of '{endpoint}' takes no messages"))),
            Err(error) => Err(unavailable(error.to_string())),
        }
    }
}

impl Elsewhere for Sender {
    fn send(&self, command: NewCommand) -> Sending<'_> {
        Box::pin(self.send_confirmed(command))
    }

    fn outgoing(&self, command: &NewCommand, from: &str, now_ms: u64) -> Result<OutgoingMessage, String> {
        let writer = writer(&self.session.home, from);
        publication(&writer, command, now_ms).map(OutgoingMessage::from).map_err(|error| error.to_string())
    }
}

fn nobody_serves(endpoint: String) -> SendError {
    SendError::NoSuchEndpoint { endpoint, known: "those whose queues are on the broker".to_owned() }
}

/// Sent again, a command has the same message id: services whose inbox goes by that know it.
fn publication(writer: &Writer, command: &NewCommand, now_ms: u64) -> Result<Publication, EnvelopeError> {
    let at = UtcTime::from_unix_ms(now_ms).unwrap_or(UtcTime::EPOCH);
    writer.command(command, Stamp { message_id: MessageId(command.command_id.0), at })
}

/// Writes as this program, at an endpoint.
pub(super) fn writer(home: &Home, endpoint: &str) -> Writer {
    Writer::new(home.clone(), endpoint, this_program())
}

/// What is said of this program in each envelope.
fn this_program() -> Host {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let machine = machine.map(|name| name.trim().to_owned()).or_else(|| std::env::var("HOSTNAME").ok());
    let program = std::env::current_exe().ok();
    let program = program.and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
    Host {
        machine_name: machine,
        process_name: program.clone(),
        process_id: i32::try_from(std::process::id()).unwrap_or(0),
        assembly: program,
        assembly_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        operating_system_version: Some(std::env::consts::OS.to_owned()),
        ..Host::default()
    }
}

/// What is sent when a command has failed for good: a fault for whoever wants to know, and where a broker brought
/// it the delivery itself, to the endpoint's error queue.
pub(super) fn messages_of_failed(home: &Home, failed: &FailedCommand<'_>) -> Vec<OutgoingMessage> {
    let command = &failed.command.command;
    let (name, endpoint, id) = (&command.name, &command.endpoint, command.command_id);
    let writer = writer(home, endpoint);
    let stamp = Stamp::new(now_ms());
    let failure = Failure::of_handler(failed.handler, failed.reason, failed.attempts);
    let kept = command.original.as_deref().map(Original::of_bytes).transpose().unwrap_or_else(|error| {
        tracing::error!(command = %id, name, %error, "its delivery cannot be read: it is not copied to an error queue");
        None
    });
    let is_contract = KnownCommand::of_endpoint(endpoint).iter().any(|known| known.name == name);
    let original = match &kept {
        Some(original) => Some(original.clone()),
        // A command that came another way: who listens to faults wants to know, too.
        None if is_contract => sent_here(&writer, command),
        None => None,
    };
    let mut messages = Vec::new();
    if let Some(original) = original {
        match writer.fault(name, id, &original, &failure, stamp) {
            Ok(fault) => messages.push(fault.into()),
            Err(error) => tracing::error!(command = %id, name, %error, "a fault could not be written"),
        }
    }
    if let Some(original) = kept {
        messages.push(writer.error(original.delivery, Some(name), &failure, stamp).into());
    }
    messages
}

/// A command as a broker would have brought it.
fn sent_here(writer: &Writer, command: &NewCommand) -> Option<Original> {
    let Publication { target, properties, body } = publication(writer, command, now_ms()).ok()?;
    let (exchange, key) = (target.exchange(), target.key().to_owned());
    Some(Original { delivery: Delivery { exchange, key, properties, body } })
}

/// Whether this is a command that goes to an endpoint.
pub(super) fn is_command(target: &Target) -> bool {
    matches!(target, Target::Endpoint { .. })
}
