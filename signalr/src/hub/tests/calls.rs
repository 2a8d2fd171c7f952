//! Calls with one answer, and the texts of those that fail.

use serde_json::json;

use super::client::{Server, Visitor, error, invocation, user};
use crate::Options;

#[tokio::test]
async fn methods_return_values_results_and_nothing() {
    let mut client = Server::plain().client().await;
    assert_eq!(client.answer("Echo", json!(["text"])).await, "text");
    assert_eq!(client.answer("Add", json!([2, 3])).await, 5);
    assert_eq!(client.answer("Eight", json!([1, 2, 3, 4, 5, 6, true, "h"])).await, json!([21, true, "h"]));
    client.call("1", "Nothing", json!([])).await;
    assert_eq!(client.next().await, json!({"type": 3, "invocationId": "1", "result": null}));
}

#[tokio::test]
async fn names_are_matched_without_case() {
    let mut client = Server::plain().client().await;
    assert_eq!(client.answer("ADD", json!([2, 3])).await, 5);
    assert_eq!(client.answer("add", json!([2, 3])).await, 5);
}

#[tokio::test]
async fn optional_arguments_at_the_end_may_be_left_out() {
    let mut client = Server::plain().client().await;
    assert_eq!(client.answer("AddOptional", json!([1])).await, 111);
    assert_eq!(client.answer("AddOptional", json!([1, 2])).await, 103);
    assert_eq!(client.answer("AddOptional", json!([1, null, 3])).await, 14);
    let failed = error("Failed to invoke 'AddOptional' due to an error on the server.");
    assert_eq!(client.answer("AddOptional", json!([])).await, failed);
    assert_eq!(client.answer("AddOptional", json!([1, 2, 3, 4])).await, failed);
}

#[tokio::test]
async fn what_fails_has_the_texts_of_asp_net() {
    let mut client = Server::plain().client().await;
    let cases = [
        (
            "X",
            json!([]),
            "Failed to invoke 'X' due to an error on the server. HubException: Method does not exist.",
        ),
        (
            "",
            json!([]),
            "Failed to invoke '' due to an error on the server. HubException: Method does not exist.",
        ),
        ("aDD", json!([1]), "Failed to invoke 'aDD' due to an error on the server."),
        ("Add", json!([1, 2, 3]), "Failed to invoke 'Add' due to an error on the server."),
        ("Add", json!([1, "x"]), "Failed to invoke 'Add' due to an error on the server."),
        ("Add", json!([null, 1]), "Failed to invoke 'Add' due to an error on the server."),
        ("Admin", json!([]), "Failed to invoke 'Admin' because user is unauthorized"),
        ("Named", json!([]), "Failed to invoke 'Named' because user is unauthorized"),
        ("Deny", json!([]), "Failed to invoke 'Deny' because user is unauthorized"),
        ("Fail", json!([]), "An unexpected error occurred invoking 'Fail' on the server."),
        (
            "FailDeliberately",
            json!([]),
            "An unexpected error occurred invoking 'FailDeliberately' on the server. HubException: the reason",
        ),
        ("Panic", json!([]), "An unexpected error occurred invoking 'Panic' on the server."),
        ("NaN", json!([]), "An unexpected error occurred invoking 'NaN' on the server."),
        (
            "Count",
            json!([1]),
            "The client attempted to invoke the streaming 'Count' method with a non-streaming invocation.",
        ),
        (
            "Sum",
            json!([]),
            "An unexpected error occurred invoking 'Sum' on the server. HubException: Client sent 0 stream(s), Hub method \
             expects 1.",
        ),
    ];
    for (target, arguments, text) in cases {
        assert_eq!(client.answer(target, arguments).await, error(text));
    }
    assert_eq!(client.answer("Echo", json!(["alive"])).await, "alive");
}

#[tokio::test]
async fn detailed_errors_tell_what_happened() {
    let mut client = Server::new(Options { detailed_errors: true, ..Options::default() }).client().await;
    let types = "Error binding arguments. Make sure that the types of the provided values match the types of the hub method \
                 being invoked.";
    let cases = [
        ("Fail", json!([]), "An unexpected error occurred invoking 'Fail' on the server. Secret: secret reason".to_owned()),
        ("Panic", json!([]), "An unexpected error occurred invoking 'Panic' on the server. Panic: in a method".to_owned()),
        (
            "Add",
            json!([1]),
            "Failed to invoke 'Add' due to an error on the server. InvalidDataException: Invocation provides 1 argument(s) but \
             target expects 2."
                .to_owned(),
        ),
        (
            "Add",
            json!(["x", 1]),
            format!("Failed to invoke 'Add' due to an error on the server. InvalidDataException: {types}"),
        ),
    ];
    for (target, arguments, text) in cases {
        assert_eq!(client.answer(target, arguments).await, error(&text));
    }
}

#[tokio::test]
async fn a_call_without_an_id_is_never_answered() {
    let server = Server::plain();
    let mut client = server.client().await;
    for target in ["Nothing", "Fail", "X", "Add", "Panic", "Count", "Admin"] {
        client.send(&json!({"type": 1, "target": target, "arguments": []})).await;
    }
    client.call("", "Echo", json!(["empty id"])).await;
    assert_eq!(client.answer("Echo", json!(["after"])).await, "after");
}

#[tokio::test]
async fn roles_and_rules_let_calls_pass() {
    let server = Server::plain();
    let owner = Visitor { uri: "/hub?name=x", user: Some(user("o", &["owner"])), ..Visitor::default() };
    let mut client = server.client_of(owner).await;
    assert_eq!(client.answer("Admin", json!([])).await, json!(null));
    assert_eq!(client.answer("Named", json!([])).await, json!(null));
    let other = Visitor { id: "two", user: Some(user("u", &["user"])), ..Visitor::default() };
    let mut client = server.client_of(other).await;
    assert_eq!(
        client.answer("Admin", json!([])).await,
        error("Failed to invoke 'Admin' because user is unauthorized")
    );
}

#[tokio::test]
async fn the_context_knows_the_connection() {
    let server = Server::plain();
    let visitor =
        Visitor { uri: "/hub?a=b&name=J%C3%B6rg+K&c", user: Some(user("u", &[])), ..Visitor::default() };
    let mut client = server.client_of(visitor).await;
    assert_eq!(client.answer("Request", json!([])).await, json!(["one", "u", "Jörg K", "test", "2"]));
    assert_eq!(client.answer("Recall", json!([])).await, json!(null));
    assert_eq!(client.answer("Remember", json!(["first"])).await, false);
    assert_eq!(client.answer("Remember", json!(["second"])).await, true);
    assert_eq!(client.answer("Recall", json!([])).await, "second");
    let mut other = server.client_of(Visitor { id: "two", ..Visitor::default() }).await;
    assert_eq!(other.answer("Recall", json!([])).await, json!(null));
}

#[tokio::test]
async fn events_reach_all_clients() {
    let server = Server::plain();
    let mut one = server.client().await;
    let mut two = server.client_of(Visitor { id: "two", ..Visitor::default() }).await;
    one.send(&json!({"type": 1, "target": "Say", "arguments": ["hello"]})).await;
    let said = json!({"type": 1, "target": "Said", "arguments": ["hello"]});
    assert_eq!(one.next().await, said);
    assert_eq!(two.next().await, said);
    server.server.clients().all().send(&super::hub::TICK, ()).await.unwrap();
    assert_eq!(two.next().await, json!({"type": 1, "target": "Tick", "arguments": []}));
}

#[tokio::test]
async fn a_large_result_is_sent_though_it_is_longer_than_what_may_wait() {
    let server = Server::new(Options { max_message_bytes: 1_000_000, ..Options::default() });
    let mut client = server.client().await;
    let text = "x".repeat(300_000);
    client.send_all(&[invocation("1", "Echo", json!([text])), invocation("2", "Echo", json!([text]))]).await;
    assert_eq!(client.result("1").await, json!(text));
    assert_eq!(client.result("2").await, json!(text));
}
