//! Questions to clients.

use serde_json::json;

use super::client::{Server, Visitor, error, invocation};
use super::hub::ASK;
use crate::{AskError, ConnectionId, Options};

fn question(id: &str, text: &str) -> serde_json::Value {
    json!({"type": 1, "invocationId": id, "target": "Ask", "arguments": [text]})
}

#[tokio::test]
async fn a_method_asks_its_caller_and_gives_its_slot_free() {
    let server = Server::plain();
    let mut client = server.client().await;
    client.call("1", "Ask", json!(["inside"])).await;
    assert_eq!(client.next().await, question("s1", "inside"));
    // Another call runs meanwhile, though only one runs at a time.
    assert_eq!(client.answer("Echo", json!(["meanwhile"])).await, "meanwhile");
    client.send(&json!({"type": 3, "invocationId": "s1", "result": "the answer"})).await;
    assert_eq!(client.result("1").await, "the answer");
    // Answered twice, or to nothing.
    client.send(&json!({"type": 3, "invocationId": "s1", "result": "again"})).await;
    client.send(&json!({"type": 3, "invocationId": "s77", "error": "none"})).await;
    assert_eq!(client.answer("Echo", json!(["after"])).await, "after");
}

#[tokio::test]
async fn a_clients_error_is_told_to_the_caller() {
    let mut client = Server::plain().client().await;
    client.call("1", "Ask", json!(["?"])).await;
    assert_eq!(client.next().await["invocationId"], "s1");
    client.send(&json!({"type": 3, "invocationId": "s1", "error": "Client didn't provide a result."})).await;
    assert_eq!(
        client.result("1").await,
        error(
            "An unexpected error occurred invoking 'Ask' on the server. HubException: Client didn't provide a result."
        )
    );
}

#[tokio::test]
async fn any_connection_is_asked_from_outside() {
    let server = Server::plain();
    let mut client = server.client().await;
    let id = server.server.connections().remove(0);
    let ask = |text: &'static str| {
        let (server, id) = (server.server.clone(), id.clone());
        tokio::spawn(async move { server.ask(&id, &ASK, (text.to_owned(),)).await })
    };
    let answers = [
        (json!({"result": "yes"}), Ok("yes".to_owned())),
        (json!({"error": "no"}), Err(AskError::Client("no".to_owned()))),
    ];
    for (number, (answer, expected)) in (1..).zip(answers) {
        let asked = ask("plain");
        let id = format!("s{number}");
        assert_eq!(client.next().await, question(&id, "plain"));
        let mut completion = json!({"type": 3, "invocationId": id});
        completion.as_object_mut().unwrap().extend(answer.as_object().unwrap().clone());
        client.send(&completion).await;
        assert_eq!(asked.await.unwrap(), expected);
    }
    let asked = ask("number");
    assert_eq!(client.next().await, question("s3", "number"));
    client.send(&json!({"type": 3, "invocationId": "s3", "result": 5})).await;
    assert!(matches!(asked.await.unwrap(), Err(AskError::Answer(_))));
    let asked = ask("never");
    assert_eq!(client.next().await, question("s4", "never"));
    client.send(&json!({"type": 7})).await;
    assert_eq!(asked.await.unwrap(), Err(AskError::Ended));
    client.served().await;
    assert_eq!(ask("gone").await.unwrap(), Err(AskError::Ended));
    let nobody = ConnectionId::of("nobody");
    assert_eq!(server.server.ask(&nobody, &ASK, ("x".to_owned(),)).await, Err(AskError::Ended));
}

#[tokio::test]
async fn another_client_cannot_answer() {
    let server = Server::plain();
    let mut client = server.client().await;
    let mut other = server.client_of(Visitor { id: "two", ..Visitor::default() }).await;
    client.call("1", "Ask", json!(["?"])).await;
    assert_eq!(client.next().await, question("s1", "?"));
    other.send(&json!({"type": 3, "invocationId": "s1", "result": "forged"})).await;
    assert_eq!(other.answer("Echo", json!(["x"])).await, "x");
    client.send(&json!({"type": 3, "invocationId": "s1", "result": "own"})).await;
    assert_eq!(client.result("1").await, "own");
}

#[tokio::test]
async fn on_connected_may_ask() {
    let server = Server::plain();
    let mut client = server.client_of(Visitor { uri: "/hub?mode=ask", ..Visitor::default() }).await;
    client.call("1", "Echo", json!(["waits"])).await;
    assert_eq!(client.next().await, question("s1", "who?"));
    client.send(&json!({"type": 3, "invocationId": "s1", "result": "me"})).await;
    assert_eq!(client.result("1").await, "waits");
    assert_eq!(server.hub.seen(), ["connected", "answered me"]);
}

#[tokio::test]
async fn calls_that_all_wait_for_the_client_do_not_keep_its_answers_out() {
    let server = Server::new(Options { max_pending_invocations: 3, ..Options::default() });
    let mut client = server.client().await;
    let asks: Vec<_> = (0..6).map(|id| invocation(&id.to_string(), "Ask", json!(["?"]))).collect();
    client.send_all(&asks).await;
    let (mut asked, mut refused) = (Vec::new(), 0);
    while asked.len() + refused < 6 {
        let message = client.next().await;
        match message["type"] == 1 {
            true => asked.push(message["invocationId"].clone()),
            false => refused += 1,
        }
    }
    assert_eq!((asked.len(), refused), (3, 3));
    for id in asked {
        client.send(&json!({"type": 3, "invocationId": id, "result": "x"})).await;
        assert_eq!(client.next().await["result"], "x");
    }
}
