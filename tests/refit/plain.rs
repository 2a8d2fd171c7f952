//! What somebody sends who wrote no attribute: Refit's and .NET's own forms.

use serde_json::json;

use crate::peer::Peer;
use crate::{CAPTURE, text};

/// Chunked bodies, names in C#'s case, nulls, empty headers, and a body that is no JSON.
pub(crate) fn bodies(peer: &mut Peer) {
    let zoe = json!({ "email": "zoe@example.org", "name": "Zoë <&> O'Neill" });
    // An empty key is none: these are two commands.
    let [first, second] = [(); 2].map(|()| {
        let accepted = peer.call("CreateUser", json!({ "body": zoe, "key": "" }));
        text(&accepted, "commandId").to_owned()
    });
    assert_ne!(first, second);
    assert_eq!(text(&peer.call("Command", json!({ "id": first, "wait": "30s" })), "state"), "completed");
    let view = peer.call("Command", json!({ "id": second, "wait": "30s" }));
    assert!(text(&view, "reason").contains("e-mail"), "{view}");
    let pascal =
        peer.call("CreateUserPascal", json!({ "body": { "Email": "max@example.org", "Name": "Max" } }));
    let command = json!({ "id": pascal["commandId"], "wait": "30s" });
    assert_eq!(text(&peer.call("Command", command), "state"), "completed");
    // A scheme without a key is no key, and none is needed here.
    let users = peer.items("Users", json!({ "token": null }));
    assert_eq!(users.iter().map(|user| text(user, "name")).collect::<Vec<_>>(), ["Zoë <&> O'Neill", "Max"]);

    let problem = peer.problem(400, "CreateUser", json!({ "body": { "email": null, "name": "x" } }));
    assert_eq!(problem["errors"], json!({ "email": ["is missing"] }), "{problem}");
    let problem = peer.problem(415, "CreateUserOfText", json!({ "body": "hello" }));
    assert!(text(&problem, "detail").contains("text/plain"), "{problem}");

    let replay = json!({
        "files": [CAPTURE], "from": "2024-08-08T00:00:00Z",
        "strategies": [{ "strategy": "apple", "parameters": { "fast": 8 } }],
    });
    let accepted = peer.call("StartReplay", json!({ "body": replay }));
    let view = peer.call("Command", json!({ "id": accepted["commandId"], "wait": "60s" }));
    assert_eq!(text(&view, "state"), "completed", "{view}");
}

/// `True`, names of enums in C#'s case, and parameters without a value.
pub(crate) fn queries(peer: &mut Peer) {
    let first = peer.items("Events", json!({ "context": "Accounts", "limit": 1 }));
    let latest = peer.items("Events", json!({ "context": "Accounts", "limit": 1, "latest": true }));
    assert_eq!(first[0]["position"], 1);
    assert!(latest[0]["position"].as_u64() > Some(1), "{latest:?}");
    // Their numbers are what the client's side takes: it sends `state=Failed` and `side=Sell`.
    let failed = peer.items("Commands", json!({ "state": 3, "cursor": "" }));
    assert_eq!((failed.len(), text(&failed[0], "state")), (1, "failed"));
    let empty = json!({ "run": "", "strategy": "", "symbol": [], "cursor": "", "side": 1, "limit": 1000 });
    let sold = peer.items("Signals", empty);
    assert!(sold.len() > 50 && sold.iter().all(|signal| signal["side"] == "sell"), "{} signals", sold.len());
    let view = peer.call("Command", json!({ "id": failed[0]["commandId"], "wait": "" }));
    assert_eq!(view, failed[0]);
}

/// Times whose zone nobody knows.
pub(crate) fn dates(peer: &mut Peer) {
    let unspecified = "2024-08-08T00:00:00";
    let replay = json!({ "files": [CAPTURE], "from": unspecified, "strategies": [{ "strategy": "apple" }] });
    let problem = peer.problem(400, "StartReplay", json!({ "body": replay }));
    assert!(text(&problem["errors"]["from"], 0).contains("no zone"), "{problem}");
    // In a query .NET leaves the zone out, also of a time that has one.
    for from in [unspecified, "2024-08-08T00:00:00Z"] {
        let problem = peer.problem(400, "Signals", json!({ "from": from }));
        let said = text(&problem["errors"]["from"], 0);
        assert!(said.contains("US form") && said.contains("zone"), "{problem}");
    }
    let problem = peer.problem(400, "SignalsFrom", json!({ "from": unspecified }));
    assert!(text(&problem["errors"]["from"], 0).contains("no zone"), "{problem}");
    assert!(!peer.items("SignalsFrom", json!({ "from": "2024-08-08T00:00:00Z" })).is_empty());
}
