//! Commands, events and faults of other services, heard and forgotten.

use std::collections::BTreeMap;

use serde_json::json;
use tick_sdk::contracts::Contract;
use tick_sdk::contracts::bus::{CommandAccepted, CommandFailed, CommandsForgotten};
use tick_sdk::contracts::{ConversationId, MessageId};

use super::super::HEARD_TABLES;
use super::super::heard::{Heard, append, forget_seen};
use super::*;
use crate::store::{NewCommand, SqliteStore, StoredEvent};
use crate::wire::{IncomingEvent, IncomingFault};

tick_sdk::event!(KnownHere, version 1, context "elsewhere");

#[derive(serde::Serialize, serde::Deserialize)]
struct KnownHere {}

fn command(command_id: CommandId, is_followed: bool) -> Heard {
    Heard::command(sent(command_id, None), is_followed)
}

fn sent(command_id: CommandId, initiator_id: Option<CommandId>) -> NewCommand {
    NewCommand {
        command_id,
        conversation_id: ConversationId(command_id.0),
        initiator_id,
        name: "Ship".to_owned(),
        version: 1,
        endpoint: "van".to_owned(),
        caller: "shop".to_owned(),
        body: "{}".to_owned(),
        original: None,
    }
}

fn event(name: &str, command_id: CommandId) -> Heard {
    Heard::event(IncomingEvent {
        message_id: MessageId::new(),
        name: name.to_owned(),
        version: 1,
        command_id: Some(command_id),
        conversation_id: None,
        initiator_id: None,
        sent_ms: None,
        body: json!({}).to_string(),
        log: None,
    })
}

fn fault(command_id: CommandId) -> Heard {
    Heard::fault(IncomingFault {
        message_id: MessageId::new(),
        command_id: Some(command_id),
        conversation_id: None,
        contract: Some("Ship".to_owned()),
        endpoint: Some("van".to_owned()),
        reason: "no fuel".to_owned(),
        sent_ms: None,
    })
    .unwrap()
}

/// What a gateway shows of commands, and what somebody has made of events.
#[derive(Clone, Debug, Default, PartialEq)]
struct Documents {
    cursor: u64,
    commands: BTreeMap<CommandId, String>,
    events: BTreeMap<u64, String>,
}

impl Documents {
    fn read(mut self, store: &dyn Store) -> Self {
        for event in store.events_after(self.cursor, 100_000).unwrap() {
            self.cursor = event.position;
            self.apply(event);
        }
        Self { cursor: store.head().unwrap(), ..self }
    }

    fn apply(&mut self, event: StoredEvent) {
        match event.name.as_str() {
            CommandAccepted::NAME => {
                self.commands.entry(event.command_id.unwrap()).or_insert_with(|| "accepted".to_owned());
            }
            CommandFailed::NAME => self.end(event.command_id, "failed"),
            CommandsForgotten::NAME => {
                let forgotten: CommandsForgotten = serde_json::from_str(&event.body).unwrap();
                forgotten.command_ids.iter().for_each(|id| drop(self.commands.remove(id)));
            }
            EventsForgotten::NAME => {
                let forgotten: EventsForgotten = serde_json::from_str(&event.body).unwrap();
                forgotten.positions.iter().for_each(|position| drop(self.events.remove(position)));
            }
            "CommandSeen" => {}
            name => {
                self.events.insert(event.position, name.to_owned());
                self.end(event.command_id, "completed");
            }
        }
    }

    fn end(&mut self, command: Option<CommandId>, state: &str) {
        if let Some(command) = command.and_then(|id| self.commands.get_mut(&id)) {
            state.clone_into(command);
        }
    }
}

fn count(store: &dyn Store, kind: Kind) -> u64 {
    let sql = "SELECT count(*) FROM message WHERE kind = $1";
    store.query(sql, &values![kind as i64]).unwrap()[0].get(0).unwrap()
}

fn forgets_in_steps(store: &dyn Store) {
    // More than a step of each; of every third command a fault, of the others an event.
    let all: Vec<_> = (0..2 * STEP as u64 + 100).map(|_| CommandId::new()).collect();
    for (at, id) in (1..).zip(&all) {
        let end = if at % 3 == 0 { fault(*id) } else { event("Van:Shipped", *id) };
        append(store, &[command(*id, true), end], at * 10).unwrap();
    }
    let seen = CommandId::new();
    append(store, &[command(seen, false), event(KnownHere::NAME, all[0])], 10).unwrap();
    let mut transaction = store.begin().unwrap();
    forget_seen(&mut *transaction, &[seen], 10).unwrap();
    transaction.commit().unwrap();
    let mut documents = Documents::default().read(store);
    assert_eq!(documents.commands.len(), all.len());
    assert_eq!(documents.commands.values().filter(|state| *state == "failed").count(), all.len() / 3);

    // All but the last ten are old.
    let (before_ms, mut last, mut steps) = ((all.len() as u64 - 9) * 10, documents.cursor, 0);
    loop {
        let is_all = forget_some(store, before_ms, 0, 1_000_000).unwrap();
        steps += 1;
        documents = documents.read(store);
        assert_eq!(documents, Documents::default().read(store), "made anew after step {steps}");
        assert!(documents.cursor > last, "no position is given twice");
        last = documents.cursor;
        if is_all {
            break;
        }
    }
    assert!(steps > 2, "{steps}");
    assert_eq!(documents.commands.len(), 10);
    let left: Vec<_> = documents.events.values().filter(|name| *name != KnownHere::NAME).collect();
    assert_eq!((left.len(), documents.events.len() - left.len()), (7, 1), "{left:?}");
    assert_eq!((count(store, Kind::Command), count(store, Kind::Fault)), (10, 3));

    // That they are forgotten is forgotten, but for the last one.
    assert!(count(store, Kind::Forgotten) > 3);
    assert!(forget_some(store, 0, u64::MAX, 2_000_000).unwrap());
    assert!(forget_some(store, 0, u64::MAX, 3_000_000).unwrap());
    assert_eq!((count(store, Kind::Forgotten), store.head().unwrap()), (1, last));
    assert_eq!(documents, Documents::default().read(store));

    // So many of each kind may be there.
    assert_eq!(heard_beyond(store, 10).unwrap(), None);
    assert_eq!(heard_beyond(store, 9).unwrap(), Some((all.len() as u64 - 9) * 10));
}

#[test]
fn what_was_heard_is_forgotten_in_steps_and_documents_made_anew_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    forgets_in_steps(&SqliteStore::open(&folder.path().join("heard.db"), HEARD_TABLES).unwrap());
}

#[cfg(feature = "postgres")]
#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_was_heard_is_forgotten_alike_on_postgresql() {
    let database = database::testing::Database::create();
    let store = crate::store::PostgresStore::open(&database.url(), "heard", HEARD_TABLES).unwrap();
    forgets_in_steps(&store);
}

#[test]
fn a_command_that_is_left_keeps_what_was_heard_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("heard.db"), HEARD_TABLES).unwrap();
    let id = CommandId::new();
    append(&store, &[command(id, true)], 50).unwrap();
    append(&store, &[event("Van:Shipped", id)], 50).unwrap();
    append(&store, &[event("Van:Washed", CommandId::new())], 40).unwrap();
    // A clock that was set back: the command seems to be younger than this time, and its event may not go either.
    assert!(forget_some(&store, 50, 0, 60).unwrap());
    let documents = Documents::default().read(&store);
    assert_eq!(documents.commands.get(&id).map(String::as_str), Some("completed"));
    assert_eq!(documents.events.values().collect::<Vec<_>>(), ["Van:Shipped"]);
}

#[test]
fn a_command_completes_the_one_of_another_service_that_has_caused_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("heard.db"), HEARD_TABLES).unwrap();
    let caused = |by: CommandId| Heard::causes(&sent(CommandId::new(), Some(by))).unwrap();
    let [one, other, unknown] = [(); 3].map(|()| CommandId::new());
    append(&store, &[command(one, true)], 1).unwrap();
    append(&store, &[caused(one), caused(unknown), command(other, true), caused(other), caused(one)], 2)
        .unwrap();
    append(&store, &[caused(other)], 3).unwrap();
    let names: Vec<_> =
        store.events_after(0, 100).unwrap().into_iter().map(|event| (event.name, event.command_id)).collect();
    let expected = [
        ("CommandAccepted", one),
        ("CommandCompleted", one),
        ("CommandAccepted", other),
        ("CommandCompleted", other),
    ];
    assert_eq!(names, expected.map(|(name, id)| (name.to_owned(), Some(id))));
    assert!(forget_some(&store, 10, 0, 10).unwrap());
    let left: Vec<_> = store.events_after(0, 100).unwrap().into_iter().map(|event| event.name).collect();
    assert_eq!(left, ["CommandsForgotten"]);
}
