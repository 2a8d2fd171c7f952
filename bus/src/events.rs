//! Events as the bus makes them of contracts.

use serde::Serialize;
use serde_json::value::RawValue;
use tick_sdk::contracts::bus::CommandAccepted;

use crate::store::{NewCommand, NewEvent};

/// [`CommandAccepted`] with the message as it is, not read again.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted<'a> {
    command: &'a str,
    endpoint: &'a str,
    caller: &'a str,
    body: &'a RawValue,
}

impl NewEvent {
    /// An event of the bus itself, of no command.
    pub(crate) fn of_bus(name: &str, message: &impl Serialize) -> Self {
        Self {
            name: name.to_owned(),
            version: 1,
            command_id: None,
            conversation_id: None,
            initiator_id: None,
            body: json(message),
        }
    }

    /// What becomes of this command.
    pub(crate) fn of_command(command: &NewCommand, name: &str, body: String) -> Self {
        Self {
            name: name.to_owned(),
            version: 1,
            command_id: Some(command.command_id),
            conversation_id: Some(command.conversation_id),
            initiator_id: command.initiator_id,
            body,
        }
    }

    /// That this command is on disk.
    pub(crate) fn accepted(command: &NewCommand) -> Self {
        let body: &RawValue = serde_json::from_str(&command.body).unwrap_or(RawValue::NULL);
        let NewCommand { name, endpoint, caller, .. } = command;
        let accepted = Accepted { command: name, endpoint, caller, body };
        Self::of_command(command, CommandAccepted::NAME, json(&accepted))
    }
}

/// A contract as JSON. Its fields are text, numbers, lists and maps with text as keys, which all have a place there.
pub(crate) fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("a contract's values have a place in JSON")
}
