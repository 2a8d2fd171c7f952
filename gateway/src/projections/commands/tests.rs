//! What becomes of a command, event by event.

use serde_json::{Value, json};
use tick_sdk::contracts::{ConversationId, MessageId};

use super::*;
use crate::documents::{DocumentStore, Durability, SqliteDocuments};

fn event(id: CommandId, name: &str, body: &Value) -> StoredEvent {
    StoredEvent {
        position: 1,
        message_id: MessageId::default(),
        name: name.to_owned(),
        version: 1,
        command_id: Some(id),
        conversation_id: Some(ConversationId(id.0)),
        initiator_id: None,
        at_ms: 1_723_105_800_000,
        body: body.to_string(),
    }
}

#[test]
fn a_text_that_is_completed_is_the_one_that_the_command_would_be_written_as() {
    let id = CommandId::new();
    let tricky = r#"a","state":"accepted","attempts":0,"acceptedAt":""#;
    let views = [
        CommandView { command: "CreateUser".to_owned(), ..CommandView::default() },
        CommandView {
            correlation_id: Some(ConversationId(id.0)),
            caller: tricky.to_owned(),
            ..CommandView::default()
        },
        CommandView { caused_by: Some(id), ..CommandView::default() },
        CommandView { requeued_by: Some(id), ..CommandView::default() },
    ];
    for (view, result) in
        views.into_iter().zip([json!(null), json!({"userId": id, "b": [1.5, "\""]}), json!({}), json!(null)])
    {
        let (accepted_at, at) = (text_of_ms(1_723_105_800_000), text_of_ms(1_723_105_800_250));
        let accepted =
            CommandView { command_id: id, state: command_state::ACCEPTED.to_owned(), accepted_at, ..view };
        let text = serde_json::to_string(&accepted).unwrap();
        let completed = CommandView {
            state: command_state::COMPLETED.to_owned(),
            attempts: 1,
            started_at: Some(at.clone()),
            ended_at: Some(at.clone()),
            result: Some(result.clone()).filter(|result| !result.is_null()),
            ..accepted
        };
        let expected = serde_json::to_string(&completed).unwrap();
        assert_eq!(completed_text(&text, &at, 1, &result.to_string()).as_deref(), Some(expected.as_str()));
        assert_eq!(completed_text(&expected, &at, 1, "null"), None);
        let retried = CommandView { reason: Some("busy".to_owned()), ..completed };
        assert_eq!(completed_text(&serde_json::to_string(&retried).unwrap(), &at, 1, "null"), None);
    }
}

#[test]
fn a_command_is_followed_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteDocuments::open(&folder.path().join("read"), Durability::None).unwrap();
    store.prepare(Commands::NAME, 1, Commands::COLLECTIONS).unwrap();
    let mut batch = Batch::new(&store);
    let id = CommandId::new();
    let state = |batch: &Batch<'_>| {
        let command: Option<CommandView> = batch.get(&COMMANDS, &id.to_string()).unwrap();
        command.map(|command| (command.state, command.attempts, command.reason))
    };
    let shown = |state: &str, attempts, reason: Option<&str>| {
        Some((state.to_owned(), attempts, reason.map(str::to_owned)))
    };
    let apply = |batch: &mut Batch<'_>, name: &str, body: Value| {
        Commands::apply(&event(id, name, &body), "ticks", batch).unwrap();
    };
    let accepted =
        json!({"command": "StartReplay", "endpoint": "ticks", "caller": "me", "body": {"files": []}});
    apply(&mut batch, "CommandAccepted", accepted);
    assert_eq!(state(&batch), shown("accepted", 0, None));
    apply(&mut batch, "CommandRetried", json!({"attempts": 1, "reason": "busy", "dueMs": 1}));
    assert_eq!(state(&batch), shown("accepted", 1, Some("busy")));
    apply(&mut batch, "CommandProcessing", json!({"attempts": 2}));
    assert_eq!(state(&batch), shown("processing", 2, None));
    let readable = json!([{"context": "strategies", "position": 7}]);
    let body = json!({"attempts": 2, "result": null, "readableAt": readable});
    apply(&mut batch, "CommandCompleted", body);
    Commands::settle(&Readable([("strategies".to_owned(), 6)].into()), &mut batch).unwrap();
    assert_eq!(state(&batch), shown("processing", 2, None));
    Commands::settle(&Readable([("strategies".to_owned(), 7)].into()), &mut batch).unwrap();
    assert_eq!(state(&batch), shown("completed", 2, None));
    apply(&mut batch, "CommandsForgotten", json!({"commandIds": [id]}));
    assert_eq!(state(&batch), None);
    // What comes later of a forgotten command makes no new one.
    apply(&mut batch, "CommandFailed", json!({"attempts": 3, "reason": "x"}));
    assert_eq!(state(&batch), None);
}
