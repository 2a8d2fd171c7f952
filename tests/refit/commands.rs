//! Routes that change something.

use serde_json::json;

use crate::peer::Peer;
use crate::text;

const NOBODY: &str = "00000000-0000-0000-0000-000000000001";

/// Users, and with them keys, tags and one's own writes.
pub(crate) fn users(peer: &mut Peer) {
    let ann = json!({ "email": "ann@example.org", "name": "Ann Übel" });
    let asked = json!({ "body": ann, "idempotencyKey": "k1", "correlationId": NOBODY });
    let answer = peer.call("CreateUser", asked.clone());
    assert_eq!(answer["content"]["correlationId"], NOBODY, "{answer}");
    let user = peer.accepted("CreateUser", asked);
    assert_eq!(answer["content"]["commandId"], user, "the same key and body are the same command");
    let other = json!({ "body": { "email": "bob@example.org", "name": "Bob" }, "idempotencyKey": "k1" });
    peer.refused(422, "CreateUser", other);

    let view = peer.call("User", json!({ "userId": user, "after": user }));
    assert_eq!((text(&view, "email"), text(&view, "name")), ("ann@example.org", "Ann Übel"));
    let problem = peer.problem(404, "User", json!({ "userId": NOBODY }));
    assert!(text(&problem, "detail").contains(NOBODY), "{problem}");

    let answer = peer.call("UserIfChanged", json!({ "userId": user }));
    assert_eq!((&answer["status"], &answer["content"]), (&json!(200), &view));
    let tag = text(&answer["headers"], "ETag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for known in [&tag, tag.trim_matches('"')] {
        let answer = peer.call("UserIfChanged", json!({ "userId": user, "etag": known }));
        assert_eq!((&answer["status"], &answer["headers"]["ETag"]), (&json!(304), &json!(tag)), "{answer}");
        assert!(answer["content"].is_null(), "{answer}");
    }

    let renamed = peer.accepted("RenameUser", json!({ "userId": user, "body": { "name": "Anna" } }));
    let users = peer.items("Users", json!({ "after": renamed }));
    assert_eq!((users.len(), text(&users[0], "name")), (1, "Anna"));
    let disabled = peer.accepted("DisableUser", json!({ "userId": user }));
    assert_eq!(peer.call("User", json!({ "userId": user, "after": disabled }))["isDisabled"], true);
    let answer = peer.call("UserIfChanged", json!({ "userId": user, "etag": tag }));
    assert_eq!((&answer["status"], &answer["content"]["isDisabled"]), (&json!(200), &json!(true)));
}

/// Deployments, by a name that is no GUID.
pub(crate) fn deployments(peer: &mut Peer) {
    let trend = json!({ "name": "trend", "strategy": "apple", "parameters": { "fast": "8" } });
    let deployed = peer.accepted("DeployStrategy", json!({ "body": trend }));
    // Commands of two kinds overtake each other: the change is sent when the deployment is there.
    let view = peer.call("Deployment", json!({ "name": "trend", "after": deployed }));
    assert_eq!(text(&view, "lane"), "trend");
    let change = json!({ "name": "trend", "body": { "parameters": { "slow": "20" } } });
    let changed = peer.accepted("ChangeParameters", change);
    let view = peer.call("Deployment", json!({ "name": "trend", "after": changed }));
    assert_eq!((text(&view, "lane"), text(&view, "state")), ("trend@2", "active"));
    assert_eq!(view["parameters"], json!({ "fast": "8", "slow": "20" }));
    let stopped = peer.accepted("StopStrategy", json!({ "name": "trend" }));
    let all = peer.items("Deployments", json!({ "after": stopped }));
    assert_eq!((all.len(), text(&all[0], "state")), (1, "stopped"));
}

/// A command that fails, and is put back.
pub(crate) fn failures(peer: &mut Peer) {
    let failed = peer.accepted("RenameUser", json!({ "userId": NOBODY, "body": { "name": "Nobody" } }));
    let view = peer.call("Command", json!({ "commandId": failed, "wait": "30s" }));
    assert_eq!(text(&view, "state"), "failed");
    assert!(text(&view, "reason").contains("there is no user"), "{view}");
    let all = peer.items("Commands", json!({ "state": "failed" }));
    assert_eq!((all.len(), &all[0]), (1, &view));

    let requeued = peer.accepted("RequeueCommand", json!({ "commandId": failed }));
    let done = peer.call("Command", json!({ "commandId": requeued, "wait": "30s" }));
    assert_eq!(text(&done, "state"), "completed");
    let tree = peer.call("CommandTree", json!({ "commandId": requeued }));
    assert_eq!(tree["causes"], json!([failed, requeued]), "{tree}");
    assert_eq!(text(&tree["root"], "commandId"), failed);
    assert_eq!(text(&tree["root"]["caused"][0], "commandId"), requeued);

    let answer = peer.call("CommandIfChanged", json!({ "commandId": requeued }));
    let tag = answer["headers"]["ETag"].clone();
    let answer = peer.call("CommandIfChanged", json!({ "commandId": requeued, "etag": tag }));
    assert_eq!(answer["status"], 304, "{answer}");
    peer.refused(409, "RequeueCommand", json!({ "commandId": requeued }));
}

/// Both ways to end a replay, which is then forgotten.
pub(crate) fn cancel(peer: &mut Peer, replay: &str) {
    let deleted = peer.accepted("DeleteReplay", json!({ "replayId": replay }));
    assert_eq!(
        text(&peer.call("Command", json!({ "commandId": deleted, "wait": "30s" })), "state"),
        "completed"
    );
    let view = peer.call("Command", json!({ "commandId": replay, "wait": "30s" }));
    assert_eq!(text(&view, "state"), "cancelled");
    peer.accepted("CancelReplay", json!({ "replayId": replay }));
    assert_eq!(text(&peer.call("Replay", json!({ "replayId": replay })), "state"), "cancelled");
    let forgotten = peer.accepted("ForgetReplay", json!({ "replayId": replay }));
    let view = peer.call("Command", json!({ "commandId": forgotten, "wait": "30s" }));
    assert_eq!(text(&view, "state"), "completed");
}
