//! The bus over RabbitMQ, as MassTransit services use it.
//!
//! Each context that this process serves has an endpoint there: an exchange and a queue of its name. What comes to
//! it for the first time goes to its handler's lane, which accepts it and carries it out in one transaction, and is
//! acknowledged then. What comes again, has failed, or finds its lane busy is put into the context's inbox, many
//! deliveries in one commit, and acknowledged then; lanes carry it out from there. What is not one of its commands
//! goes to `NAME_skipped`, what cannot be read to `NAME_error` with a `ReceiveFault`, and so does a command that
//! has failed for good, with a `Fault`, its original intact. A relay for each context publishes the log's events,
//! in order and confirmed, in one process at a time.
//!
//! Commands to endpoints that this process does not serve are published to the endpoint's exchange; they are accepted
//! when the broker has confirmed that a queue has them. A process that serves none sends all of its commands so:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use bus::rabbitmq::{ControlBudget, QueueKind, RabbitOptions};
//! use bus::{Bus, SendOptions};
//! use tick_sdk::contracts::accounts::CreateUser;
//!
//! let options = RabbitOptions {
//!     queue: QueueKind::Quorum { members: None },
//!     budget: ControlBudget { processes: 3, ..ControlBudget::default() },
//!     ..RabbitOptions::default()
//! };
//! let bus = Bus::builder().rabbitmq("amqp://guest:guest@localhost/%2f".parse()?, options).start()?;
//! let wish = CreateUser { email: "zoe@example.com".into(), name: "Zoë".into() };
//! let accepted = bus.send(&wish, SendOptions::default()).await?; // a queue has it, on disk
//! # Ok(())
//! # }
//! ```
//!
//! What is declared, is declared beside what is there: a queue or exchange that exists and is another is used as it
//! is, and named once in the log as `topology: …`; nothing is ever deleted.

use std::collections::BTreeSet;
use std::sync::Arc;

pub use broker::{BrokerError, BrokerUrl};

pub use crate::wire::QueueKind;
pub use budget::{ControlBudget, DEFAULT_MESSAGES_PER_S};
pub use listener::{HEARD, HEARD_TABLES, Listening};
pub use responder::{Answer, NoAnswer};

mod budget;
mod convert;
mod declare;
mod listener;
mod outbox;
mod receiver;
mod relay;
mod responder;
mod sender;
mod session;

pub(crate) use listener::{Told, keep_forgetting};
pub(crate) use responder::Responders;

use crate::bell::Bell;
use crate::failed::OnFailed;
use crate::lane::Place;
use crate::transport::InProcess;
use listener::Listener;
use outbox::Outbox;
use receiver::Receiver;
use relay::Relay;
use sender::Sender;
use session::Session;

/// Why a queue is not consumed before the broker has been reached.
const CONNECTING: &str = "it is being connected to";

/// How a bus uses its broker.
#[derive(Clone, Debug, PartialEq)]
pub struct RabbitOptions {
    /// What this process is called in the broker's own tools.
    pub name: String,
    /// The other nodes of the broker's cluster: when the node that is used is lost, the next of them is, and after the
    /// last the first again. Classic queues are on one node, and away with it; quorum queues are there as long as most
    /// of their nodes are.
    pub other_nodes: Vec<BrokerUrl>,
    /// What the endpoints' queues are. Classic ones are what .NET services declare who send to `queue:NAME`.
    pub queue: QueueKind,
    /// So many deliveries of each endpoint are taken and not acknowledged at most.
    pub prefetch: u16,
    /// How many messages a second this process gives the broker.
    pub budget: ControlBudget,
    /// Whether endpoints also read raw JSON, without an envelope.
    pub takes_raw_json: bool,
    /// An event with a longer body is not published: `relay: …` in the log names it. The context's log has it, and
    /// whoever reads that. An envelope's limit is 4 MiB.
    pub largest_event: usize,
}

impl Default for RabbitOptions {
    /// Classic queues, 1,000 deliveries on their way, the budget's default, no raw JSON.
    fn default() -> Self {
        Self {
            name: format!("orchard bus {}", std::process::id()),
            other_nodes: Vec::new(),
            queue: QueueKind::Classic,
            prefetch: 1_000,
            budget: ControlBudget::default(),
            takes_raw_json: false,
            largest_event: LARGEST_EVENT,
        }
    }
}

/// Events are published up to this size unless set: what an envelope may have, with room for all else in it.
pub const LARGEST_EVENT: usize = tick_sdk::contracts::envelope::MAX_BODY_BYTES - (64 << 10);

/// Whether the broker can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RabbitState {
    /// It takes messages.
    Connected,
    /// It takes none at the moment, as it lacks memory or room on its disk.
    Blocked,
    /// It is not there; it is tried again and again.
    Disconnected,
}

/// How it is with the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RabbitStatus {
    /// Whether it can be used.
    pub state: RabbitState,
    /// Why not.
    pub reason: Option<String>,
    /// The endpoints of this process, in order of name.
    pub endpoints: Vec<EndpointStatus>,
}

/// How it is with an endpoint's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// Its name.
    pub name: String,
    /// Whether what comes is taken.
    pub is_consuming: bool,
    /// Why not; of one that is consumed, which messages it cannot move to the queues beside its own.
    pub reason: Option<String>,
}

/// What a bus is given to use a broker.
#[derive(Debug)]
pub(crate) struct RabbitSettings {
    pub(crate) url: BrokerUrl,
    pub(crate) options: RabbitOptions,
}

/// The part of a bus that is connected to a broker.
pub(crate) struct Rabbit {
    session: Arc<Session>,
    /// What is sent and received lives on its thread. Taken when this is dropped.
    runtime: Option<tokio::runtime::Runtime>,
    handle: tokio::runtime::Handle,
}

impl Rabbit {
    pub(crate) fn new(settings: RabbitSettings) -> std::io::Result<Self> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).thread_name("rabbitmq").enable_all().build()?;
        let handle = runtime.handle().clone();
        let session = Arc::new(Session::new(settings.url, settings.options));
        Ok(Self { session, runtime: Some(runtime), handle })
    }

    /// Connects, and consumes the endpoints of these contexts and of those who answer. Gives what waits until the
    /// last of them has ended, once the bus stops.
    pub(crate) fn start(
        &self,
        in_process: &Arc<InProcess>,
        responders: &Responders,
        listening: Option<Listening>,
    ) -> impl FnOnce() + Send + use<> {
        let _on_runtime = self.handle.enter();
        self.session.start();
        let contexts = in_process.served.keys().map(String::as_str);
        let endpoints: BTreeSet<&str> = contexts.chain(responders.endpoints()).collect();
        let mut consuming = Vec::new();
        for endpoint in endpoints {
            let receiver = Receiver::new(endpoint, self.session.clone(), in_process, responders.clone());
            consuming.push(self.handle.spawn(receiver.run()));
        }
        if let Some(listening) = listening {
            let listener = Listener::new(listening, self.session.clone(), in_process.clone());
            consuming.push(self.handle.spawn(listener.run()));
        }
        let handle = self.handle.clone();
        move || drop(handle.block_on(futures_util::future::join_all(consuming)))
    }

    /// By which commands go to endpoints of others.
    pub(crate) fn sender(&self) -> Sender {
        Sender::new(self.session.clone())
    }

    pub(crate) fn relay(&self, place: Place, bell: Arc<Bell>) -> Relay {
        Relay::new(place, self.session.clone(), self.handle.clone(), bell)
    }

    pub(crate) fn outbox(&self, place: Place) -> Outbox {
        Outbox::new(place, self.session.clone(), self.handle.clone())
    }

    /// What is sent when a command has failed for good.
    pub(crate) fn on_failed(&self) -> OnFailed {
        let home = self.session.home.clone();
        OnFailed::new(move |failed| sender::messages_of_failed(&home, failed))
    }

    pub(crate) fn status(&self) -> RabbitStatus {
        self.session.status()
    }

    /// Takes nothing more from the broker, and waits for nothing of it any longer.
    pub(crate) fn stop(&self) {
        self.session.stop();
    }
}

impl Drop for Rabbit {
    /// Whoever drops it may be in a task of another runtime, and is not to wait for who answers requests.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
