//! A server with the hubs of the recordings, and with the surface of ASP.NET Core's functional tests.

mod functional;
mod recorded;
mod users;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use signalr::transports::{Endpoint, Transport};
use signalr::{ConnectionId, Hub, HubServer, Keys, Options};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use functional::{AuthorizedHub, Echo, TestHub};
use recorded::{ASK_FOR_TEXT, ASK_INT, ITEM, Recorded};
use values::Any;

/// What a client answered, or why it did not; there is no more than a text of both.
pub(crate) type Asked = JoinHandle<Result<String, String>>;

/// A server that runs.
pub(crate) struct Application {
    hubs: BTreeMap<&'static str, HubServer<Recorded>>,
    serving: JoinHandle<()>,
}

impl Application {
    /// Serves all hubs. All their times are divided by `is_faster`.
    pub(crate) fn start(listener: TcpListener, is_faster: u32) -> Self {
        let mut hosting = Hosting { is_faster, routes: Router::new(), hubs: BTreeMap::new() };
        hosting.recorded();
        hosting.functional();
        let Hosting { routes, hubs, .. } = hosting;
        let serving = tokio::spawn(async move {
            let service = routes.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, service).await.expect("serving ends only with the process");
        });
        Self { hubs, serving }
    }

    /// Serves until the process ends.
    #[allow(dead_code, reason = "the example waits, tests do not")]
    pub(crate) async fn run(mut self) {
        (&mut self.serving).await.expect("serving does not panic");
    }

    /// Calls Item with text and number on one connection, or on all of the hub.
    #[allow(dead_code, reason = "tests have the server call, the example does not")]
    pub(crate) async fn call_items(&self, hub: &str, connection: Option<&str>, text: &str, times: usize) {
        let hub = &self.hubs[hub];
        let connections = match connection {
            Some(id) => connection_of(hub, id).into_iter().collect(),
            None => hub.connections(),
        };
        for number in 0..times {
            let item = Any::Text(format!("{text}{number}"));
            // A client that has gone gets no more.
            let _ = hub.clients().connections(&connections).send(&ITEM, (item,)).await;
        }
    }

    /// The public ids of a hub's connections.
    #[allow(dead_code, reason = "tests look for connections, the example does not")]
    pub(crate) fn connections(&self, hub: &str) -> Vec<String> {
        self.hubs[hub].connections().iter().map(ToString::to_string).collect()
    }

    /// Asks one client: for a text, or without a question for a number.
    #[allow(dead_code, reason = "tests have the server ask, the example does not")]
    pub(crate) fn ask(&self, hub: &str, connection: &str, question: Option<&str>) -> Asked {
        let hub = self.hubs[hub].clone();
        let connection = connection_of(&hub, connection);
        let question = question.map(str::to_owned);
        tokio::spawn(async move {
            let connection = connection.ok_or("there is no such connection")?;
            let answer = match question {
                Some(question) => {
                    hub.ask(&connection, &ASK_FOR_TEXT, (question,)).await.map(Option::unwrap_or_default)
                }
                None => hub.ask(&connection, &ASK_INT, ()).await.map(|number| number.to_string()),
            };
            answer.map_err(|error| error.to_string())
        })
    }

    /// Says goodbye to all clients; after the time the rest is cut.
    #[allow(dead_code, reason = "tests stop the server, the example runs on")]
    pub(crate) async fn stop(&self, within: Duration) {
        futures_util::future::join_all(self.hubs.values().map(|hub| hub.shutdown(within))).await;
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn connection_of<H: Hub>(hub: &HubServer<H>, id: &str) -> Option<ConnectionId> {
    hub.connections().into_iter().find(|connection| connection.to_string() == id)
}

/// Hubs as they are added.
struct Hosting {
    is_faster: u32,
    routes: Router,
    hubs: BTreeMap<&'static str, HubServer<Recorded>>,
}

impl Hosting {
    /// The hubs of the recordings.
    fn recorded(&mut self) {
        let usual = self.options();
        let stateful = Options { stateful_reconnect: true, ..usual.clone() };
        self.hub("/hubs/test", usual.clone());
        self.hub("/hubs/stateful", stateful.clone());
        self.hub("/hubs/stateful-small", Options { max_replay_bytes: 2000, ..stateful.clone() });
        self.hub("/hubs/detailed", Options { detailed_errors: true, ..usual.clone() });
        self.hub("/hubs/parallel", Options { max_parallel_invocations: 4, ..usual.clone() });
        self.hub("/hubs/authorized", usual.clone());
        self.hub("/hubs/expiring", Options { close_on_expiry: true, ..usual.clone() });
        self.hub("/hubs/small", self.small());
        self.hub("/hubs/polling", Options { transports: vec![Transport::LongPolling], ..usual.clone() });
        self.hub("/hubs/cors", Options { origins: vec!["http://app.example".into()], ..usual.clone() });
        self.hub("/hubs/greeting", usual.clone());
        self.hub("/hubs/stateful-greeting", stateful);
        let poll_timeout = Duration::from_secs(3) / self.is_faster;
        self.echo("/raw/echo", Echo { wants_cookie: None }, Options { poll_timeout, ..usual });
    }

    /// The defaults, with MessagePack as .NET's clients expect it.
    fn options(&self) -> Options {
        let defaults = Options::default();
        Options {
            messagepack_keys: Keys::PascalCase,
            handshake_timeout: defaults.handshake_timeout / self.is_faster,
            keep_alive: defaults.keep_alive / self.is_faster,
            client_timeout: defaults.client_timeout / self.is_faster,
            send_timeout: defaults.send_timeout / self.is_faster,
            close_timeout: defaults.close_timeout / self.is_faster,
            poll_timeout: defaults.poll_timeout / self.is_faster,
            disconnect_timeout: defaults.disconnect_timeout / self.is_faster,
            ..defaults
        }
    }

    fn small(&self) -> Options {
        Options {
            max_message_bytes: 512,
            keep_alive: Duration::from_secs(1) / self.is_faster,
            client_timeout: Duration::from_secs(3) / self.is_faster,
            handshake_timeout: Duration::from_secs(2) / self.is_faster,
            max_upload_items: 2,
            poll_timeout: Duration::from_secs(3) / self.is_faster,
            ..self.options()
        }
    }

    fn hub(&mut self, path: &'static str, options: Options) {
        let hub = Recorded {
            greets: path.ends_with("greeting"),
            needs_user: matches!(path, "/hubs/authorized" | "/hubs/expiring"),
            is_faster: self.is_faster,
        };
        let server = HubServer::new(hub, options).authenticate(users::anyone);
        self.add(server.router(path));
        self.hubs.insert(path, server);
    }

    fn echo(&mut self, path: &str, echo: Echo, options: Options) {
        self.add(Endpoint::new(Arc::new(echo), options, users::anyone).router(path));
    }

    fn add(&mut self, routes: Router) {
        self.routes = std::mem::take(&mut self.routes).merge(routes);
    }

    /// What the functional tests of the JavaScript client call.
    fn functional(&mut self) {
        let recorded = std::mem::take(&mut self.routes);
        let options = Options { detailed_errors: true, ..self.options() };
        let no_sockets = vec![Transport::ServerSentEvents, Transport::LongPolling];
        let polled = Options { transports: no_sockets, ..options.clone() };
        let hubs = [options.clone(), polled]
            .map(|options| HubServer::new(TestHub, options).authenticate(users::anyone));
        self.add(hubs[0].router("/testhub"));
        self.add(hubs[1].router("/testhub-nowebsockets"));
        let authorized = HubServer::new(AuthorizedHub, options.clone()).authenticate(users::anyone);
        self.add(authorized.router("/authorizedhub"));
        self.echo("/echo", Echo { wants_cookie: Some("testCookie") }, options);
        self.add(functional::routes(hubs.to_vec()));
        let functional = functional::for_tests(std::mem::take(&mut self.routes));
        self.routes = recorded.merge(functional);
    }
}
