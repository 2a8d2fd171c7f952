//! A real .NET service's `_error` and `_skipped` queues: listed, shown, requeued, and handled by it.

use std::path::Path;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::peer::{Peer, program};
use crate::queue::{Endpoint, amqp, json as orchard_json, wait_for};

/// A service that handles as it is told.
fn start(program: &Path, handlers: &[&str]) -> Peer {
    let options: Vec<_> = handlers.iter().flat_map(|handler| ["--handle", handler]).collect();
    Peer::start(program, &amqp(), "tests/errors/Contracts.cs", &options)
}

fn entries(endpoint: &str) -> Vec<Value> {
    let listed = orchard_json(&["errors", "list", "--messages", "--endpoint", endpoint]);
    listed["brokers"][0]["entries"].as_array().unwrap().clone()
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_failed_in_a_dotnet_service_is_requeued_and_handled_there() {
    let Some(program) = program() else {
        println!("skipped: no .NET peer at ../shared/peers/run, and ORCHARD_DOTNET_PEER names none");
        return;
    };
    // Its queues go with it.
    let endpoint = Endpoint::new(broker::Table::default());
    let name = &endpoint.name;
    let (packed, shipped) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    let service = start(&program, &[&format!("PackOrder@{name}=fail")]);
    for (id, kind, command) in [(1, "PackOrder", &packed), (2, "ShipOrder", &shipped)] {
        let message = json!({ "commandId": command, "order": "o-1" });
        service.ask(&json!({ "id": id, "send": kind, "to": format!("exchange:{name}"), "message": message }));
    }
    wait_for("one fails and one is skipped", || entries(name).len() == 2);
    let all = entries(name);
    let of = |kind: &str| all.iter().find(|entry| entry["kind"] == kind).unwrap_or_else(|| panic!("{all:?}"));
    assert_eq!(of("error")["commandId"], *packed);
    assert_eq!(of("error")["messageType"], "Orchard.Contracts:PackOrder");
    assert_eq!(of("error")["endpoint"], **name);
    assert_eq!(of("skipped")["messageType"], "Orchard.Contracts:ShipOrder");

    let shown = orchard_json(&["errors", "show", &packed, "--endpoint", name]);
    assert_eq!(shown.as_array().unwrap().len(), 1);
    assert_eq!(shown[0]["body"]["message"]["order"], "o-1");
    assert!(shown[0]["exceptionType"].is_string() && shown[0]["stackTrace"].is_string(), "{shown}");
    assert!(shown[0]["host"]["massTransitVersion"].as_str().unwrap().starts_with("8."), "{shown}");
    let found = orchard_json(&["errors", "list", "--type", "ShipOrder"]);
    assert_eq!(found["brokers"][0]["source"]["by"], "management");
    drop(service);

    // The next version of it handles both.
    let handlers = [format!("PackOrder@{name}=none"), format!("ShipOrder@{name}=none")];
    let service = start(&program, &[&handlers[0], &handlers[1]]);
    let requeue = ["errors", "requeue", "--all", "--endpoint", name];
    let dry = orchard_json(&[&requeue[..], &["--dry-run"]].concat());
    assert_eq!((dry["selected"].as_u64(), dry["done"].as_u64()), (Some(2), Some(0)));
    let done = orchard_json(&requeue);
    assert_eq!(done["done"], 2, "{done}");
    let mut handled = Vec::new();
    for _ in 0..2 {
        let consumed = service.wait_for("it handles what was requeued", |said| said["consumed"].is_string());
        assert!(consumed["headers"].get("MT-Reason").is_none_or(Value::is_null), "{consumed}");
        handled.push((consumed["correlationId"].clone(), consumed["messageId"].clone()));
    }
    for (kind, command) in [("error", &packed), ("skipped", &shipped)] {
        assert!(handled.contains(&(json!(command), of(kind)["messageId"].clone())), "{handled:?}");
    }
    assert!(entries(name).is_empty());
}
