//! Whoever does not read costs a bounded amount, and nobody else notices.

use bus::{StoreError, Work};
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::time::timeout;

use crate::client::{Client, PATIENCE, open_with};
use crate::service::{Service, signals};

/// Clients that ask for everything, and read nothing.
const SILENT: usize = 20;
/// Signals of one event, and events.
const SIGNALS: u64 = 1_000;
const EVENTS: u64 = 120;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_cut_and_changes_nobody() {
    let service = Service::start().await;
    let address = service.gateway.local_addr();
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8 << 10).unwrap();
        let mut client = open_with(socket, address, "/hubs/signals", &[]).await.unwrap();
        client.shake_hands().await;
        client.stream("Follow", json!({"after": 0})).await;
        silent.push(client);
    }
    let mut reader = Client::connect(address, "signals").await;
    reader.stream("Follow", json!({"after": 0})).await;
    let bus = service.bus.clone();
    let publisher = tokio::task::spawn_blocking(move || {
        for event in 0..EVENTS {
            let batch = signals("r1", "apple", "BTC", event * SIGNALS, SIGNALS);
            let publish = |work: &mut Work<'_>| {
                work.publish(&batch);
                Ok::<_, StoreError>(())
            };
            bus.transaction("strategies", publish).unwrap();
        }
    });
    let reads = async {
        let mut next = 0;
        while next < EVENTS * SIGNALS {
            for signal in reader.item().await.unwrap()["signals"].as_array().unwrap() {
                assert_eq!(signal["seq"].as_u64(), Some(next));
                next += 1;
            }
        }
    };
    timeout(PATIENCE * 4, reads).await.expect("all signals");
    publisher.await.unwrap();
    // It was sent what fits into its buffers, and nothing is kept for it.
    let cut = silent.iter_mut().map(|client| timeout(PATIENCE, client.is_cut()));
    for cut in futures_util::future::join_all(cut).await {
        cut.expect("that the silent client is cut");
    }
}
