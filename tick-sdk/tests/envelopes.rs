//! Envelopes that a real MassTransit wrote, and what it made of those that others write.

#![cfg(feature = "contracts")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tick_sdk::command;
use tick_sdk::contracts::ConversationId;
use tick_sdk::contracts::accounts::{CreateUser, UserCreated};
use tick_sdk::contracts::envelope::{
    Envelope, EnvelopeError, HeaderValue, Host, Ids, JsonText, MAX_BODY_BYTES, MAX_LEVELS, UtcTime,
};
use tick_sdk::contracts::ticks::StartReplay;

struct Recorded {
    scenario: String,
    properties: Value,
    body: String,
}

/// One of the recorded files.
fn file<T: DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/tests/data/masstransit/{name}.json.zst", env!("CARGO_MANIFEST_DIR"));
    let packed = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&zstd::decode_all(packed.as_slice()).unwrap()).unwrap()
}

/// Every envelope that was published in the scenarios, copies in error queues included.
fn recorded() -> &'static [Recorded] {
    static RECORDED: LazyLock<Vec<Recorded>> = LazyLock::new(|| {
        let mut envelopes: Vec<Recorded> = Vec::new();
        for scenario in file::<Vec<Value>>("scenarios") {
            let connections = scenario["connections"].as_array().unwrap();
            for method in connections.iter().flat_map(|connection| connection.as_array().unwrap()) {
                let body = method["body"].as_str().unwrap_or_default();
                let is_envelope = body.contains("\"messageType\"") && body.contains("\"messageId\"");
                if method["method"] == "basic.publish" && is_envelope {
                    envelopes.push(Recorded {
                        scenario: scenario["scenario"].as_str().unwrap().to_owned(),
                        properties: method["properties"].clone(),
                        body: body.to_owned(),
                    });
                }
            }
        }
        envelopes
    });
    &RECORDED
}

#[test]
fn every_recorded_envelope_is_read_and_written_byte_for_byte() {
    let mut by_masstransit = 0;
    for Recorded { scenario, body, .. } in recorded() {
        let envelope =
            Envelope::decode(body.as_bytes()).unwrap_or_else(|error| panic!("{scenario}: {error}"));
        // Some were put on a queue by hand, to see a consumer fail.
        if !body.contains("\"massTransitVersion\"") {
            continue;
        }
        by_masstransit += 1;
        let written = String::from_utf8(envelope.encode().unwrap()).unwrap();
        assert_eq!(&written, body, "{scenario}");
    }
    assert_eq!(by_masstransit, 68);
}

/// Where the envelope does not say what kind of value a header was in .NET, it goes out as text.
const TEXT_HERE: [&str; 4] = ["bytes", "decimal", "offset", "utc"];

#[test]
fn properties_are_as_recorded() {
    for Recorded { scenario, properties, body } in recorded() {
        let ours = Envelope::decode(body.as_bytes()).unwrap().properties();
        if !body.contains("\"massTransitVersion\"") {
            continue;
        }
        let text = |name: &str| properties[name].as_str().map(str::to_owned);
        assert_eq!(ours.message_id, text("message_id"), "{scenario}");
        assert_eq!(ours.correlation_id, text("correlation_id"), "{scenario}");
        let mut theirs: BTreeMap<&str, HeaderValue> = BTreeMap::new();
        for (name, value) in properties["headers"].as_object().into_iter().flatten() {
            let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
            let value = match kind.as_str() {
                "S" => HeaderValue::Text(value.as_str().unwrap().to_owned()),
                "I" | "l" => HeaderValue::Integer(value.as_i64().unwrap()),
                "d" => HeaderValue::Double(value.as_f64().unwrap()),
                _ => continue,
            };
            theirs.insert(name, value);
        }
        // These may stand beside an envelope that lacks them: the client's, tracing's, those of a dead letter.
        const BESIDE: [&str; 7] =
            ["x-dotnet-", "traceparent", "tracestate", "baggage", "MT-Host-", "MT-Fault-", "MT-Reason"];
        let is_ours = |name: &str| ours.headers.iter().any(|(known, _)| known == name);
        theirs.retain(|name, _| is_ours(name) || !BESIDE.iter().any(|beside| name.starts_with(beside)));
        for (name, value) in &ours.headers {
            if TEXT_HERE.contains(&name.as_str()) {
                assert!(matches!(value, HeaderValue::Text(_)), "{scenario}: {name}");
            } else {
                assert_eq!(theirs.remove(name.as_str()).as_ref(), Some(value), "{scenario}: {name}");
            }
        }
        assert_eq!(theirs, BTreeMap::new(), "{scenario}");
    }
}

#[derive(Deserialize)]
struct Delivery {
    name: String,
    body: Option<String>,
    base64: Option<String>,
    fill: Option<Fill>,
    outcome: String,
    #[serde(default)]
    raw: bool,
    #[serde(default)]
    seen: Value,
}

#[derive(Deserialize)]
struct Fill {
    before: String,
    text: String,
    times: usize,
    after: String,
}

impl Delivery {
    fn bytes(&self) -> Vec<u8> {
        match (&self.body, &self.base64, &self.fill) {
            (Some(body), _, _) => body.clone().into_bytes(),
            (_, Some(text), _) => bytes_of_base64(text),
            (_, _, Some(fill)) => {
                format!("{}{}{}", fill.before, fill.text.repeat(fill.times), fill.after).into_bytes()
            }
            _ => panic!("{} has no body", self.name),
        }
    }
}

fn bytes_of_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter(|byte| *byte != b'=');
    let digits: Vec<u32> =
        digits.map(|byte| DIGITS.iter().position(|digit| *digit == byte).unwrap() as u32).collect();
    let bits =
        |chunk: &[u32]| chunk.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - chunk.len()));
    digits.chunks(4).flat_map(|chunk| bits(chunk).to_be_bytes()[1..chunk.len()].to_vec()).collect()
}

/// The contract that the recorded endpoint consumed.
#[derive(Debug, serde::Serialize, Deserialize)]
struct AllValues {}
command!(AllValues, version 1, endpoint "probe");

/// What .NET takes and we refuse, each with the reason: .NET would read it silently wrong.
const REFUSED_HERE: [(&str, &str); 3] = [
    ("duplicate keys", "the name 'message' stands twice in one object"),
    ("duplicate keys in message", "the name 'text' stands twice in one object"),
    ("comments and trailing commas", "the body cannot be read as JSON"),
];

/// What we say of what .NET refuses too.
const REFUSED_BY_BOTH: [(&str, &str); 26] = [
    ("single quotes", "the body cannot be read as JSON: key must be a string"),
    ("GUID that is none", "the field 'correlationId' holds no id: 'not-a-guid'"),
    ("GUID is a number", "the field 'correlationId' is a number, but must be a text"),
    ("messageId that is no GUID", "the field 'messageId' holds no id: 'order-17'"),
    ("responseAddress relative", "the field 'responseAddress' holds no address: 'replies' names no scheme"),
    (
        "sourceAddress that is no URI",
        "the field 'sourceAddress' holds no address: 'http://[bad' names no valid host",
    ),
    ("messageType is a text", "the field 'messageType' is a text, but must be a list of text"),
    ("message missing", "the field 'message' is missing"),
    ("message null", "the field 'message' is missing"),
    ("message is an array", "the field 'message' is a list, but must be an object"),
    ("message is a text", "the field 'message' is a text, but must be an object"),
    ("headers is a list", "the field 'headers' is a list, but must be an object"),
    ("sentTime that is none", "the field 'sentTime' holds no time: 'yesterday'"),
    ("processId as text", "the field 'processId' is a text, but must be a whole number"),
    ("body empty", "the body cannot be read as JSON: EOF"),
    ("body blank", "the body cannot be read as JSON: EOF"),
    ("body null", "the field 'body' is null, but must be an object"),
    ("body array", "the field 'body' is a list, but must be an object"),
    ("body not JSON", "the body cannot be read as JSON"),
    ("body cut", "the body cannot be read as JSON: EOF while parsing a string"),
    ("body with something after", "the body cannot be read as JSON: trailing characters"),
    ("body with BOM", "the body begins with a byte order mark"),
    ("body UTF-16", "byte 0 of the body is not UTF-8"),
    ("body invalid UTF-8 in a value", "is not UTF-8"),
    ("lone surrogate escape", "the body cannot be read as JSON"),
    ("raw JSON on a default endpoint", "the field 'message' is missing"),
];

#[test]
fn what_others_write_is_taken_as_dotnet_takes_it() {
    let mut deliveries: Vec<Delivery> = file("tolerance");
    // Values of a message and raw JSON are compared by the tests of the bus.
    deliveries.retain(|delivery| !delivery.raw && !delivery.name.starts_with("value:"));
    assert!(deliveries.len() > 70);
    let reason = |name: &str, rows: &[(&str, &'static str)]| {
        rows.iter().find(|(row, _)| *row == name).map(|(_, reason)| *reason)
    };
    let mut refused_here = 0;
    for delivery in deliveries {
        let name = delivery.name.as_str();
        let decoded = Envelope::decode(&delivery.bytes());
        if let Some(expected) = reason(name, &REFUSED_HERE) {
            assert_eq!(delivery.outcome, "consumed", "{name}");
            assert_refused(name, decoded, expected);
            refused_here += 1;
            continue;
        }
        match delivery.outcome.as_str() {
            "consumed" => {
                let envelope = decoded.unwrap_or_else(|error| panic!("{name}: {error}"));
                envelope.read::<AllValues>().unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_seen(name, &envelope, &delivery.seen);
            }
            "skipped" => assert!(!decoded.unwrap().is::<AllValues>(), "{name}"),
            "error" => {
                let deep = name.starts_with("nested").then_some("objects and lists stand more than 64 deep");
                let raw = name.starts_with("raw JSON").then_some("the field 'message' is missing");
                let expected = reason(name, &REFUSED_BY_BOTH).or(deep).or(raw);
                assert_refused(name, decoded, expected.unwrap_or_else(|| panic!("no row for {name}")));
            }
            other => panic!("{name}: {other}"),
        }
    }
    assert_eq!(refused_here, REFUSED_HERE.len());
}

fn assert_refused(name: &str, decoded: Result<Envelope, EnvelopeError>, expected: &str) {
    let error = decoded.expect_err(name).to_string();
    assert!(error.contains(expected), "{name}: '{error}' does not say '{expected}'");
}

/// That we see what .NET's handler saw.
fn assert_seen(name: &str, envelope: &Envelope, seen: &Value) {
    let text = |field: &str| seen[field].as_str().map(str::to_owned);
    assert_eq!(envelope.message_id.map(|id| id.to_string()), text("messageId"), "{name}");
    assert_eq!(envelope.request_id.map(|id| id.to_string()), text("requestId"), "{name}");
    assert_eq!(envelope.correlation_id.map(|id| id.to_string()), text("correlationId"), "{name}");
    assert_eq!(envelope.conversation_id.map(|id| id.to_string()), text("conversationId"), "{name}");
    assert_eq!(envelope.initiator_id.map(|id| id.to_string()), text("initiatorId"), "{name}");
    let addresses = [
        ("sourceAddress", &envelope.source_address),
        ("destinationAddress", &envelope.destination_address),
        ("responseAddress", &envelope.response_address),
        ("faultAddress", &envelope.fault_address),
    ];
    for (field, address) in addresses {
        assert_eq!(address.as_ref().map(|address| address.to_string()), text(field), "{name}: {field}");
    }
    let time = |field: &str| text(field).map(|text| text.parse::<UtcTime>().unwrap());
    assert_eq!(envelope.sent_time, time("sentTime"), "{name}");
    assert_eq!(envelope.expiration_time, time("expirationTime"), "{name}");
    let ours: Vec<_> = envelope.headers.iter().map(|(name, _)| name.to_owned()).collect();
    let theirs: Vec<_> = seen["headers"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
    assert_eq!(ours.len(), theirs.len(), "{name}: {ours:?} {theirs:?}");
    assert!(theirs.iter().all(|name| ours.contains(name)), "{name}");
}

fn ids() -> Ids {
    let id = |text: &str| text.parse().unwrap();
    Ids {
        message_id: "0197f0aa-0000-7000-8000-000000000009".parse().unwrap(),
        command_id: id("0197f0aa-0000-7000-8000-000000000001"),
        conversation_id: ConversationId("0197f0aa-0000-7000-8000-000000000002".parse().unwrap()),
        initiator_id: Some(id("0197f0aa-0000-7000-8000-000000000003")),
    }
}

fn create_user() -> CreateUser {
    CreateUser { email: "zoe@example.com".into(), name: "Zoë \"Z\" <z> & 'q'".into() }
}

/// The form of JSON: names in their order, and kinds instead of values.
fn form(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.split(": ").next().unwrap_or_default().trim_end_matches(',').to_owned())
        .collect()
}

#[test]
fn a_command_is_written_in_the_form_of_the_recorded_one() {
    let is_sent = |row: &&Recorded| row.scenario == "send-command" && row.body.contains("\"commandId\"");
    let theirs = &recorded().iter().find(is_sent).unwrap().body;
    let mut envelope = Envelope::of(&create_user(), ids()).unwrap();
    envelope.sent_time = UtcTime::from_unix_ms(1_769_860_800_123);
    envelope.host = Host { process_name: Some("orchard".into()), process_id: 7, ..Host::default() };
    let ours = String::from_utf8(envelope.encode().unwrap()).unwrap();
    assert_eq!(form(&ours), form(theirs));
    // Their message is ours to the byte.
    let message = |body: &str| {
        let from = body.find("\"messageType\"").unwrap();
        body[from..body.find("\"expirationTime\"").unwrap()].to_owned()
    };
    assert_eq!(message(&ours), message(theirs));
    assert_eq!(Envelope::decode(theirs.as_bytes()).unwrap().read::<CreateUser>().unwrap(), create_user());
}

#[test]
fn an_event_carries_the_command_that_caused_it() {
    let event = UserCreated { user_id: ids().command_id.0, email: "a@b.c".into(), name: "A".into() };
    let envelope = Envelope::of(&event, ids()).unwrap();
    let message: Value = serde_json::from_str(envelope.message.as_str()).unwrap();
    assert_eq!(message["correlationId"], "0197f0aa-0000-7000-8000-000000000001");
    assert_eq!(envelope.message_type[1], "urn:message:Orchard.Contracts:IEvent");
    let read = Envelope::decode(&envelope.encode().unwrap()).unwrap();
    assert_eq!(read, envelope);
    assert_eq!(read.read::<UserCreated>().unwrap(), event);
    let other = read.read::<CreateUser>().unwrap_err();
    assert!(matches!(other, EnvelopeError::OtherType { .. }), "{other}");
}

#[test]
fn a_command_is_known_by_its_message_where_the_envelope_names_none() {
    let mut envelope = Envelope::of(&create_user(), ids()).unwrap();
    envelope.correlation_id = None;
    assert_eq!(envelope.command_id(), Some(ids().command_id));
}

#[test]
fn names_that_differ_only_in_case_are_refused_where_they_mean_one_field() {
    for body in [
        r#"{"messageType":[],"message":{},"Message":{}}"#,
        r#"{"messageType":[],"message":{},"headers":{"tenant":"a","Tenant":"b"}}"#,
    ] {
        let error = Envelope::decode(body.as_bytes()).unwrap_err();
        assert!(matches!(error, EnvelopeError::NameTwice { .. }), "{error}");
    }
}

#[test]
fn numbers_without_bounds_are_refused() {
    let error = Envelope::decode(br#"{"messageType":[],"message":{"double":1e400}}"#).unwrap_err();
    assert!(error.to_string().contains("number out of range"), "{error}");
}

#[test]
fn a_number_that_json_has_no_form_for_is_not_sent_as_null() {
    let plan = StartReplay { speed: Some(f64::NAN), ..StartReplay::default() };
    let error = Envelope::of(&plan, ids()).unwrap_err();
    assert!(error.to_string().contains("'message'") && error.to_string().contains("NaN"), "{error}");
}

#[test]
fn bodies_and_depths_have_bounds() {
    let body = vec![b' '; MAX_BODY_BYTES + 1];
    assert!(matches!(Envelope::decode(&body), Err(EnvelopeError::TooLong { .. })));
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(JsonText::parse(&nested(MAX_LEVELS - 1)).is_ok());
    assert!(matches!(JsonText::parse(&nested(MAX_LEVELS)), Err(EnvelopeError::TooDeep)));
    // A million levels end at the bound, and use no more of the stack.
    assert!(matches!(Envelope::decode(nested(1_000_000).as_bytes()), Err(EnvelopeError::TooDeep)));
    let mut envelope = Envelope::of(&create_user(), ids()).unwrap();
    envelope.message = JsonText::parse(&format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BODY_BYTES))).unwrap();
    assert!(matches!(envelope.encode(), Err(EnvelopeError::TooLong { .. })));
    envelope.message = JsonText::parse("5").unwrap();
    assert!(matches!(envelope.encode(), Err(EnvelopeError::WrongKind { field: "message", .. })));
    envelope.message_type.clear();
    assert!(matches!(envelope.encode(), Err(EnvelopeError::Missing { field: "messageType" })));
}

#[test]
fn an_error_quotes_no_more_than_the_beginning() {
    let long = "x".repeat(1_000_000);
    for field in ["correlationId", "sourceAddress", "sentTime"] {
        let body = format!(r#"{{"messageType":[],"message":{{}},"{field}":"{long}"}}"#);
        assert!(Envelope::decode(body.as_bytes()).unwrap_err().to_string().len() < 300, "{field}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        let object = prop::collection::btree_map(any::<String>(), inner.clone(), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Value::from),
            object.prop_map(|object| Value::Object(object.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(properties in prop::collection::btree_map(any::<String>(), any_json(), 0..6), header in any_json(), tenant in any::<String>(), machine in any::<String>()) {
        let mut envelope = Envelope::of(&create_user(), ids()).unwrap();
        let message = Value::Object(properties.into_iter().collect());
        envelope.message = JsonText::parse(&message.to_string()).unwrap();
        envelope.headers.set(&tenant, &header).unwrap();
        envelope.host.machine_name = Some(machine);
        let read = Envelope::decode(&envelope.encode().unwrap()).unwrap();
        let reread: Value = serde_json::from_str(read.message.as_str()).unwrap();
        prop_assert_eq!(reread, message);
        prop_assert_eq!(read.headers.read::<Value>(&tenant), Some(header));
        prop_assert_eq!(read.host, envelope.host);
        prop_assert_eq!(read.message_id, envelope.message_id);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Envelope::decode(&bytes);
    }

    #[test]
    fn no_damage_to_an_envelope_panics(row in 0..50_usize, at in any::<prop::sample::Index>(), with in "[\\x00-\\x7f]{0,3}", cut in 0..40_usize) {
        let mut body = recorded()[row].body.clone().into_bytes();
        let at = at.index(body.len());
        let end = (at + cut).min(body.len());
        body.splice(at..end, with.into_bytes());
        if let Ok(envelope) = Envelope::decode(&body) {
            let _ = envelope.encode();
            let _ = envelope.read::<CreateUser>();
        }
    }
}
