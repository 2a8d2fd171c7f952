//! A server with a proxy in front of it, both at the command of a test and of the clients that it runs.

#[path = "../../examples/server/application/mod.rs"]
mod application;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use crate::proxy::{Disturbance, Proxy};
use application::Application;

/// How long clients may take to leave a server that stops.
const STOP: Duration = Duration::from_secs(1);

pub(crate) struct Fixture {
    /// Where the server is.
    pub(crate) base: String,
    /// Where it is behind the proxy.
    pub(crate) proxied: String,
    /// `/cut`, `/half-open`, `/stall/{ms}`, `/refuse/{ms}` and `/restart`, for clients.
    pub(crate) control: String,
    pub(crate) commands: Commands,
    /// Where all of it runs.
    pub(crate) runtime: Runtime,
}

/// What can be done to the server and to the proxy. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Commands {
    port: u16,
    application: Arc<Mutex<Option<Application>>>,
    pub(crate) proxy: Proxy,
}

impl Fixture {
    pub(crate) fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (commands, control) = runtime.block_on(async {
            let commands = Commands::start().await;
            (commands.clone(), control(commands).await)
        });
        let at = |port| format!("http://127.0.0.1:{port}");
        let (base, proxied) = (at(commands.port), at(commands.proxy.port));
        Self { base, proxied, control: at(control), commands, runtime }
    }
}

impl Commands {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let application = Arc::new(Mutex::new(Some(Application::start(listener, 1))));
        let proxy = Proxy::start(format!("127.0.0.1:{port}")).await;
        Self { port, application, proxy }
    }

    /// Stops the server as its operator would, and starts another one at the same address.
    pub(crate) async fn restart(&self) {
        let mut application = self.application.lock().await;
        if let Some(old) = application.take() {
            old.stop(STOP).await;
        }
        let listener = loop {
            // The old server's task ends when it is next polled.
            match TcpListener::bind(("127.0.0.1", self.port)).await {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        *application = Some(Application::start(listener, 1));
    }
}

async fn control(commands: Commands) -> u16 {
    let routes = Router::new()
        .route("/cut", get(async |State(to): State<Commands>| to.proxy.disturb(Disturbance::Cut)))
        .route("/half-open", get(async |State(to): State<Commands>| to.proxy.disturb(Disturbance::HalfOpen)))
        .route(
            "/stall/{ms}",
            get(async |State(to): State<Commands>, Path(ms): Path<u64>| {
                to.proxy.disturb(Disturbance::Stall(Duration::from_millis(ms)));
            }),
        )
        .route(
            "/refuse/{ms}",
            get(async |State(to): State<Commands>, Path(ms): Path<u64>| {
                to.proxy.disturb(Disturbance::Cut);
                to.proxy.refuse(Duration::from_millis(ms)).await;
            }),
        )
        .route("/restart", get(async |State(to): State<Commands>| to.restart().await))
        .with_state(commands);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    port
}
