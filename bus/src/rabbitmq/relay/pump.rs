//! Publishes in order, many at once, whatever becomes of the connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use broker::backoff::Backoff;
use broker::{BrokerError, Confirm, Outcome};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::bell::Bell;
use crate::rabbitmq::session::{LONGEST_CONFIRM, Session};
use crate::wire::Publication;

/// So many events are on their way at most.
pub(super) const WINDOW: usize = 2_000;

/// One event on its way; without a publication it only moves the cursor.
struct Item {
    position: u64,
    publication: Option<Publication>,
    confirm: Option<Confirm>,
}

#[derive(Default)]
struct Progress {
    /// Every event up to this position is confirmed.
    confirmed: AtomicU64,
    /// So many are handed over and not confirmed.
    waiting: AtomicUsize,
}

/// Publishes what it is given, in order. Dropped it ends, and what is on the way may arrive or not.
pub(super) struct Pump {
    to: mpsc::UnboundedSender<Item>,
    progress: Arc<Progress>,
}

impl Pump {
    /// Begins after this position.
    pub(super) fn start(session: Arc<Session>, runtime: &Handle, bell: Arc<Bell>, position: u64) -> Self {
        // Whoever pushes looks at what waits before, so that it holds `WINDOW` at most.
        let (to, items) = mpsc::unbounded_channel();
        let progress = Arc::new(Progress { confirmed: position.into(), waiting: 0.into() });
        let pumping =
            Pumping { session, items, progress: progress.clone(), bell, pending: VecDeque::new(), sent: 0 };
        runtime.spawn(pumping.run());
        Self { to, progress }
    }

    /// Every event up to this position is confirmed.
    pub(super) fn confirmed(&self) -> u64 {
        self.progress.confirmed.load(Ordering::Acquire)
    }

    /// So many are on their way.
    pub(super) fn waiting(&self) -> usize {
        self.progress.waiting.load(Ordering::Acquire)
    }

    /// Puts events behind those that are on their way, with the position that the log was looked at up to.
    pub(super) fn push(&self, events: Vec<(u64, Publication)>, looked_to: u64) {
        let last = events.last().map(|(position, _)| *position);
        let published = events.into_iter().map(|(position, publication)| Item {
            position,
            publication: Some(publication),
            confirm: None,
        });
        let rest = (last != Some(looked_to)).then_some(Item {
            position: looked_to,
            publication: None,
            confirm: None,
        });
        for item in published.chain(rest) {
            self.progress.waiting.fetch_add(1, Ordering::AcqRel);
            // It has ended when the bus stops; what it has not published is published after the next start.
            let _ = self.to.send(item);
        }
    }
}

struct Pumping {
    session: Arc<Session>,
    items: mpsc::UnboundedReceiver<Item>,
    progress: Arc<Progress>,
    bell: Arc<Bell>,
    pending: VecDeque<Item>,
    /// So many of these are published.
    sent: usize,
}

impl Pumping {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            if self.take_confirmed_without_publication() {
                continue;
            }
            if self.sent < self.pending.len() {
                match self.publish().await {
                    Some(Ok(())) => {}
                    Some(Err(error)) => self.begin_again(&error, &mut backoff).await,
                    None => return,
                }
                continue;
            }
            let first = self.pending.front_mut().and_then(|item| item.confirm.as_mut());
            tokio::select! {
                more = self.items.recv() => match more {
                    Some(item) => {
                        self.pending.push_back(item);
                        while let Ok(item) = self.items.try_recv() {
                            self.pending.push_back(item);
                        }
                    }
                    None => return,
                },
                outcome = confirmed(first) => match outcome {
                    Ok(Outcome::Confirmed | Outcome::Returned) => {
                        backoff.reset();
                        self.finish_first();
                    }
                    Ok(Outcome::Refused) => {
                        let url = self.session.url();
                        let reason = "a queue refuses an event: it is full, or failed".to_owned();
                        self.begin_again(&BrokerError::Other { url, reason }, &mut backoff).await;
                    }
                    Err(error) => self.begin_again(&error, &mut backoff).await,
                },
                () = self.session.stopped() => return,
            }
        }
    }

    /// Nothing is published of the first: it is confirmed when all before it are.
    fn take_confirmed_without_publication(&mut self) -> bool {
        let is_first = self.pending.front().is_some_and(|item| item.publication.is_none());
        if is_first {
            self.finish_first();
        }
        is_first
    }

    fn finish_first(&mut self) {
        let Some(item) = self.pending.pop_front() else { return };
        self.sent = self.sent.saturating_sub(1);
        self.progress.confirmed.store(item.position, Ordering::Release);
        // The thread that hands events over is woken where it may have found no room; what is new wakes it by itself.
        if self.progress.waiting.fetch_sub(1, Ordering::AcqRel) == WINDOW / 2 {
            self.bell.ring();
        }
    }

    /// Publishes what was not, in order; `None` once the bus stops.
    async fn publish(&mut self) -> Option<Result<(), BrokerError>> {
        let publisher = self.session.open_publisher().await?;
        let unsent = self.pending.iter().skip(self.sent);
        let targets = unsent.filter_map(|item| Some(item.publication.as_ref()?.target.clone())).collect();
        if let Err(error) = self.session.declare_for(&targets).await {
            return Some(Err(error));
        }
        while let Some(item) = self.pending.get_mut(self.sent) {
            if let Some(publication) = &item.publication {
                self.session.spend(1).await;
                match self.session.publish_on(&publisher, publication.clone()).await {
                    Ok(confirm) => item.confirm = Some(confirm),
                    Err(error) => return Some(Err(error)),
                }
            }
            self.sent += 1;
        }
        Some(Ok(()))
    }

    /// All that is not confirmed is published again, in order.
    async fn begin_again(&mut self, error: &BrokerError, backoff: &mut Backoff) {
        tracing::info!(%error, events = self.pending.len(), "relay: events are published again");
        if matches!(error, BrokerError::NotFound { .. }) {
            for item in &self.pending {
                if let Some(publication) = &item.publication {
                    self.session.forget_declared(&publication.target).await;
                }
            }
        }
        self.sent = 0;
        self.pending.iter_mut().for_each(|item| item.confirm = None);
        self.session.pause(backoff.next_wait()).await;
    }
}

/// What becomes of the first; nothing, as long as there is none.
async fn confirmed(first: Option<&mut Confirm>) -> Result<Outcome, BrokerError> {
    match first {
        Some(confirm) => confirm.wait(LONGEST_CONFIRM).await,
        None => std::future::pending().await,
    }
}
