use super::*;

fn found() -> Topology {
    let mut found = Topology::of(&["commands"], QueueKind::Classic);
    found.exchange("of somebody else");
    found
}

#[test]
fn a_broker_that_has_all_of_it_does_not_differ() {
    let wanted = Topology::of(&["commands"], QueueKind::Classic);
    assert!(wanted.exchanges.contains_key("Orchard.Contracts:GetCommand"));
    assert_eq!(wanted.differences(&found()), []);
}

#[test]
fn differences_are_named_with_what_to_do() {
    let wanted = Topology::of(&["commands"], QueueKind::Quorum { members: Some(3) });
    let mut found = found();
    found.exchanges.get_mut("commands").unwrap().kind = "topic".to_owned();
    found.bindings.pop_first();
    found.consumes("commands", "Orchard.Contracts:Retired");
    let differences = wanted.differences(&found);
    let said: Vec<_> = differences.iter().map(|d| (d.what.as_str(), d.found.as_str(), d.is_absent)).collect();
    assert_eq!(
        said,
        [
            ("exchange commands", "topic, durable", false),
            ("queue commands", "classic, durable", false),
            ("binding of Orchard.Contracts:GetCommand to exchange commands", "absent", true),
            ("binding of Orchard.Contracts:Retired to exchange commands", "bound", false),
        ]
    );
    let queue = &differences[1];
    assert_eq!(queue.wanted, "quorum, durable, x-queue-type=quorum, x-quorum-initial-group-size=3");
    assert!(queue.advice.contains("exchange:commands"), "{}", queue.advice);
}

#[test]
fn what_is_no_list_is_refused() {
    let error = Topology::of_definitions("{}").unwrap_err().to_string();
    assert!(error.contains("management API"), "{error}");
}
