//! What is sent when a command has failed for good.

use bus::FailedCommand;
use bus::store::{DueCommand, NewCommand, OutgoingMessage, Store};

use tick_sdk::contracts::Contract;

use super::*;

/// Names everything that the hook is given.
fn message(failed: &FailedCommand<'_>) -> Vec<OutgoingMessage> {
    let DueCommand { command, .. } = failed.command;
    let FailedCommand { reason, attempts, handler, .. } = failed;
    let Some(original) = &command.original else { return Vec::new() };
    vec![OutgoingMessage {
        exchange: command.name.clone(),
        key: (*handler).to_owned(),
        is_mandatory: true,
        properties: original.clone(),
        body: format!("{reason} after {attempts}").into_bytes(),
    }]
}

fn delivered(id: u128, name: &str, body: &str) -> NewCommand {
    let command_id = CommandId(uuid::Uuid::from_u128(id));
    NewCommand {
        command_id,
        conversation_id: ConversationId(command_id.0),
        initiator_id: None,
        name: name.to_owned(),
        version: 1,
        endpoint: "run".to_owned(),
        caller: "broker".to_owned(),
        body: body.to_owned(),
        original: Some(vec![id as u8]),
    }
}

#[tokio::test]
async fn a_failed_command_sends_what_its_hook_says() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path(), "run"));
    let unreadable = delivered(1, Put::NAME, "{}");
    let long = delivered(2, Begin::NAME, r#"{"number":1}"#);
    let works = delivered(3, Put::NAME, r#"{"number":5,"fill":0}"#);
    let not_delivered = NewCommand { original: None, ..delivered(4, Put::NAME, "{}") };
    let all = [unreadable, long, works, not_delivered];
    store.accept(&all, 1).unwrap();
    let ids = all.map(|command| command.command_id);
    let bus = Bus::builder().shared_context("run", store.clone()).on_failed(message).start().unwrap();
    completed(&bus, "run", ids[2]);
    assert_eq!(ended(&bus, "run", ids[0]).0, CommandFailed::NAME);
    assert_eq!(ended(&bus, "run", ids[3]).0, CommandFailed::NAME);
    wait_for(&bus, "run", |event| {
        (event.command_id == Some(ids[1]) && event.name == "CommandProcessing").then_some(())
    });
    let command = EndedCommand {
        command_id: ids[1],
        conversation_id: ConversationId(ids[1].0),
        initiator_id: None,
        attempts: 1,
    };
    let fail = |reason: &str| {
        let end = CommandEnd::Failed { reason: reason.to_owned() };
        bus.transaction("run", |work| work.end(&command, end)).unwrap()
    };
    assert!(fail("it was lost"));
    assert!(!fail("once more"), "it has ended");
    let messages = store.outgoing_messages(9).unwrap();
    let said: Vec<_> = messages
        .iter()
        .map(|(_, message)| {
            (message.key.as_str(), message.properties[0], String::from_utf8_lossy(&message.body))
        })
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!((said[0].0, said[0].1), ("running::OnPut", 1));
    assert!(said[0].2.starts_with("Put cannot be read: ") && said[0].2.ends_with(" after 1"), "{said:?}");
    assert_eq!((said[1].0, said[1].1, &*said[1].2), ("running::OnBegin", 2, "it was lost after 1"));
}
