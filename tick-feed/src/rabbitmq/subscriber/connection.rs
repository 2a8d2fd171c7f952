//! Connections for control messages, which are made again when they are lost.

use std::sync::Arc;

use tokio::sync::watch;

use super::context::Context;
use super::shared::Purpose;
use crate::rabbitmq::{BrokerError, BrokerUrl, Durability};
use broker::Connection;
use broker::backoff::Backoff;

/// A connection, while there is one.
pub(super) type Opened = watch::Receiver<Option<Arc<Connection>>>;

/// Keeps a connection to a node until its last user has gone.
pub(super) async fn keep(
    context: Arc<Context>,
    node: usize,
    first: Option<Connection>,
    out: watch::Sender<Option<Arc<Connection>>>,
) {
    let mut backoff = Backoff::default();
    let mut next = first.map(Ok);
    let mut tried = 0;
    let on_lost = |error: String| context.shared.on_connection_lost(node, Purpose::Control, error);
    while !out.is_closed() {
        let made = match next.take() {
            Some(made) => made,
            None => open(&context, &url_of(&context, node, tried)).await,
        };
        match made {
            Ok(open) => {
                backoff.reset();
                tried = 0;
                let open = Arc::new(open);
                context.shared.on_connected(node, Purpose::Control);
                out.send_replace(Some(open.clone()));
                tokio::select! {
                    error = open.lost() => on_lost(error.to_string()),
                    () = out.closed() => {
                        let _ = open.close().await;
                        return;
                    }
                }
                out.send_replace(None);
            }
            Err(error) => {
                tried += 1;
                on_lost(error.to_string());
                tokio::select! {
                    () = tokio::time::sleep(backoff.next_wait()) => {}
                    () = out.closed() => return,
                }
            }
        }
    }
}

/// Where the node is. Of a cluster whose queues are on several nodes, any will do while this one is
/// away.
pub(super) fn url_of(context: &Context, node: usize, tried: usize) -> BrokerUrl {
    let brokers = &context.subscription.brokers;
    let replicated = context.shared.state().is_some_and(|state| state.durability == Durability::Replicated);
    let place = if replicated { (node + tried) % brokers.len() } else { node };
    brokers[place].clone()
}

/// By what a broker's own tools show a connection.
pub(super) fn name_of(context: &Context, purpose: &str) -> String {
    let subscription = &context.subscription;
    format!("orchard {} {} {} {purpose}", subscription.feed, subscription.strategy, subscription.member)
}

pub(super) async fn open(context: &Context, url: &BrokerUrl) -> Result<Connection, BrokerError> {
    Connection::open(url, &name_of(context, "control")).await
}

/// Waits until there is a connection; `None` if there will be none any more.
pub(super) async fn opened(connections: &mut Opened) -> Option<Arc<Connection>> {
    connections.wait_for(Option::is_some).await.ok()?.clone()
}
