use super::*;
use broker::Properties;

/// What MassTransit 8.5.12 published to `_error` and `_skipped` queues, as it was recorded.
const RECORDED: &str = include_str!("../../tests/data/masstransit.json");

fn recorded(scenario: &str, place: usize) -> (String, Delivery) {
    let all: Json = serde_json::from_str(RECORDED).unwrap();
    let message = &all[scenario][place];
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let mut headers = Table::default();
    for (name, value) in message["properties"]["headers"].as_object().unwrap() {
        headers = match (value["S"].as_str(), value["l"].as_i64()) {
            (Some(text), _) => headers.with(name, text),
            (_, number) => headers.with(name, number.unwrap()),
        };
    }
    let queue = text(&message["exchange"]).unwrap();
    let delivery = Delivery {
        tag: 1,
        exchange: queue.clone(),
        routing_key: String::new(),
        is_redelivered: false,
        properties: Properties {
            headers,
            content_type: text(&message["properties"]["content_type"]),
            message_id: text(&message["properties"]["message_id"]),
            correlation_id: text(&message["properties"]["correlation_id"]),
            ..Properties::default()
        },
        body: message["body"].as_str().unwrap().as_bytes().to_vec(),
    };
    (queue, delivery)
}

#[test]
fn what_masstransit_puts_into_error_is_read() {
    let (queue, delivery) = recorded("fault", 0);
    let Shown { entry, details, body } = shown(&queue, delivery.clone());
    assert_eq!(body, delivery.body);
    assert_eq!(entry.kind, Kind::Error);
    assert_eq!(entry.reason, "e-mail is taken (Parameter 'email')");
    assert_eq!(entry.exception_type.as_deref(), Some("System.ArgumentException"));
    assert_eq!(entry.command_id.as_deref(), Some("0197f0aa-0000-7000-8000-000000000001"));
    assert_eq!(entry.message_id, delivery.properties.message_id);
    assert_eq!(entry.message_type.as_deref(), Some("Orchard.Contracts:CreateUser"));
    assert_eq!(entry.endpoint.as_deref(), Some("create-user"));
    assert!(entry.failed_at.as_deref().unwrap().starts_with("2026-11-29T10:58:41.503322"), "{entry:?}");
    assert!(entry.sent_at.is_some());
    assert!(details.stack_trace.unwrap().contains("FailingConsumer.Consume"));
    assert_eq!(details.consumer_type.as_deref(), Some("Orchard.Peer.FailingConsumer"));
    assert_eq!(details.message_types.len(), 2);
    assert_eq!(details.host.machine.as_deref(), Some("peer"));
    assert!(details.source_address.unwrap().contains("peer_OrchardPeer_bus"));
    assert_eq!((details.unreadable, details.initiator_id), (None, None));
}

#[test]
fn what_masstransit_skips_is_read() {
    let (queue, delivery) = recorded("skipped", 0);
    let entry = entry(&queue, &delivery);
    assert_eq!((entry.kind, entry.endpoint.as_deref()), (Kind::Skipped, Some("create-user")));
    assert_eq!(entry.message_type.as_deref(), Some("Orchard.Contracts:Plain"));
    assert_eq!((entry.failed_at, entry.command_id), (None, None));
}

#[test]
fn what_nobody_can_read_has_a_reason_and_an_id_all_the_same() {
    let (queue, delivery) = recorded("receive-fault", 1);
    let Shown { entry, details, .. } = shown(&queue, delivery.clone());
    assert!(entry.reason.contains("'this is no JSON'"), "{entry:?}");
    assert_eq!(entry.id, super::entry(&queue, &delivery).id);
    assert!(entry.id.parse::<Uuid>().is_ok() && entry.message_id.is_none());
    assert!(details.unreadable.is_some());
    let other = recorded("receive-fault", 0);
    assert_ne!(super::entry(&other.0, &other.1).id, entry.id);
}

#[test]
fn raw_json_has_its_ids_in_headers() {
    let headers = Table::default()
        .with("MessageId", "m")
        .with("CorrelationId", "c")
        .with(
            "MT-MessageType",
            "urn:message:Orchard.Contracts:CreateUser;urn:message:Orchard.Contracts:ICommand",
        )
        .with("MT-Reason", "fault")
        .with("MT-Fault-Message", "a".repeat(5_000));
    let properties = Properties { headers, ..Properties::default() };
    let delivery = Delivery {
        tag: 1,
        exchange: String::new(),
        routing_key: String::new(),
        is_redelivered: false,
        properties,
        body: br#"{"email":"z@example.com"}"#.to_vec(),
    };
    let entry = entry("parked", &delivery);
    assert_eq!((entry.id.as_str(), entry.command_id.as_deref()), ("m", Some("c")));
    assert_eq!(entry.message_type.as_deref(), Some("Orchard.Contracts:CreateUser"));
    assert_eq!((entry.kind, entry.reason.chars().count()), (Kind::Error, MAX_REASON + 1));
    assert_eq!(entry.endpoint, None);
}

#[test]
fn a_requeued_message_loses_what_says_how_it_failed_and_no_more() {
    let (_, delivery) = recorded("fault", 0);
    let headers = delivery.properties.headers.with(FAULT_ADDRESS, "exchange:faults");
    let left = headers.without(is_of_failure);
    let names: Vec<&str> = left.iter().map(|(name, _)| name).collect();
    assert!(
        names.contains(&"tenant") && names.contains(&FAULT_ADDRESS) && names.contains(&"MT-Host-MachineName"),
        "{names:?}"
    );
    assert!(!names.iter().any(|name| name.starts_with("MT-Fault") && *name != FAULT_ADDRESS
        || *name == "MT-Reason"
        || *name == DOTNET_SEQUENCE));
}
