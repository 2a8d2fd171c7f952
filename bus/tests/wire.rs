//! What a broker may deliver at worst, and what is written at most: nothing panics, and all is bounded.

use bus::wire::{
    Delivery, Exception, Failure, Home, Incoming, LONGEST_HEADER_TEXT, Original, Properties, Publication,
    Reader, Stamp, Table, Target, Unreadable, Value, Writer,
};
use proptest::prelude::*;
use serde_json::json;
use tick_sdk::contracts::accounts::{ACCOUNTS, CreateUser};
use tick_sdk::contracts::bus::{CommandFound, GetCommand};
use tick_sdk::contracts::envelope::{Envelope, Host, Ids, MAX_BODY_BYTES, MAX_LEVELS};
use tick_sdk::contracts::{CommandId, ConversationId, MessageId};
use uuid::Uuid;

/// A content header must fit in one frame, which RabbitMQ makes 128 KiB long.
const FRAME_BYTES: usize = 128 << 10;

fn id(text: &str) -> CommandId {
    text.parse().unwrap()
}

fn writer() -> Writer {
    let host = Host { process_name: Some("orchard".to_owned()), process_id: 7, ..Host::default() };
    Writer::new(Home::new("localhost", "/", false), ACCOUNTS, host)
}

fn stamp() -> Stamp {
    Stamp::new(1_769_860_800_000)
}

fn create_user(name: &str) -> CreateUser {
    CreateUser { email: "zoe@example.com".to_owned(), name: name.to_owned() }
}

fn envelope_of(name: &str) -> Envelope {
    let command_id = id("0197f0aa-0000-7000-8000-000000000001");
    let ids = Ids {
        message_id: MessageId("0197f0aa-0000-7000-8000-000000000009".parse().unwrap()),
        command_id,
        conversation_id: ConversationId(command_id.0),
        initiator_id: None,
    };
    Envelope::of(&create_user(name), ids).unwrap()
}

fn delivery(body: Vec<u8>) -> Delivery {
    Delivery { exchange: ACCOUNTS.to_owned(), body, ..Delivery::default() }
}

fn read(body: Vec<u8>) -> Incoming {
    Reader::of_endpoint(ACCOUNTS).read(delivery(body), CommandId::new())
}

fn key_of(incoming: Incoming) -> CommandId {
    match incoming {
        Incoming::Command(command) => command.command.command_id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_command_is_known_by_its_id_however_it_comes() {
    let envelope = envelope_of("Zoë");
    let first = id("0197f0aa-0000-7000-8000-000000000001");
    assert_eq!(key_of(read(envelope.encode().unwrap())), first);
    // Its client tries again, with a new message.
    let again = Envelope { message_id: Some(MessageId::new()), ..envelope.clone() };
    assert_eq!(key_of(read(again.encode().unwrap())), first);
    // The envelope does not say it.
    let unsaid = Envelope { correlation_id: None, ..envelope.clone() };
    assert_eq!(key_of(read(unsaid.encode().unwrap())), first);
    // Nor the message.
    let body = |headers| {
        json!({
            "messageId": "0197f0aa-0000-7000-8000-000000000009",
            "messageType": ["urn:message:Orchard.Contracts:CreateUser"],
            "message": {"email": "a@b.c", "name": "A"},
            "headers": headers,
        })
    };
    let redelivered = json!({"MT-OriginalMessageId": "0197f0aa-0000-7000-8000-000000000008"});
    let redelivered = read(body(redelivered).to_string().into_bytes());
    assert_eq!(key_of(redelivered), id("0197f0aa-0000-7000-8000-000000000008"));
    let plain = read(body(json!({})).to_string().into_bytes());
    assert_eq!(key_of(plain), id("0197f0aa-0000-7000-8000-000000000009"));
}

#[test]
fn a_body_of_any_case_is_the_same_command() {
    let message = |json: &str| {
        let body =
            format!(r#"{{"messageType":["urn:message:Orchard.Contracts:CreateUser"],"message":{json}}}"#);
        match read(body.into_bytes()) {
            Incoming::Command(command) => command.command.body,
            other => panic!("{other:?}"),
        }
    };
    let one = message(r#"{"CommandId":null,"Name":"A","EMAIL":"a@b.c","more":1}"#);
    assert_eq!(one, message(r#"{"email":"a@b.c","name":"A"}"#));
    assert_eq!(one, serde_json::to_string(&CreateUser { email: "a@b.c".into(), name: "A".into() }).unwrap());
}

#[test]
fn what_is_beyond_a_bound_is_refused_by_name() {
    let refused = |body: Vec<u8>| match read(body) {
        Incoming::Unreadable { reason, delivery } => {
            let failure = Failure::of_unreadable(&reason);
            // What is beyond a bound can still be moved, and be told of.
            let moved = writer().error(delivery.clone(), None, &failure, stamp());
            assert_eq!(moved.body, delivery.body);
            writer().receive_fault(&delivery, &failure, stamp()).unwrap();
            (reason.kind(), reason.to_string())
        }
        other => panic!("{other:?}"),
    };
    let (kind, text) = refused(vec![b' '; MAX_BODY_BYTES + 1]);
    assert!(kind.ends_with("TooLong") && text.contains("4194304"), "{text}");
    let levels = |count: usize| "[".repeat(count) + &"]".repeat(count);
    let (kind, text) = refused(levels(1_000_000).into_bytes());
    assert!(kind.ends_with("TooDeep") && text.contains(&MAX_LEVELS.to_string()), "{text}");
    let (kind, text) = refused(br#"{"message":{"a":1,"a":2}}"#.to_vec());
    assert!(kind.ends_with("NameTwice") && text.contains("'a'"), "{text}");
    let (kind, text) = refused(b"{\"message\":\"\xff\"}".to_vec());
    assert!(kind.ends_with("NotUtf8") && text.contains("byte 12"), "{text}");
    let types =
        r#"{"messageType":["urn:message:Orchard.Contracts:CreateUser"],"message":{"email":5,"name":"A"}}"#;
    let (kind, text) = refused(types.as_bytes().to_vec());
    assert!(kind.ends_with("Message") && text.contains("email"), "{text}");
}

#[test]
fn raw_json_is_read_where_it_is_allowed() {
    let raw = |headers: Table| {
        let properties = Properties {
            content_type: Some("application/json; charset=utf-8".to_owned()),
            headers,
            ..Properties::default()
        };
        let body = br#"{"email":"a@b.c","name":"A"}"#.to_vec();
        Delivery { properties, body, ..Delivery::default() }
    };
    let reader = || Reader::of_endpoint(ACCOUNTS).with_raw_json();
    let named = Table::default().with("CorrelationId", "0197f0aa-0000-7000-8000-000000000001").with(
        "MT-MessageType",
        "urn:message:Orchard.Contracts:CreateUser;urn:message:Orchard.Contracts:ICommand",
    );
    let command = reader().read(raw(named.clone()), CommandId::new());
    assert_eq!(key_of(command), id("0197f0aa-0000-7000-8000-000000000001"));
    // Three commands have this endpoint: which one it is, nobody can say.
    match reader().read(raw(Table::default()), CommandId::new()) {
        Incoming::Unreadable { reason: reason @ Unreadable::AnyOfSeveral { .. }, .. } => {
            assert!(reason.to_string().contains("MT-MessageType"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    // Where it is not allowed it is an envelope without a message.
    let refused = Reader::of_endpoint(ACCOUNTS).read(raw(named), CommandId::new());
    assert!(matches!(refused, Incoming::Unreadable { .. }), "{refused:?}");
}

/// What Particular's ServiceControl wants of a message in an error queue.
const WANTED_BY_SERVICE_CONTROL: [&str; 6] = [
    "MT-Reason",
    "MT-Fault-Message",
    "MT-Fault-InputAddress",
    "MT-Fault-Timestamp",
    "MT-Fault-ExceptionType",
    "MT-Fault-StackTrace",
];

#[test]
fn a_long_error_text_and_long_headers_of_others_fit_in_a_frame() {
    let text = "𝄞 é".repeat(50_000);
    let failure = Failure::of_handler("accounts::OnCreateUser", &text, 3);
    let mut delivery = delivery(envelope_of("Zoë").encode().unwrap());
    let properties = &mut delivery.properties;
    properties.headers.set("tenant", "eu");
    properties.headers.set("x-dotnet-pub-seq-no", 5_i64);
    properties.headers.set("baggage", "b".repeat(60_000));
    properties.headers.set("more", Value::Bytes(vec![0; 60_000]));
    properties.expiration = Some("30000".to_owned());
    properties.user_id = Some("guest".to_owned());
    properties.priority = Some(7);
    let body = delivery.body.clone();
    let moved = writer().error(delivery, Some("CreateUser"), &failure, stamp());
    let headers = &moved.properties.headers;
    assert!(headers.wire_bytes() < FRAME_BYTES * 3 / 4, "{}", headers.wire_bytes());
    for name in WANTED_BY_SERVICE_CONTROL {
        assert!(headers.text(name).is_some(), "{name}");
    }
    let message = headers.text("MT-Fault-Message").unwrap();
    assert!(text.starts_with(message) && message.encode_utf16().count() <= LONGEST_HEADER_TEXT);
    assert_eq!(headers.integer("MT-Fault-RetryCount"), Some(2));
    assert_eq!(headers.text("MT-Fault-MessageType"), Some("Orchard.Contracts.CreateUser"));
    assert_eq!(headers.text("tenant"), Some("eu"));
    assert_eq!(headers.get("x-dotnet-pub-seq-no"), None);
    assert_eq!(headers.text("MT-Orchard-Dropped-Headers"), Some("baggage"));
    assert_eq!(headers.get("more"), Some(&Value::Bytes(vec![0; 60_000])));
    assert_eq!((moved.properties.expiration, moved.properties.user_id), (None, None));
    assert_eq!((moved.properties.priority, moved.body), (Some(7), body));
    // The same text in the fault's body is longer, and bounded too.
    let original = Original { delivery: self::delivery(envelope_of("Zoë").encode().unwrap()) };
    let fault = writer().fault("CreateUser", CommandId::new(), &original, &failure, stamp()).unwrap();
    assert!(fault.body.len() < 200_000, "{}", fault.body.len());
}

#[test]
fn what_is_moved_again_says_what_was_wrong_last() {
    let failure = Failure::of_handler("h", "first", 2);
    let delivery = delivery(envelope_of("Zoë").encode().unwrap());
    let Publication { properties, body, .. } = writer().error(delivery, None, &failure, stamp());
    let again = Delivery { properties, body, ..Delivery::default() };
    let failure = Failure::of_handler("h", "second", 1);
    let headers = writer().error(again.clone(), None, &failure, stamp()).properties.headers;
    assert_eq!(headers.text("MT-Fault-Message"), Some("second"));
    assert_eq!(headers.get("MT-Fault-RetryCount"), None);
    let headers = writer().skipped(again).properties.headers;
    assert_eq!((headers.text("MT-Reason"), headers.get("MT-Fault-Message")), (Some("dead-letter"), None));
}

#[test]
fn a_fault_of_a_message_as_long_or_deep_as_may_be_has_its_id() {
    let deep = format!("{}{}", "[".repeat(MAX_LEVELS - 3), "]".repeat(MAX_LEVELS - 3));
    let long = format!("\"{}\"", "x".repeat(MAX_BODY_BYTES / 2));
    for value in [deep, long] {
        let message = format!(
            r#"{{"commandId":"0197f0aa-0000-7000-8000-000000000001","email":"a","name":"b","x":{value}}}"#
        );
        let types = r#"["urn:message:Orchard.Contracts:CreateUser"]"#;
        let body = format!(r#"{{"messageType":{types},"message":{message}}}"#);
        let delivery = delivery(body.into_bytes());
        assert!(matches!(read(delivery.body.clone()), Incoming::Command(_)));
        let original = Original { delivery };
        let failure = Failure::of_handler("h", "no", 1);
        let command_id = id("0197f0aa-0000-7000-8000-000000000001");
        let fault = writer().fault("CreateUser", command_id, &original, &failure, stamp()).unwrap();
        let fault: serde_json::Value = serde_json::from_slice(&fault.body).unwrap();
        assert_eq!(fault["message"]["message"]["commandId"], "0197f0aa-0000-7000-8000-000000000001");
        assert_eq!(fault["message"]["exceptions"][0]["message"], "no");
    }
}

fn request(response: Option<&str>) -> Incoming {
    let body = json!({
        "requestId": "0197f0aa-0000-7000-8000-000000000002",
        "responseAddress": response,
        "messageType": ["urn:message:Orchard.Contracts:GetCommand"],
        "message": {"commandId": "0197f0aa-0000-7000-8000-000000000001"},
        "headers": {"tenant": "eu", "MT-Request-AcceptType": []},
    });
    let delivery = delivery(body.to_string().into_bytes());
    Reader::of_endpoint("commands").read(delivery, CommandId::new())
}

#[test]
fn a_request_is_answered_where_it_says_and_nowhere_else() {
    let answer = CommandFound {
        command_id: id("0197f0aa-0000-7000-8000-000000000001"),
        command: "CreateUser".into(),
        endpoint: "accounts".into(),
        state: "completed".into(),
        reason: None,
        result: None,
        attempts: 1,
    };
    let Incoming::Request(asked) = request(Some("rabbitmq://elsewhere/replies?temporary=true")) else {
        panic!()
    };
    let publication = writer().answer::<GetCommand, _>(&asked, &answer, stamp()).unwrap();
    assert_eq!(publication.target, Target::Reply { exchange: "replies".into(), key: String::new() });
    assert!(publication.target.topology(Default::default()).is_empty());
    let envelope = Envelope::decode(&publication.body).unwrap();
    assert_eq!(envelope.request_id, Some(Uuid::from_u128(0x0197f0aa_0000_7000_8000_000000000002)));
    assert_eq!(envelope.headers.read::<String>("tenant").as_deref(), Some("eu"));
    assert_eq!(envelope.headers.iter().count(), 1);
    assert_eq!(envelope.read::<CommandFound>().unwrap(), answer);
    // RabbitMQ's own queue for answers.
    let mut direct = asked.clone();
    direct.delivery.properties.reply_to = Some("amq.rabbitmq.reply-to.abc".into());
    let publication = writer().answer::<GetCommand, _>(&direct, &answer, stamp()).unwrap();
    assert_eq!(
        (publication.target.exchange().as_str(), publication.target.key()),
        ("", "amq.rabbitmq.reply-to.abc")
    );
    // In another virtual host nobody is reached.
    let Incoming::Request(asked) = request(Some("rabbitmq://localhost/other/replies")) else { panic!() };
    let error = writer().answer::<GetCommand, _>(&asked, &answer, stamp()).unwrap_err().to_string();
    assert!(error.contains("rabbitmq://localhost/other/replies"), "{error}");
    // One that cannot be answered is no request.
    match request(None) {
        Incoming::Unreadable { reason, .. } => {
            assert!(reason.to_string().contains("responseAddress"), "{reason}")
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn no_damage_to_a_message_panics(at in any::<prop::sample::Index>(), with in "[\\x00-\\x7f]{0,3}", cut in 0..40_usize, is_fault in any::<bool>()) {
        let mut body = envelope_of("Zoë").encode().unwrap();
        if is_fault {
            let original = Original { delivery: delivery(body) };
            let failure = Failure { exception: Exception { inner: Some(Box::default()), ..Exception::default() }, ..Failure::default() };
            body = writer().fault("CreateUser", CommandId::new(), &original, &failure, stamp()).unwrap().body;
        }
        let at = at.index(body.len());
        let end = (at + cut).min(body.len());
        body.splice(at..end, with.into_bytes());
        let damaged = delivery(body);
        for reader in [Reader::of_endpoint(ACCOUNTS), Reader::listening().with_raw_json()] {
            if let Incoming::Unreadable { delivery, reason } = reader.read(damaged.clone(), CommandId::new()) {
                let failure = Failure::of_unreadable(&reason);
                writer().receive_fault(&delivery, &failure, stamp()).unwrap();
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), content_type in prop::option::of("application/json|.{0,20}")) {
        let properties = Properties { content_type, ..Properties::default() };
        let delivery = Delivery { properties, body: bytes.clone(), ..Delivery::default() };
        let _ = Reader::listening().with_raw_json().read(delivery, CommandId::new());
        let _ = Original::of_bytes(&bytes);
    }
}
