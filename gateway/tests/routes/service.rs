//! A gateway over a real bus, with handlers that do what a test needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bus::{
    Bus, CommandEnd, EndedCommand, Handled, Handler, HandlerError, Message, SqliteStore, StoreError, Work,
};
use gateway::{Gateway, GatewayOptions};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tick_sdk::contracts::accounts::{
    CreateUser, DisableUser, RenameUser, UserCreated, UserDisabled, UserRenamed,
};
use tick_sdk::contracts::bus::ReadableAt;
use tick_sdk::contracts::strategies::{
    ChangeParameters, CommittedSignal, DeployStrategy, ParametersChanged, SignalsCommitted, StopStrategy,
    StrategyDeployed, StrategyStopped,
};
use tick_sdk::contracts::ticks::{CancelReplay, ForgetReplay, ReplayAccepted, ReplayForgotten, StartReplay};
use tick_sdk::contracts::{CommandId, ConversationId, Event};

/// Everything that a test waits for comes within it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether `CreateUser` is refused whatever it asks for.
#[derive(Clone, Default)]
pub(crate) struct Broken(pub(crate) Arc<AtomicBool>);

/// What is held back until a test lets it go.
#[derive(Clone)]
pub(crate) struct Held(pub(crate) Arc<tokio::sync::Semaphore>, pub(crate) Arc<AtomicBool>);

impl Default for Held {
    fn default() -> Self {
        Self(Arc::new(tokio::sync::Semaphore::new(0)), Arc::default())
    }
}

macro_rules! handlers {
    ($($Name:ident($Command:ident) = $handle:expr;)*) => { $(
        #[derive(Default)]
        struct $Name;
        impl Handler for $Name {
            type Command = $Command;
            async fn handle(
                &self,
                message: &Message<$Command>,
                work: &mut Work<'_>,
            ) -> Result<Handled, HandlerError> {
                let handle: fn(&Message<$Command>, &mut Work<'_>) -> Result<Handled, HandlerError> = $handle;
                handle(message, work)
            }
        }
        bus::handler!($Name);
    )* };
}

#[derive(Default)]
struct OnCreateUser;

impl Handler for OnCreateUser {
    type Command = CreateUser;

    async fn handle(
        &self,
        message: &Message<CreateUser>,
        work: &mut Work<'_>,
    ) -> Result<Handled, HandlerError> {
        if work.resource::<Broken>()?.0.load(Ordering::Acquire) {
            return Err(HandlerError::refused("there is no mail server"));
        }
        let held = work.resource::<Held>()?;
        if held.1.load(Ordering::Acquire) {
            held.0.acquire().await.map_err(|_| HandlerError::failed("closed"))?.forget();
        }
        let CreateUser { email, name } = message.body.clone();
        let user_id = message.command_id.0;
        work.publish(&UserCreated { user_id, email, name });
        Ok(Handled::Done(json!({"userId": user_id})))
    }
}

bus::handler!(OnCreateUser);

handlers! {
    OnRenameUser(RenameUser) = |message, work| {
        work.publish(&UserRenamed { user_id: message.body.user_id, name: message.body.name.clone() });
        Ok(Handled::DONE)
    };
    OnDisableUser(DisableUser) = |message, work| {
        work.publish(&UserDisabled { user_id: message.body.user_id });
        Ok(Handled::DONE)
    };
    OnStartReplay(StartReplay) = |message, work| {
        work.publish(&ReplayAccepted { replay_id: message.command_id.0, plan: message.body.clone() });
        Ok(Handled::Processing)
    };
    OnCancelReplay(CancelReplay) = |message, _| {
        Err(HandlerError::refused(format!("replay {} has ended", message.body.replay_id)))
    };
    OnForgetReplay(ForgetReplay) = |message, work| {
        let replay_id = message.body.replay_id;
        work.publish(&ReplayForgotten { replay_id, run: Some("r1".to_owned()) });
        Ok(Handled::DONE)
    };
    OnDeployStrategy(DeployStrategy) = |message, work| {
        let DeployStrategy { name, strategy, parameters, feed, from } = message.body.clone();
        work.publish(&StrategyDeployed { name, strategy, parameters, feed, from, revision: 1 });
        Ok(Handled::DONE)
    };
    OnChangeParameters(ChangeParameters) = |message, work| {
        let ChangeParameters { name, parameters } = message.body.clone();
        work.publish(&ParametersChanged { name, parameters, revision: 2 });
        Ok(Handled::DONE)
    };
    OnStopStrategy(StopStrategy) = |message, work| {
        work.publish(&StrategyStopped { name: message.body.name.clone() });
        Ok(Handled::DONE)
    };
}

/// A gateway that serves.
pub(crate) struct Service {
    pub(crate) bus: Arc<Bus>,
    pub(crate) gateway: Gateway,
    pub(crate) broken: Broken,
    pub(crate) held: Held,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) http: reqwest::Client,
}

impl Service {
    /// With the folder of captures that [`Service::captures`] names, and the key `secret`.
    pub(crate) async fn start() -> Self {
        Self::start_with(|options| options).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(GatewayOptions) -> GatewayOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let captures = folder.path().join("captures");
        std::fs::create_dir(&captures).unwrap();
        std::fs::write(captures.join("day.csv"), "x").unwrap();
        let (broken, held) = (Broken::default(), Held::default());
        let mut builder = Bus::builder().resource(broken.clone()).resource(held.clone());
        for context in ["accounts", "ticks", "strategies"] {
            let store = SqliteStore::open(&folder.path().join(format!("{context}.sqlite")), "").unwrap();
            builder = builder.context(context, store);
        }
        let bus = Arc::new(builder.start().unwrap());
        let options = change(GatewayOptions {
            documents: folder.path().join("read.sqlite").into(),
            captures: Some(captures),
            key: Some("secret".into()),
            listen: vec![([127, 0, 0, 1], 0).into()],
            ..GatewayOptions::default()
        });
        let gateway = Gateway::start(bus.clone(), options).await.unwrap();
        // Built with the whole workspace, the library of HTTP has TLS, and looks for its cryptography here.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { bus, gateway, broken, held, folder, http }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway.local_addr())
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path))
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.http.request(method.parse().unwrap(), self.url(path))
    }

    /// Sends a body and gives the answer's status and body.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        answered(self.request(method, path).json(&body)).await
    }

    /// Reads, and expects to be answered.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let (status, body) = answered(self.get(path)).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Sends a command and waits for its end; gives its status.
    pub(crate) async fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, accepted) = self.send(method, path, body).await;
        assert_eq!(status, 202, "{path}: {accepted}");
        self.read(&format!("{}?wait=10s", accepted["status"].as_str().unwrap())).await
    }

    /// Writes events into a context's log, as its own worker would.
    pub(crate) fn publish<E: Event>(&self, events: &[E]) -> u64 {
        self.bus
            .transaction(E::CONTEXT, |work| {
                events.iter().for_each(|event| work.publish(event));
                work.position()
            })
            .unwrap_or_else(|error: StoreError| panic!("{error}"))
    }

    /// Ends a replay's command.
    pub(crate) fn complete(&self, command: &Value, result: Value, readable_at: Vec<ReadableAt>) {
        let id: CommandId = command["commandId"].as_str().unwrap().parse().unwrap();
        let ended = EndedCommand {
            command_id: id,
            conversation_id: ConversationId(id.0),
            initiator_id: None,
            attempts: 1,
        };
        let end = CommandEnd::Completed { result, readable_at };
        let done = self.bus.transaction("ticks", |work| work.end(&ended, end));
        assert!(done.unwrap());
    }

    /// Waits until everything that was written can be read.
    pub(crate) async fn settle(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ready = self.read("/health/ready").await;
            // Where it is not known, it is absent.
            if ready["eventsBehind"] == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "{ready}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until a command's status can be read, and gives it.
    pub(crate) async fn known(&self, status: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (code, command) = answered(self.get(status)).await;
            if code == 200 {
                return command;
            }
            assert!(Instant::now() < deadline, "{status}: {code} {command}");
        }
    }
}

/// The answer's status and body as JSON; a body that is none is a text.
pub(crate) async fn answered(request: RequestBuilder) -> (u16, Value) {
    body_of(request.send().await.unwrap()).await
}

pub(crate) async fn body_of(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// A batch of signals of one symbol: one a microsecond from `begin` on.
pub(crate) fn signals(run: &str, strategy: &str, symbol: &str, begin: u64, count: u64) -> SignalsCommitted {
    let signal = |seq: u64| CommittedSignal {
        symbol: symbol.to_owned(),
        seq,
        n: (seq % 2) as u32,
        ts_event: 1_723_161_258_000_000_000 + seq * 1000 - 5,
        ts_recv: 1_723_161_258_000_000_000 + seq * 1000,
        side: ["buy", "sell", "flat"][(seq % 3) as usize].to_owned(),
        price: (!seq.is_multiple_of(7)).then(|| format!("{}.5", 100 + seq % 50)),
    };
    SignalsCommitted {
        run: run.to_owned(),
        strategy: strategy.to_owned(),
        shard: 2,
        from_seq: begin,
        to_seq: begin + count,
        signals: (begin..begin + count).map(signal).collect(),
    }
}
