//! What the generators give.

use std::collections::BTreeSet;

use serde_json::Value;
use tick_sdk::contracts::bus::STATUS_EVENTS;
use tick_sdk::contracts::{KnownCommand, KnownEvent, KnownRequest};
use tick_sdk::shape::Shape;

/// The same each time, and with a first line that says where it comes from.
#[test]
fn what_is_generated_says_so() {
    let all = |()| {
        let others = [bindings::csharp_in_one_file(), bindings::typescript(), bindings::json_schema()];
        [bindings::csharp(), others.to_vec()].concat()
    };
    assert_eq!(all(()), all(()));
    for file in all(()) {
        let beginning: String = file.text.lines().take(4).collect();
        assert!(beginning.contains("enerated by `orchard contracts --"), "{}: {beginning}", file.name);
        assert!(file.text.lines().all(|line| line == line.trim_end()), "{}: blanks at an end", file.name);
        assert!(file.text.ends_with('\n') && !file.text.ends_with("\n\n"), "{}", file.name);
    }
}

#[test]
fn messages_have_what_masstransit_needs() {
    let contracts = &bindings::csharp()[0].text;
    for line in [
        "public sealed record CreateUser : ICommand",
        "public sealed record UserCreated : IEvent",
        "public sealed record CommandFailed : IEvent",
        "public sealed record GetCommand",
        "[JsonPropertyName(\"commandId\")] public Guid CommandId { get; init; } = Guid.NewGuid();",
        "[JsonPropertyName(\"loop\")] public long? Loop { get; init; }",
        "[JsonPropertyName(\"plan\")] public StartReplayBody Plan { get; init; } = null!;",
        "public const string Accounts = \"accounts\";",
        "public const string Processing = \"processing\";",
    ] {
        assert!(contracts.contains(line), "{line}");
    }
    assert!(!contracts.contains("using MassTransit"), "it needs no package");
    assert!(!contracts.contains(" enum "), "texts are constants, so that a newer one is taken");
}

/// A contract that is declared without its shape would be unknown elsewhere.
#[test]
fn every_contract_has_a_shape() {
    let shapes: BTreeSet<_> = Shape::all().iter().map(|shape| shape.name).collect();
    let commands = KnownCommand::all().into_iter().map(|command| command.name);
    let events = KnownEvent::all().into_iter().map(|event| event.name);
    let requests = KnownRequest::all().into_iter();
    let requests = requests.flat_map(|request| request.answers.iter().copied().chain([request.name]));
    for name in commands.chain(events).chain(requests).chain(STATUS_EVENTS.iter().copied()) {
        assert!(shapes.contains(name), "{name} is declared outside of shape!");
    }
}

#[test]
fn the_schema_describes_every_message() {
    let text = bindings::json_schema().text;
    let schema: Value = serde_json::from_str(&text).unwrap();
    let definitions = schema["$defs"].as_object().unwrap();
    let named: BTreeSet<_> =
        text.split("#/$defs/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for name in named {
        assert!(definitions.contains_key(name), "{name}");
    }
    let start = &definitions["StartReplay"];
    assert_eq!(start["x-message-type"], "urn:message:Orchard.Contracts:StartReplay");
    assert_eq!(start["required"], serde_json::json!(["files"]));
    assert_eq!(start["properties"]["commandId"]["format"], "uuid");
    assert_eq!(definitions["UserCreated"]["properties"]["correlationId"]["format"], "uuid");
}
