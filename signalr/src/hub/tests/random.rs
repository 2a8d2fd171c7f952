//! Random conversations: whatever a client sends, the server goes on, ends, and leaves nothing behind.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::client::{Server, TestClient};
use crate::Options;

#[derive(Clone, Debug)]
enum Move {
    Send(Value),
    /// The bytes of a message are cut here.
    Cut(usize),
    OpenGate,
    Read,
}

fn id() -> impl Strategy<Value = Value> {
    prop_oneof![Just(json!("1")), Just(json!("2")), Just(json!("s1")), Just(json!("s2")), Just(json!(""))]
}

fn target() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "Echo",
        "Add",
        "Nothing",
        "Fail",
        "Panic",
        "Wait",
        "Admin",
        "Count",
        "Endless",
        "CountThenPanic",
        "Sum",
        "TakeOne",
        "Keep",
        "Double",
        "Ask",
        "WaitWith",
        "X",
        "Flood",
        "Say",
    ])
}

fn arguments() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!([])),
        Just(json!(["x"])),
        Just(json!([1])),
        Just(json!([1, 2])),
        Just(json!([null]))
    ]
}

fn message() -> impl Strategy<Value = Value> {
    let streams = proptest::collection::vec(id(), 0..2);
    prop_oneof![
        8 => (prop_oneof![Just(1), Just(4)], id(), target(), arguments(), streams).prop_map(
            |(kind, id, target, arguments, streams)| json!({
                "type": kind, "invocationId": id, "target": target, "arguments": arguments, "streamIds": streams
            })
        ),
        2 => (target(), arguments())
            .prop_map(|(target, arguments)| json!({"type": 1, "target": target, "arguments": arguments})),
        4 => (id(), prop_oneof![Just(json!(1)), Just(json!("x"))])
            .prop_map(|(id, item)| json!({"type": 2, "invocationId": id, "item": item})),
        3 => id().prop_map(|id| json!({"type": 3, "invocationId": id})),
        2 => id().prop_map(|id| json!({"type": 3, "invocationId": id, "error": "e"})),
        2 => id().prop_map(|id| json!({"type": 3, "invocationId": id, "result": "r"})),
        3 => id().prop_map(|id| json!({"type": 5, "invocationId": id})),
        1 => Just(json!({"type": 6})),
        1 => Just(json!({"type": 99})),
    ]
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let next = prop_oneof![
        8 => message().prop_map(Move::Send),
        1 => (1usize..40).prop_map(Move::Cut),
        2 => Just(Move::OpenGate),
        2 => Just(Move::Read),
    ];
    proptest::collection::vec(next, 0..40)
}

async fn play(moves: Vec<Move>, pending: usize, parallel: usize, last: Option<Value>) {
    let options = Options {
        max_pending_invocations: pending,
        max_parallel_invocations: parallel,
        max_upload_items: 2,
        max_message_bytes: 2000,
        max_waiting_bytes: 2000,
        ..Options::default()
    };
    let server = Server::new(options);
    let mut client = server.client().await;
    let mut cut = None;
    for next in moves {
        match next {
            // A server that reads no more is let on by the gate or ends with the client.
            Move::Send(message) if client.client.may_send(1000).await => match cut.take() {
                Some(at) => send_in_two(&client, &message, at).await,
                None => client.send(&message).await,
            },
            Move::Send(_) => {}
            Move::Cut(at) => cut = Some(at),
            Move::OpenGate => server.hub.open_gate(1),
            Move::Read => {
                let _ = tokio::time::timeout(std::time::Duration::from_millis(1), client.next_or_end()).await;
            }
        }
    }
    match last {
        Some(close) if client.client.may_send(1000).await => client.send(&close).await,
        _ => client.client.go(),
    }
    server.hub.open_gate(1000);
    client.all().await;
    client.served().await;
    // An upload that `Keep` reads is on a task of its own, and has its end.
    server.hub.until(|hub| hub.alive() == 0).await;
    assert_eq!(server.server.connections().len(), 0);
    server.hub.until(|hub| hub.seen().iter().any(|seen| seen.starts_with("disconnected"))).await;
}

async fn send_in_two(client: &TestClient, message: &Value, at: usize) {
    let bytes = format!("{message}\u{1e}").into_bytes();
    let (first, second) = bytes.split_at(at.min(bytes.len()));
    client.client.send(first).await;
    tokio::task::yield_now().await;
    client.client.send(second).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn random_conversations_never_hang_and_leave_nothing(
        moves in moves(),
        pending in 1usize..5,
        parallel in 1usize..3,
        closes in any::<bool>(),
        has_threads in any::<bool>(),
    ) {
        use tokio::runtime::Builder;
        let mut builder = if has_threads { Builder::new_multi_thread() } else { Builder::new_current_thread() };
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let last = closes.then(|| json!({"type": 7}));
        runtime.block_on(play(moves, pending, parallel, last));
    }
}
