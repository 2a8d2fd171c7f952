//! The deliveries that were put on a queue as they are: what this program makes of each is what .NET made of it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bus::wire::{
    Delivery, Failure, Home, Incoming, Original, Properties, Reader, Stamp, Unreadable, Value, Writer,
};
use serde_json::Value as Json;
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::envelope::{CONTENT_TYPE, Envelope, Host, UtcTime};

use crate::all_values::AllValues;
use crate::data::{messages, recorded};
use crate::outcome::{Decision, Set, decided, differs};

/// What .NET takes and this program refuses, or takes otherwise.
fn decisions() -> Vec<Decision> {
    let refused: &[&str] = &["outcome is \"error\""];
    [
        decided("refused: it is no JSON", refused, ["comments and trailing commas"]),
        decided(
            "refused: it can be understood in two ways",
            refused,
            ["duplicate keys", "duplicate keys in message"],
        ),
        decided(
            "refused: .NET reads it silently wrong",
            refused,
            [
                "value: decimal with thousands",
                "value: decimal with comma",
                "value: decimal empty",
                "value: decimal with blanks",
                "value: double 1e400",
                "value: enum unknown number",
            ],
        ),
        decided(
            "refused: .NET reads it as a message in which everything is absent",
            refused,
            ["raw endpoint, envelope as application/json"],
        ),
        decided("read with every digit, where .NET rounds", &["Decimal is"], ["value: decimal 29 digits"]),
        decided(
            "unreadable, with ReceiveFault: .NET fails on it only later, with Fault<AllValues>",
            &["fault is"],
            ["sourceAddress that is no URI"],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn what_others_write_is_taken_as_dotnet_takes_it() {
    let mut set = Set::new("masstransit, read tolerantly", decisions());
    let cases = recorded("tolerance");
    assert_eq!(cases.len(), 170);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let delivery = delivery(case);
        let mut reader = Reader::of_endpoint("probe");
        if case["raw"] == true {
            reader = reader.with_raw_json();
        }
        let incoming = reader.read(delivery.clone(), CommandId::new());
        set.case(name, differences(case, &delivery, incoming));
    }
    set.finish(cases.len());
}

fn delivery(case: &Json) -> Delivery {
    let body = match (case["body"].as_str(), case["base64"].as_str()) {
        (Some(body), _) => body.as_bytes().to_vec(),
        (_, Some(text)) => BASE64_STANDARD.decode(text).unwrap(),
        _ => {
            let fill = &case["fill"];
            let part = |name: &str| fill[name].as_str().unwrap().to_owned();
            let times = usize::try_from(fill["times"].as_u64().unwrap()).unwrap();
            (part("before") + &part("text").repeat(times) + &part("after")).into_bytes()
        }
    };
    let content_type = match case.get("contentType") {
        None => Some(CONTENT_TYPE.to_owned()),
        Some(content_type) => content_type.as_str().map(str::to_owned),
    };
    let text = |name: &str| case[name].as_str().map(str::to_owned);
    let mut properties = Properties {
        content_type,
        is_persistent: true,
        message_id: text("messageId"),
        correlation_id: text("correlationId"),
        ..Properties::default()
    };
    for (name, value) in case["headers"].as_object().into_iter().flatten() {
        let value = match value {
            Json::String(text) => Value::from(text.as_str()),
            Json::Number(number) => Value::from(number.as_i64().unwrap()),
            bytes => Value::Bytes(bytes["bytes"].as_str().unwrap().as_bytes().to_vec()),
        };
        properties.headers.set(name, value);
    }
    Delivery { exchange: "probe".to_owned(), properties, body, ..Delivery::default() }
}

fn differences(case: &Json, delivery: &Delivery, incoming: Incoming) -> Vec<String> {
    let outcome = case["outcome"].as_str().unwrap();
    match incoming {
        Incoming::Command(command) if outcome == "consumed" => {
            let kept = Original::of_bytes(command.command.original.as_deref().unwrap()).unwrap();
            let mut differences: Vec<_> = differs("original", &kept.delivery, delivery).into_iter().collect();
            differences.extend(seen_differs(&case["seen"], &kept.envelope().unwrap()));
            let message: AllValues = serde_json::from_str(&command.command.body).unwrap();
            differences.extend(message_differs(&case["seen"]["message"], &message));
            differences
        }
        Incoming::Skipped(skipped) if outcome == "skipped" => {
            differs("delivery", &skipped, delivery).into_iter().collect()
        }
        Incoming::Unreadable { delivery: kept, reason } => {
            let mut differences: Vec<_> = differs("delivery", &kept, delivery).into_iter().collect();
            differences.extend(differs("outcome", "error", outcome));
            if outcome == "error" {
                differences.extend(error_differs(case, kept, &reason));
            }
            differences
        }
        other => vec![format!("read as {other:?}, recorded {outcome}")],
    }
}

/// The ids, addresses, times and headers that the handler saw.
fn seen_differs(seen: &Json, envelope: &Envelope) -> Vec<String> {
    let text = |field: &str| seen[field].as_str().map(str::to_owned);
    let ids = [
        ("messageId", envelope.message_id.map(|id| id.to_string())),
        ("requestId", envelope.request_id.map(|id| id.to_string())),
        ("correlationId", envelope.correlation_id.map(|id| id.to_string())),
        ("conversationId", envelope.conversation_id.map(|id| id.to_string())),
        ("initiatorId", envelope.initiator_id.map(|id| id.to_string())),
        ("sourceAddress", envelope.source_address.as_ref().map(|address| address.to_string())),
        ("responseAddress", envelope.response_address.as_ref().map(|address| address.to_string())),
        ("faultAddress", envelope.fault_address.as_ref().map(|address| address.to_string())),
    ];
    let mut differences: Vec<_> =
        ids.into_iter().filter_map(|(field, ours)| differs(field, &ours, &text(field))).collect();
    // What a consumer of raw JSON adds of its own delivery is of no use to anybody else.
    let of_delivery = |name: &str| name.starts_with("RabbitMQ-");
    let mut theirs: Vec<_> =
        seen["headers"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let is_raw = theirs.iter().any(|name| of_delivery(name));
    theirs.retain(|name| !of_delivery(name));
    theirs.sort();
    let mut ours: Vec<_> = envelope.headers.iter().map(|(name, _)| name.to_owned()).collect();
    ours.sort();
    differences.extend(differs("headers", &ours, &theirs));
    if !is_raw {
        let destination = envelope.destination_address.as_ref().map(|address| address.to_string());
        differences.extend(differs("destinationAddress", &destination, &text("destinationAddress")));
    }
    for (field, ours) in [("sentTime", envelope.sent_time), ("expirationTime", envelope.expiration_time)] {
        let theirs = text(field).map(|text| text.parse::<UtcTime>().unwrap());
        differences.extend(differs(field, &ours, &theirs));
    }
    if !seen["host"].is_null() {
        let host = serde_json::to_value(&envelope.host).unwrap();
        for (name, value) in seen["host"].as_object().unwrap() {
            let ours = &host[name[..1].to_lowercase() + &name[1..]];
            differences.extend(differs(name, ours, value));
        }
    }
    differences
}

/// The properties of the message.
fn message_differs(seen: &Json, message: &AllValues) -> Vec<String> {
    let ours = message.seen();
    let mut differences = Vec::new();
    for (name, theirs) in seen.as_object().into_iter().flatten() {
        let theirs = theirs.as_str().unwrap();
        let ours = ours.get(name).map_or("absent", String::as_str);
        differences.extend(differs(name, &comparable(name, ours), &comparable(name, theirs)));
    }
    let more: Vec<_> = ours.keys().filter(|name| seen.get(name.as_str()).is_none()).collect();
    differences.extend(differs("properties set", &more, &Vec::new()));
    differences
}

/// A value as it can be compared: what differs only in how it is shown is alike.
fn comparable(name: &str, shown: &str) -> String {
    match name {
        // Behind the moment itself stands what .NET calls its kind.
        "Utc" | "Unspecified" | "Local" | "Offset" => shown.chars().take(27).collect(),
        // 1.10 is 1.1.
        "Decimal" if shown.contains('.') => shown.trim_end_matches('0').trim_end_matches('.').to_owned(),
        // The recording says only this of a long text.
        "Text" if shown.len() == 1 << 20 && shown.bytes().all(|byte| byte == b'x') => {
            "(1,048,576 times x)".to_owned()
        }
        _ => serde_json::from_str::<Json>(shown).map_or_else(|_| shown.to_owned(), |json| json.to_string()),
    }
}

/// The fault and the headers of the error queue, but for what the error itself is called and says.
fn error_differs(case: &Json, delivery: Delivery, reason: &Unreadable) -> Vec<String> {
    let home = Home::new("localhost", "tolerance", false);
    let host = Host { process_name: Some("orchard".into()), ..Host::default() };
    let writer = Writer::new(home, "probe", host);
    let (failure, stamp) = (Failure::of_unreadable(reason), Stamp::new(1_769_860_800_000));
    let fault = writer.receive_fault(&delivery, &failure, stamp).unwrap();
    let fault: Json = serde_json::from_slice(&fault.body).unwrap();
    let mut differences: Vec<_> =
        differs("fault", &fault["messageType"], &case["faultTypes"]).into_iter().collect();
    let body = delivery.body.clone();
    let moved = writer.error(delivery, None, &failure, stamp);
    differences.extend(differs("body", &moved.body, &body));
    for (name, _) in case["errorHeaders"].as_object().into_iter().flatten() {
        // Those of a handler: here none had it.
        let is_of_handler = name == "MT-Fault-ConsumerType" || name == "MT-Fault-MessageType";
        if name.starts_with("MT-Fault-") && !is_of_handler && moved.properties.headers.text(name).is_none() {
            differences.push(format!("the error queue's header {name} is absent"));
        }
    }
    differences
}

#[test]
fn values_are_written_as_dotnet_writes_them() {
    let mut set = Set::new("masstransit, values written", Vec::new());
    let messages = messages();
    let of_values = messages.iter().filter(|message| message.scenario.starts_with("values-"));
    let mut count = 0;
    for message in of_values {
        let recorded = message.json()["message"].clone();
        let read: AllValues = Envelope::decode(&message.body).unwrap().read().unwrap();
        let written = serde_json::to_value(&read).unwrap();
        let mut differences = Vec::new();
        for (name, value) in recorded.as_object().unwrap() {
            let ours = match &written[name] {
                // JSON knows no two sizes of numbers, nor 0.0 beside 0.
                Json::Number(number)
                    if matches!(name.as_str(), "float" | "double")
                        && number.as_f64().unwrap() as f32 == value.as_f64().unwrap_or(f64::NAN) as f32 =>
                {
                    value
                }
                ours => ours,
            };
            differences.extend(differs(name, ours, value));
        }
        let names = |json: &Json| json.as_object().unwrap().len();
        differences.extend(differs("number of properties", &names(&written), &names(&recorded)));
        set.case(&message.case, differences);
        count += 1;
    }
    set.finish(count);
}
