//! A process's connections to its broker, made again after any loss.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker::backoff::Backoff;
use broker::{BrokerError, BrokerUrl, Confirm, Connection, Outcome, Publisher, PublisherState};
use tokio::sync::watch;

use super::budget::Tokens;
use super::declare::Declarer;
use super::{EndpointStatus, RabbitOptions, RabbitState, RabbitStatus, convert};
use crate::wire::{self, Home, Target};

/// What is published goes by several channels of one connection, as the broker closes one by which something goes to
/// an exchange that is not there.
const CHANNELS: u16 = 4;

/// A confirm is waited for so long: a broker whose disk is busy takes seconds. What is published again then is known
/// by its message id.
pub(super) const LONGEST_CONFIRM: Duration = Duration::from_secs(60);

/// So many reasons are said while the broker is away.
const MOST_SAID: usize = 20;

/// What can be used at the moment.
#[derive(Debug, Default)]
pub(super) struct Links {
    publisher: Option<Publisher>,
    connection: Option<Arc<Connection>>,
    /// Why one of them is not there.
    reason: Option<String>,
    /// What was said of that since one of them was there, of whichever node.
    said: BTreeSet<String>,
}

/// A process's connections to its broker: by one it publishes, and by the other it consumes and declares. A broker
/// that lacks memory reads nothing from who publishes; what is consumed then can still be acknowledged, which is
/// what frees the memory.
#[derive(Debug)]
pub(crate) struct Session {
    url: BrokerUrl,
    pub(super) options: RabbitOptions,
    pub(super) home: Home,
    pub(super) tokens: Tokens,
    links: watch::Sender<Links>,
    declarer: tokio::sync::Mutex<Declarer>,
    endpoints: Mutex<BTreeMap<String, EndpointStatus>>,
    stopping: watch::Sender<bool>,
}

impl Session {
    pub(super) fn new(url: BrokerUrl, options: RabbitOptions) -> Self {
        let home = Home::new(&url.address(), url.vhost(), url.is_encrypted());
        Self {
            tokens: Tokens::new(options.budget),
            declarer: tokio::sync::Mutex::new(Declarer::default()),
            url,
            options,
            home,
            links: watch::Sender::new(Links::default()),
            endpoints: Mutex::default(),
            stopping: watch::Sender::new(false),
        }
    }

    /// Keeps both connections there until the bus stops. To be called within a runtime.
    pub(super) fn start(self: &Arc<Self>) {
        tokio::spawn(self.clone().keep::<Publisher>());
        tokio::spawn(self.clone().keep::<Arc<Connection>>());
    }

    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Waits until the bus stops.
    pub(super) async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // An error would say that the session is gone.
        let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
    }

    /// Waits so long, or until the bus stops.
    pub(super) async fn pause(&self, time: Duration) {
        // Whichever comes first.
        let _ = tokio::time::timeout(time, self.stopped()).await;
    }

    /// Keeps one of them there; by the next node after each loss and each failure.
    async fn keep<P: Part>(self: Arc<Self>) {
        let mut backoff = Backoff::default();
        for url in std::iter::once(&self.url).chain(&self.options.other_nodes).cycle() {
            if self.is_stopping() {
                return;
            }
            match P::open(url, &self.options.name).await {
                Ok(part) => {
                    backoff.reset();
                    self.links.send_modify(|links| {
                        *P::place(links) = Some(part.clone());
                        links.reason = None;
                        links.said.clear();
                    });
                    tokio::select! {
                        () = part.lost() => {}
                        () = self.stopped() => {}
                    }
                    self.links.send_modify(|links| {
                        *P::place(links) = None;
                        links.reason = Some("the connection was lost".to_owned());
                    });
                }
                Err(error) => self.note_failure(&error),
            }
            self.pause(backoff.next_wait()).await;
        }
    }

    /// Says once what keeps it from the broker.
    fn note_failure(&self, error: &BrokerError) {
        let reason = error.to_string();
        let is_new = self.links.send_if_modified(|links| {
            links.reason = Some(reason.clone());
            links.said.len() < MOST_SAID && links.said.insert(reason.clone())
        });
        if is_new {
            tracing::warn!(%reason, "the broker cannot be used; it is tried again");
        }
    }

    /// How it is with the broker.
    pub(crate) fn status(&self) -> RabbitStatus {
        let links = self.links.borrow();
        let state = match &links.publisher {
            Some(publisher) if publisher.is_blocked() => RabbitState::Blocked,
            Some(_) if links.connection.is_some() => RabbitState::Connected,
            _ => RabbitState::Disconnected,
        };
        let reason = match state {
            RabbitState::Connected => None,
            RabbitState::Blocked => Some("the broker takes no messages: it lacks memory or disk".to_owned()),
            RabbitState::Disconnected => {
                Some(links.reason.clone().unwrap_or_else(|| "it is being connected to".to_owned()))
            }
        };
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        RabbitStatus { state, reason, endpoints: endpoints.values().cloned().collect() }
    }

    pub(super) fn note_endpoint(&self, name: &str, reason: Option<String>) {
        let status = EndpointStatus { name: name.to_owned(), is_consuming: reason.is_none(), reason };
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), status);
    }

    /// What an endpoint that is consumed cannot do at the moment; `None` where it does all.
    pub(super) fn note_obstacle(&self, name: &str, obstacle: Option<String>) {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = endpoints.get_mut(name).filter(|status| status.is_consuming) {
            status.reason = obstacle;
        }
    }

    /// By which to publish at once; why not, otherwise.
    pub(super) fn publisher(&self) -> Result<Publisher, String> {
        let status = self.status();
        match &self.links.borrow().publisher {
            Some(publisher) if !publisher.is_blocked() => Ok(publisher.clone()),
            _ => Err(status.reason.unwrap_or_default()),
        }
    }

    /// By which to publish, as soon as the broker takes messages; `None` once the bus stops.
    pub(super) async fn open_publisher(&self) -> Option<Publisher> {
        let mut links = self.links.subscribe();
        loop {
            let publisher = tokio::select! {
                found = links.wait_for(|links| links.publisher.is_some()) => found.ok()?.publisher.clone()?,
                () = self.stopped() => return None,
            };
            let mut state = publisher.state();
            let is_open = tokio::select! {
                found = state.wait_for(|state| *state != PublisherState::Blocked) => {
                    found.is_ok_and(|state| *state == PublisherState::Open)
                }
                () = self.stopped() => return None,
            };
            if is_open {
                return Some(publisher);
            }
            // It is lost: the next one is there when the links change.
            tokio::select! {
                changed = links.changed() => changed.ok()?,
                () = self.stopped() => return None,
            }
        }
    }

    /// By which to consume and declare, as soon as there is one; `None` once the bus stops.
    pub(super) async fn connection(&self) -> Option<Arc<Connection>> {
        let mut links = self.links.subscribe();
        tokio::select! {
            found = links.wait_for(|links| links.connection.is_some()) => found.ok()?.connection.clone(),
            () = self.stopped() => None,
        }
    }

    /// Declares what must be there before something goes to these targets, once for each connection.
    pub(super) async fn declare_for(&self, targets: &HashSet<Target>) -> Result<(), BrokerError> {
        let connection = self.links.borrow().connection.clone();
        let Some(connection) = connection else {
            return Err(BrokerError::Lost {
                url: self.url.to_string(),
                reason: "it is not there".to_owned(),
            });
        };
        let mut declarer = self.declarer.lock().await;
        for target in targets {
            declarer.declare_for(&connection, target, self.options.queue).await?;
        }
        Ok(())
    }

    /// Declares what an endpoint of this process consists of.
    pub(super) async fn declare(
        &self,
        connection: &Arc<Connection>,
        topology: &wire::Topology,
    ) -> Result<(), BrokerError> {
        self.declarer.lock().await.declare(connection, topology).await
    }

    /// What was declared for a target may be gone. Whether anything was declared.
    pub(super) async fn forget_declared(&self, target: &Target) -> bool {
        self.declarer.lock().await.forget(target)
    }

    /// The broker, as errors name it.
    pub(super) fn url(&self) -> String {
        self.url.to_string()
    }

    /// Takes the right to send so many messages, and waits until it is paid for, or the bus stops.
    pub(super) async fn spend(&self, messages: usize) {
        let wait = self.tokens.take(messages);
        if !wait.is_zero() {
            self.pause(wait).await;
        }
    }

    /// Whether an endpoint's exchange is there.
    pub(super) async fn has_endpoint(&self, name: &str) -> Result<bool, BrokerError> {
        let connection = self.links.borrow().connection.clone();
        let Some(connection) = connection else {
            return Err(BrokerError::Lost {
                url: self.url.to_string(),
                reason: "it is not there".to_owned(),
            });
        };
        self.declarer.lock().await.has_exchange(&connection, name).await
    }

    /// Publishes those that have no outcome yet, as soon as the broker takes messages, and waits for what becomes of
    /// each. None once the bus stops.
    pub(super) async fn deliver_once(
        &self,
        publications: &[wire::Publication],
        outcomes: &mut [Option<Result<Outcome, BrokerError>>],
    ) -> Option<()> {
        let left: Vec<usize> = (0..outcomes.len()).filter(|at| outcomes[*at].is_none()).collect();
        let publisher = self.open_publisher().await?;
        let mut confirms = Vec::with_capacity(left.len());
        let targets = left.iter().map(|at| publications[*at].target.clone()).collect();
        if let Err(error) = self.declare_for(&targets).await {
            self.note_failure(&error);
            return Some(());
        }
        for at in left {
            let publication = publications[at].clone();
            match self.publish_on(&publisher, publication).await {
                Ok(confirm) => confirms.push((at, confirm)),
                Err(_) => break,
            }
        }
        for (at, confirm) in confirms {
            let outcome = tokio::select! {
                outcome = confirm.outcome(LONGEST_CONFIRM) => outcome,
                () = self.stopped() => return None,
            };
            outcomes[at] = self.is_over(&publications[at].target, outcome).await;
        }
        Some(())
    }

    /// What became of a message, or `None` where it is to be published again.
    async fn is_over(
        &self,
        target: &Target,
        outcome: Result<Outcome, BrokerError>,
    ) -> Option<Result<Outcome, BrokerError>> {
        match &outcome {
            // A queue is full, or has no majority at the moment.
            Ok(Outcome::Refused) => None,
            Err(BrokerError::Lost { .. }) => None,
            // Nobody consumes what goes there.
            Ok(Outcome::Returned) if matches!(target, Target::Endpoint { .. }) => Some(outcome),
            // What was declared has been deleted by somebody since.
            Err(BrokerError::NotFound { .. }) | Ok(Outcome::Returned) => {
                let is_declared = self.forget_declared(target).await;
                (!is_declared).then_some(outcome)
            }
            _ => Some(outcome),
        }
    }

    /// Publishes one message at once, and waits for what becomes of it, but not longer than this.
    pub(super) async fn publish_now(
        &self,
        publisher: &Publisher,
        publication: wire::Publication,
        timeout: Duration,
    ) -> Result<Outcome, BrokerError> {
        self.publish_on(publisher, publication).await?.outcome(timeout).await
    }

    /// Publishes one message; what becomes of it is to be waited for.
    pub(super) async fn publish_on(
        &self,
        publisher: &Publisher,
        publication: wire::Publication,
    ) -> Result<Confirm, BrokerError> {
        let channel = channel_of(&publication.target);
        publisher.publish(channel, convert::publication(publication)).await
    }
}

/// Commands, events, answers and all else each have a channel of their own.
const fn channel_of(target: &Target) -> u16 {
    match target {
        Target::Endpoint { .. } | Target::Request { .. } => 0,
        Target::Event { .. } => 1,
        Target::Fault { .. } | Target::ReceiveFault | Target::Moved { .. } => 2,
        Target::Reply { .. } => CHANNELS - 1,
    }
}

/// One of the two connections.
trait Part: Clone + Send + Sync + 'static {
    fn open(url: &BrokerUrl, name: &str) -> impl Future<Output = Result<Self, BrokerError>> + Send;
    fn lost(&self) -> impl Future<Output = ()> + Send;
    fn place(links: &mut Links) -> &mut Option<Self>;
}

impl Part for Publisher {
    async fn open(url: &BrokerUrl, name: &str) -> Result<Self, BrokerError> {
        Self::open(url, &format!("{name} publishes"), CHANNELS).await
    }

    async fn lost(&self) {
        self.lost().await;
    }

    fn place(links: &mut Links) -> &mut Option<Self> {
        &mut links.publisher
    }
}

impl Part for Arc<Connection> {
    async fn open(url: &BrokerUrl, name: &str) -> Result<Self, BrokerError> {
        Connection::open(url, &format!("{name} consumes")).await.map(Self::new)
    }

    async fn lost(&self) {
        // The connection itself reports why.
        let _ = Connection::lost(self).await;
    }

    fn place(links: &mut Links) -> &mut Option<Self> {
        &mut links.connection
    }
}
