//! Commands that lie in a queue before anybody handles them.

use std::collections::VecDeque;

use broker::{Confirm, Outcome, Publication, Publisher};
use bus::store::NewCommand;
use bus::wire::{Home, Stamp, Writer};
use tick_sdk::contracts::envelope::Host;
use tick_sdk::contracts::{Command, CommandId, ConversationId};

use super::CommandsError;
use super::place::{Place, now_ms};
use crate::commands::requests;

/// So many are on their way at once.
const WINDOW: usize = 500;
/// A broker that confirms nothing for so long has failed.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Sends so many commands, as the bus writes them; they are confirmed when this is done.
pub(super) fn fill<C: Command>(place: &Place, count: u64) -> Result<(), CommandsError> {
    place.runtime.block_on(async {
        let publisher = Publisher::open(&place.servers.broker_url, "perf, commands", 1).await?;
        let writer = Writer::new(Home::new("localhost", "/", false), "perf", Host::default());
        let mut waiting: VecDeque<Confirm> = VecDeque::new();
        for number in 0..count {
            let stamp = Stamp::new(now_ms());
            let written = writer.command(&command::<C>(number), stamp).map_err(std::io::Error::other)?;
            let properties = broker::Properties {
                content_type: written.properties.content_type,
                is_persistent: written.properties.is_persistent,
                message_id: written.properties.message_id,
                correlation_id: written.properties.correlation_id,
                ..broker::Properties::default()
            };
            let publication = Publication {
                exchange: written.target.exchange(),
                routing_key: written.target.key().to_owned(),
                is_mandatory: true,
                properties,
                body: written.body.into(),
            };
            waiting.push_back(publisher.publish(0, publication).await?);
            if waiting.len() >= WINDOW {
                confirmed(waiting.pop_front()).await?;
            }
        }
        while !waiting.is_empty() {
            confirmed(waiting.pop_front()).await?;
        }
        Ok(())
    })
}

/// Waits for one of those that were published first.
pub(super) async fn confirmed(confirm: Option<Confirm>) -> Result<(), CommandsError> {
    let Some(confirm) = confirm else { return Ok(()) };
    match confirm.outcome(PATIENCE).await? {
        Outcome::Confirmed => Ok(()),
        other => Err(std::io::Error::other(format!("a message came back or was refused: {other:?}")).into()),
    }
}

fn command<C: Command>(number: u64) -> NewCommand {
    let command_id = CommandId::new();
    NewCommand {
        command_id,
        conversation_id: ConversationId(command_id.0),
        initiator_id: None,
        name: C::NAME.to_owned(),
        version: C::VERSION,
        endpoint: C::ENDPOINT.to_owned(),
        caller: String::new(),
        body: requests::body(number),
        original: None,
    }
}
