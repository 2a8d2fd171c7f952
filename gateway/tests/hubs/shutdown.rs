//! A gateway that stops says so to its clients, and is not kept by them.

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpSocket;

use crate::client::{Client, open_with};
use crate::service::Service;

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_to_connect_again_and_those_that_do_not_read_are_cut() {
    let service = Service::start().await;
    let address = service.gateway.local_addr();
    let mut clients = Vec::new();
    for hub in ["signals", "commands"] {
        let mut client = Client::connect(address, hub).await;
        client.stream("Follow", json!({})).await;
        client.item().await.expect("the stream runs");
        clients.push(client);
    }
    let mut market = Client::connect(address, "market").await;
    market.call("Watch", json!([{}])).await.unwrap();
    clients.push(market);
    let _silent = open_with(TcpSocket::new_v4().unwrap(), address, "/hubs/market", &[]).await.unwrap();
    let reading = clients.into_iter().map(|mut client| async move {
        let mut messages = Vec::new();
        while let Some(message) = client.next().await {
            messages.push(message);
        }
        messages
    });
    let reading = futures_util::future::join_all(reading);
    let (ended, messages) = tokio::join!(service.gateway.shutdown(Duration::from_secs(20)), reading);
    assert!(ended);
    for messages in messages {
        let close = messages.last().expect("a Close");
        assert_eq!(
            (close["type"].as_u64(), &close["allowReconnect"]),
            (Some(7), &json!(true)),
            "{messages:?}"
        );
    }
}
