//! What a peer that is not written in .NET may write, as .NET read it: this program writes what was read, and nothing
//! that was not.

use bus::store::StoredEvent;
use bus::wire::{
    Delivery, Exception, Failure, Home, Incoming, IncomingRequest, Original, Properties, Publication, Reader,
    Stamp, Writer,
};
use serde_json::{Value as Json, json};
use tick_sdk::contracts::envelope::Host;
use tick_sdk::contracts::{CommandId, ConversationId, MessageId};

use crate::contracts::{GetUser, UserFound, UserNotFound};
use crate::data::recorded;
use crate::outcome::{Decision, Set, decided, differs};

const FIRST: &str = "0197f0aa-0000-7000-8000-000000000001";
const SECOND: &str = "0197f0aa-0000-7000-8000-000000000002";
const REQUEST: &str = "0197f0aa-0000-7000-8000-000000000077";

/// Fields of an envelope or a fault that may be any: ids of one message, times, the program.
const ANY: [&str; 9] = [
    "messageId",
    "conversationId",
    "initiatorId",
    "sentTime",
    "sourceAddress",
    "faultId",
    "faultedMessageId",
    "timestamp",
    "host",
];

/// What .NET did not read, and the field in which it differs from what this program writes.
const NOT_READ: [(&str, &str); 9] = [
    ("marker interface, only the type's URN", "/messageType"),
    ("fault, generic URN with blanks", "/messageType"),
    ("answer, no requestId", "/requestId"),
    ("answer, another requestId", "/requestId"),
    ("answer, a type that was not asked for", "/messageType"),
    ("answer, message cannot be read", "/message/userId"),
    ("answer, a fault of another type", "/messageType"),
    ("answer, only MassTransit:Fault", "/messageType"),
    ("answer, raw JSON with RequestId header", "/messageType"),
];

#[test]
fn what_may_be_written_is_what_is_written() {
    let mut set = Set::new("masstransit, answers", decisions());
    let rows = recorded("answers");
    assert_eq!(rows.len(), 42);
    for row in &rows {
        let name = row["name"].as_str().unwrap();
        let ours: Json = serde_json::from_slice(&ours(row).body).unwrap();
        let theirs = row["body"].as_str().unwrap().replace("{requestId}", REQUEST);
        let theirs: Json = serde_json::from_str(&theirs).unwrap();
        let not_read = NOT_READ.iter().find(|(case, _)| *case == name);
        let is_read = matches!(row["outcome"].as_str().unwrap(), "consumed" | "answered" | "fault");
        let differences = match not_read {
            None if is_read => lacks("", &ours, &theirs),
            Some((_, field)) if !is_read => {
                let (ours, theirs) = (ours.pointer(field), theirs.pointer(field));
                let is_other = ours.is_some_and(|value| !value.is_null()) && ours != theirs;
                differs(field, &is_other, &true).into_iter().collect()
            }
            _ => vec![format!("recorded {}", row["outcome"])],
        };
        set.case(name, differences);
    }
    set.finish(rows.len());
}

/// What stands in a message that was read, and not in ours.
fn lacks(path: &str, ours: &Json, theirs: &Json) -> Vec<String> {
    match (ours, theirs) {
        (Json::Object(left), Json::Object(right)) => {
            let fields = right.iter().filter(|(name, _)| !ANY.contains(&name.as_str()));
            let ours = |name: &str| left.get(name).unwrap_or(&Json::Null);
            fields.flat_map(|(name, value)| lacks(&format!("{path}/{name}"), ours(name), value)).collect()
        }
        // More types are more readers.
        (Json::Array(left), Json::Array(right)) if path == "/messageType" => {
            let missing = right.iter().filter(|urn| !left.contains(urn));
            missing.map(|urn| format!("{path} has no {urn}")).collect()
        }
        _ => differs(path, ours, theirs).into_iter().collect(),
    }
}

/// What .NET reads, too, and this program has no reason to write.
fn decisions() -> Vec<Decision> {
    [
        decided(
            "Orchard writes each property of a contract",
            &["/message/email"],
            ["event, a property null"],
        ),
        decided(
            "Orchard writes no property that a contract has not",
            &["/message/plan"],
            ["event, a property more"],
        ),
        decided("read as nothing by .NET: Orchard writes camelCase", &["/message/"], ["event, snake_case"]),
        decided(
            "a fault of Orchard's says why: one exception with its stack",
            &["/message/exceptions"],
            [
                "fault, no exceptions",
                "fault, exceptions null",
                "fault, inner exception and data",
                "fault, stackTrace null",
                "fault, only message",
                "answer, a fault without exceptions",
            ],
        ),
        decided(
            "a fault of Orchard's holds what failed, with its types",
            &["/message/message", "/message/faultMessageTypes"],
            ["fault, no original", "fault, no faultMessageTypes"],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn ours(row: &Json) -> Publication {
    let name = row["name"].as_str().unwrap();
    match row["to"].as_str().unwrap() {
        "event" | "marker" => writer("orchard-accounts").event(&event()).unwrap().unwrap(),
        "fault" | "command-fault" | "any-fault" => {
            let body = json!({
                "messageId": FIRST,
                "correlationId": FIRST,
                "conversationId": FIRST,
                "messageType": ["urn:message:Orchard.Contracts:CreateUser", "urn:message:Orchard.Contracts:ICommand"],
                "message": {"commandId": FIRST, "email": "zoe@example.com", "name": "Zoë"},
            });
            let delivery = Delivery { body: body.to_string().into_bytes(), ..Delivery::default() };
            let id: CommandId = FIRST.parse().unwrap();
            writer("create-user")
                .fault("CreateUser", id, &Original { delivery }, &failure(), stamp())
                .unwrap()
        }
        "receive-fault-reader" => {
            let content_type = Some("application/vnd.masstransit+json".to_owned());
            let properties = Properties { content_type, ..Properties::default() };
            let delivery = Delivery { properties, body: b"no JSON".to_vec(), ..Delivery::default() };
            writer("create-user").receive_fault(&delivery, &failure(), stamp()).unwrap()
        }
        "request" if name.contains("fault") || name.contains("Fault") => {
            writer("get-user").fault_of_request(&request(), &failure(), stamp()).unwrap()
        }
        "request" if name.contains("second type") => {
            let answer = UserNotFound { user_id: SECOND.parse().unwrap() };
            writer("get-user").answer::<GetUser, _>(&request(), &answer, stamp()).unwrap()
        }
        "request" => {
            let answer = UserFound { user_id: SECOND.parse().unwrap(), name: "Zoë".to_owned() };
            writer("get-user").answer::<GetUser, _>(&request(), &answer, stamp()).unwrap()
        }
        other => panic!("{name} goes to {other}"),
    }
}

fn writer(endpoint: &str) -> Writer {
    let host = Host { process_name: Some("orchard".to_owned()), process_id: 7, ..Host::default() };
    Writer::new(Home::new("localhost", "answers", false), endpoint, host)
}

fn stamp() -> Stamp {
    Stamp::new(1_769_860_800_000)
}

fn failure() -> Failure {
    let exception = Exception {
        kind: "orchard_accounts::CreateUserError::EmailTaken".to_owned(),
        stack_trace: "caused by: unique constraint users_email".to_owned(),
        message: "e-mail is taken".to_owned(),
        source: "orchard".to_owned(),
        ..Exception::default()
    };
    Failure { exception, ..Failure::default() }
}

fn event() -> StoredEvent {
    let body = json!({
        "userId": SECOND,
        "email": "zoe@example.com",
        "name": "Zoë",
        "createdAt": "2026-01-31T12:00:00Z",
    });
    StoredEvent {
        position: 1,
        message_id: MessageId(FIRST.parse().unwrap()),
        name: "UserCreated".to_owned(),
        version: 1,
        command_id: Some(FIRST.parse().unwrap()),
        conversation_id: Some(ConversationId(SECOND.parse().unwrap())),
        initiator_id: None,
        at_ms: 1_769_860_800_123,
        body: body.to_string(),
    }
}

fn request() -> IncomingRequest {
    let body = json!({
        "requestId": REQUEST,
        "messageId": FIRST,
        "responseAddress": "rabbitmq://localhost/answers/peer_bus_x?temporary=true",
        "messageType": ["urn:message:Orchard.Contracts:GetUser"],
        "message": {"userId": SECOND},
    });
    let delivery = Delivery { body: body.to_string().into_bytes(), ..Delivery::default() };
    match Reader::of_endpoint("get-user").read(delivery, CommandId::new()) {
        Incoming::Request(request) => *request,
        other => panic!("{other:?}"),
    }
}
