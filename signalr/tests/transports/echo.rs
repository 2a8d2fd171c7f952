//! The server of these tests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use bytes::Bytes;
use signalr::transports::{Endpoint, Received};
use signalr::{Connection, Handler, Options, Refused, User};
use tokio::net::TcpListener;

/// Sends back what it receives, but for a few commands, each alone in its message.
pub(crate) struct Echo;

impl Handler for Echo {
    async fn serve(&self, mut connection: Connection) {
        while let Some(received) = connection.input.next().await {
            let answer = match received {
                Received::Stopping => return connection.outbox.close(Some(Bytes::from_static(b"stopping"))),
                Received::Reattached => Bytes::from_static(b"reattached"),
                Received::Bytes(bytes) => match &*bytes {
                    b"end" => return connection.outbox.close(Some(Bytes::from_static(b"bye"))),
                    b"who" => connection.user.as_ref().map_or("nobody", |user| &user.id).to_owned().into(),
                    b"uri" => connection.request.uri.to_string().into(),
                    b"request" => format!("{connection:?}").into(),
                    b"sleep" => {
                        let _ = connection.outbox.push(&Bytes::from_static(b"asleep"), false);
                        tokio::time::sleep(Duration::from_secs(60)).await;
                        Bytes::new()
                    }
                    b"deaf" => {
                        drop(connection.input);
                        while connection.outbox.push(&Bytes::from_static(b"."), false).is_ok() {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                        return;
                    }
                    b"panic" => panic!("a handler that panics"),
                    b"forbid" => {
                        connection.input.forbid_reattach();
                        Bytes::from_static(b"forbidden")
                    }
                    _ => bytes,
                },
            };
            if connection.outbox.push(&answer, false).is_err() {
                return;
            }
        }
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) endpoint: Endpoint,
}

impl Server {
    /// At `/echo`.
    pub(crate) async fn start(options: Options) -> Self {
        Self::of(Endpoint::new(Arc::new(Echo), options, authenticate)).await
    }

    pub(crate) async fn of(endpoint: Endpoint) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = endpoint.router("/echo").into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { address, endpoint }
    }
}

/// A token is the user; `bad` is refused, and on requests with the header `X-Members-Only` none is, too.
pub(crate) fn authenticate(token: Option<&str>, request: &Parts) -> Result<Option<User>, Refused> {
    match token {
        Some("bad") => Err(Refused),
        None if request.headers.contains_key("x-members-only") => Err(Refused),
        None => Ok(None),
        Some(name) => Ok(Some(User {
            id: name.to_owned(),
            name: name.to_owned(),
            roles: std::collections::BTreeSet::new(),
            expires: None,
        })),
    }
}

/// Limits that no test meets by being slow; tests that need one set it.
pub(crate) fn options() -> Options {
    Options {
        disconnect_timeout: Duration::from_secs(60),
        close_timeout: Duration::from_secs(60),
        send_timeout: Duration::from_secs(60),
        ..Options::default()
    }
}

/// So short that a test may wait for it.
pub(crate) const SHORT: Duration = Duration::from_millis(200);

/// So long that what is there is seen before it ends, on a machine that is busy, too; a test may still wait for it.
pub(crate) const LONG_ENOUGH: Duration = Duration::from_secs(2);

/// Waits for a condition.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
