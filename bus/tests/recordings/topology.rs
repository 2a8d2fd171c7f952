//! What the recorded services declared, and what this program declares for the same contracts.

use bus::wire::{MovedTo, QueueKind, Target, Topology};
use tick_sdk::contracts::{CommandKind, EventKind, Kind};

use crate::data::recorded;
use crate::outcome::{Decision, Set, decided};

fn decisions() -> Vec<Decision> {
    [
        decided(
            "Orchard has no nested, generic, internal and derived contracts, and declares nothing for them",
            &[" is absent here"],
            ["names"],
        ),
        decided("every exchange of Orchard's is fanout", &[" is absent here"], ["direct-exchange"]),
        decided(
            "Orchard's endpoints stay; where it awaits answers it declares as MassTransit's bus does",
            &["user-created is absent here", "Orchard.Contracts:"],
            ["temporary-endpoint"],
        ),
        decided(
            "where faults are wished is declared by who wishes them: nothing is declared to answer",
            &["my-faults is absent here"],
            ["fault-address"],
        ),
        decided("Orchard sends nothing to schedulers", &["quartz is absent here"], ["schedule"]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn what_is_declared_equals_what_was_recorded() {
    let mut set = Set::new("masstransit, topology", decisions());
    let scenarios = recorded("scenarios");
    assert_eq!(scenarios.len(), 28);
    for scenario in &scenarios {
        let name = scenario["scenario"].as_str().unwrap();
        let mut found = Topology::of_definitions(&scenario["broker"].to_string()).unwrap();
        // Where a bus awaits answers, until it ends.
        let is_bus = |name: &str| name.contains("_bus_");
        found.exchanges.retain(|name, _| !is_bus(name));
        found.queues.retain(|name, _| !is_bus(name));
        found.bindings.retain(|binding| !is_bus(&binding.destination));
        let ours = ours(name);
        let mut differences: Vec<_> =
            ours.differences(&found).iter().map(|d| format!("{} is {}", d.what, d.found)).collect();
        differences
            .extend(found.differences(&ours).iter().map(|d| format!("{} is {} here", d.what, d.found)));
        set.case(name, differences);
    }
    set.finish(scenarios.len());
}

/// What this program declares for what happened in a scenario.
fn ours(scenario: &str) -> Topology {
    let mut topology = Topology::default();
    let quorum = QueueKind::Quorum { members: Some(1) };
    match scenario {
        "publish-event" => topology.add(event("UserCreated")),
        "consume-event" => {
            topology.add(consumer("user-created", "UserCreated"));
            topology.add(event("UserCreated"));
        }
        "consume-marker-interface" => {
            topology.add(consumer("any-event", "IEvent"));
            topology.add(event("UserCreated"));
        }
        "both-serializers" | "raw-json" | "trace" => {
            topology.add(consumer("create-user", "CreateUser"));
            topology.add(event("UserCreated"));
        }
        // All that `Topology::of` makes of the endpoint's and the context's contracts.
        "send-command" => topology.add(Topology::of(&["create-user"], QueueKind::Classic)),
        "send-to-nobody" => {
            topology.add(Target::Endpoint { name: "create-user".into() }.topology(QueueKind::Classic));
            topology.endpoint("rename-user", QueueKind::Classic);
        }
        "chain" => {
            topology.add(consumer("user-created-sends", "UserCreated"));
            topology.add(consumer("create-user", "CreateUser"));
            topology.add(consumer("rename-user", "RenameUser"));
            topology.add(event("UserCreated"));
        }
        "request-response" => {
            topology.add(Topology::of(&["get-user"], QueueKind::Classic));
            topology.add(moved("get-user", MovedTo::Error, QueueKind::Classic));
        }
        "vhost-with-slash" => topology.add(Topology::of(&["get-user"], QueueKind::Classic)),
        "fault" | "fault-after-retries" | "raw-json-fault" => {
            topology.add(consumer("create-user", "CreateUser"));
            topology.add(faults(QueueKind::Classic));
        }
        "fault-address" => {
            topology.add(consumer("create-user", "CreateUser"));
            topology.add(moved("create-user", MovedTo::Error, QueueKind::Classic));
        }
        "consume-faults" => {
            topology.add(consumer("create-user", "CreateUser"));
            topology.add(faults(QueueKind::Classic));
            for (endpoint, source) in [
                ("any-fault", "MassTransit:Fault"),
                ("command-fault", "MassTransit:Fault--Orchard.Contracts:ICommand--"),
                ("create-user-fault", "MassTransit:Fault--Orchard.Contracts:CreateUser--"),
            ] {
                topology.endpoint(endpoint, QueueKind::Classic);
                topology.consumes(endpoint, source);
            }
        }
        "skipped" => {
            topology.add(consumer("create-user", "CreateUser"));
            topology.add(moved("create-user", MovedTo::Skipped, QueueKind::Classic));
        }
        "receive-fault" => {
            topology.add(consumer("create-user", "CreateUser"));
            topology.add(Target::ReceiveFault.topology(QueueKind::Classic));
            topology.add(moved("create-user", MovedTo::Error, QueueKind::Classic));
        }
        "quorum-endpoint" => {
            topology.endpoint("create-user", quorum);
            topology.consumes("create-user", "Orchard.Contracts:CreateUser");
            topology.add(faults(quorum));
        }
        "queue-of-another-kind" => {
            topology.endpoint("create-user", quorum);
            topology.consumes("create-user", "Orchard.Contracts:CreateUser");
        }
        "replay-contracts" => {
            topology.publishes("StartReplay", CommandKind::MARKER);
            topology.add(event("ReplayCompleted"));
        }
        "values-set" | "values-unset" => topology.publishes("AllValues", None),
        "properties-and-headers" => topology.add(consumer("plain", "Plain")),
        _ => {}
    }
    topology
}

fn event(name: &str) -> Topology {
    let topology = Target::Event { name: name.to_owned() }.topology(QueueKind::Classic);
    assert_eq!(topology.bindings.len(), usize::from(EventKind::MARKER.is_some()));
    topology
}

fn consumer(endpoint: &str, contract: &str) -> Topology {
    let mut topology = Topology::default();
    topology.endpoint(endpoint, QueueKind::Classic);
    topology.consumes(endpoint, &tick_sdk::contracts::envelope::exchange(contract));
    topology
}

fn moved(endpoint: &str, to: MovedTo, queue: QueueKind) -> Topology {
    Target::Moved { endpoint: endpoint.to_owned(), to, key: String::new() }.topology(queue)
}

fn faults(queue: QueueKind) -> Topology {
    let marker = CommandKind::MARKER.map(str::to_owned);
    let mut topology = Target::Fault { contract: "CreateUser".to_owned(), marker }.topology(queue);
    topology.add(moved("create-user", MovedTo::Error, queue));
    topology
}
