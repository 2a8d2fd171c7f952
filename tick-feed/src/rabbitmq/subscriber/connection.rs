//! Connections for what is said beside frames, which are made again when they are lost.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::{Connection, Event};
use tokio::sync::watch;

use super::hub::Context;
use crate::rabbitmq::{BrokerError, BrokerUrl, Durability};
use broker::backoff::Backoff;

/// A connection, and where it goes.
pub(super) struct Open {
    pub(super) connection: Connection,
    pub(super) url: BrokerUrl,
}

/// A connection, while there is one.
pub(super) type Opened = watch::Receiver<Option<Arc<Open>>>;

/// Between looks at a connection that says nothing.
const LOOK: Duration = Duration::from_millis(250);

/// Keeps a connection to a node for as long as anybody wants it.
pub(super) async fn keep(
    context: Arc<Context>,
    node: usize,
    first: Option<Open>,
    out: watch::Sender<Option<Arc<Open>>>,
) {
    let mut backoff = Backoff::default();
    let mut next = first.map(Ok);
    let mut tried = 0;
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
                let mut events = open.connection.events_listener();
                out.send_replace(Some(open.clone()));
                let lost = until_lost(&open.connection, &mut events);
                tokio::select! {
                    () = lost => context.shared.lost(format!("the connection to broker {} is lost", open.url)),
                    () = out.closed() => {
                        let _ = open.url.answer(open.connection.close(200, "done".into())).await;
                        return;
                    }
                }
                out.send_replace(None);
            }
            Err(error) => {
                tried += 1;
                context.shared.lost(error.to_string());
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

pub(super) async fn open(context: &Context, url: &BrokerUrl) -> Result<Open, BrokerError> {
    let connection = url.connect(&name_of(context, "control")).await?;
    Ok(Open { connection, url: url.clone() })
}

async fn until_lost(connection: &Connection, events: &mut (impl futures_util::Stream<Item = Event> + Unpin)) {
    loop {
        tokio::select! {
            event = events.next() => if let None | Some(Event::Error(_)) = event {
                return;
            },
            () = tokio::time::sleep(LOOK) => {}
        }
        if !connection.status().connected() {
            return;
        }
    }
}

/// Waits until there is a connection; `None` if there will be none any more.
pub(super) async fn opened(connections: &mut Opened) -> Option<Arc<Open>> {
    connections.wait_for(Option::is_some).await.ok()?.clone()
}
