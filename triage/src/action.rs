//! What becomes of failed messages: requeued, moved, discarded.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use broker::{BrokerError, Connection, Delivery, Message};
use serde::Serialize;
use tick_sdk::contracts::envelope::UtcTime;

use crate::entry::{Entry, Kind};
use crate::error::TriageError;
use crate::filter::Selection;
use crate::queues::FailedQueue;
use crate::reading::{self, is_of_failure, is_of_way};
use crate::record::{self, Record};
use crate::walk::{Publication, Walk, copy, refusal};

/// So many messages that stay are named.
const MAX_NAMED: usize = 100;
/// So many exchanges are remembered to be there or not.
const MAX_KNOWN: usize = 1_000;

/// What is done with the selected messages.
#[derive(Clone, Debug)]
pub enum Action {
    /// They go to the endpoint where they failed, as they were sent: with the same ids and body, and without the
    /// headers that say how they failed. A feed's dead letter goes to the queue that it was in.
    Requeue {
        /// Another endpoint's exchange.
        to: Option<String>,
    },
    /// They go to another queue, with the headers that say how they failed.
    Move {
        /// Its name.
        to: String,
    },
    /// They are written down and removed.
    Discard {
        /// Where they are written down.
        record: Record,
    },
}

/// What became of the selected messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Acted {
    /// So many were looked at.
    pub looked_at: u64,
    /// So many of them were selected.
    pub selected: u64,
    /// So many have their place; none in a dry run.
    pub done: u64,
    /// So many stay, as their place does not take them.
    pub stayed: u64,
    /// The first 100 that stay.
    pub stays: Vec<Stayed>,
    /// What was done, or in a dry run would be, of which the first 100.
    pub first: Vec<Entry>,
}

impl Acted {
    /// Counts those of another broker, too.
    pub fn add(&mut self, other: Self) {
        self.looked_at += other.looked_at;
        self.selected += other.selected;
        self.done += other.done;
        self.stayed += other.stayed;
        self.stays.extend(other.stays);
        self.stays.truncate(MAX_NAMED);
        self.first.extend(other.first);
        self.first.truncate(MAX_NAMED);
    }
}

/// A message that stays where it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stayed {
    /// The message.
    pub entry: Entry,
    /// Why.
    pub reason: String,
}

/// An action under way.
pub(crate) struct Acting<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) selection: &'a Selection,
    pub(crate) action: &'a Action,
    pub(crate) is_dry: bool,
    /// Set by whoever wants it to end with the page.
    pub(crate) stop: &'a AtomicBool,
    pub(crate) acted: Acted,
    exchanges: HashMap<String, bool>,
}

/// Where a message goes.
struct Place {
    exchange: String,
    key: String,
}

type Selected<'a> = (Entry, &'a Delivery);

impl<'a> Acting<'a> {
    pub(crate) fn new(
        connection: &'a Connection,
        selection: &'a Selection,
        action: &'a Action,
        stop: &'a AtomicBool,
    ) -> Self {
        let (acted, exchanges) = (Acted::default(), HashMap::new());
        Self { connection, selection, action, is_dry: false, stop, acted, exchanges }
    }

    fn is_over(&self) -> bool {
        self.acted.selected >= self.selection.limit || self.stop.load(Ordering::Relaxed)
    }

    /// Walks along one queue.
    pub(crate) async fn walk(&mut self, queue: &FailedQueue) -> Result<(), TriageError> {
        if self.is_over() {
            return Ok(());
        }
        let Some(mut walk) = Walk::begin(self.connection, queue, self.selection.scan).await? else {
            return Ok(());
        };
        while !self.is_over() {
            let page = walk.page().await?;
            if page.is_empty() {
                break;
            }
            self.page(&mut walk, &queue.name, &page).await?;
        }
        walk.end().await
    }

    async fn page(&mut self, walk: &mut Walk<'_>, queue: &str, page: &[Delivery]) -> Result<(), TriageError> {
        let mut selected: Vec<Selected<'_>> = Vec::new();
        let mut others = Vec::new();
        for delivery in page {
            let entry = reading::entry(queue, delivery);
            let room = self.selection.limit - self.acted.selected;
            if (selected.len() as u64) < room && self.selection.filter.takes(&entry) {
                selected.push((entry, delivery));
            } else {
                others.push(delivery);
            }
        }
        self.acted.looked_at += page.len() as u64;
        self.acted.selected += selected.len() as u64;
        walk.put_back(&others).await?;
        if self.is_dry {
            walk.put_back(&selected.iter().map(|(_, delivery)| *delivery).collect::<Vec<_>>()).await?;
            selected.into_iter().for_each(|(entry, _)| self.name(entry));
            return Ok(());
        }
        match self.action {
            Action::Requeue { to } => {
                let mut placed = Vec::new();
                for one in selected {
                    match self.endpoint(to.as_deref(), &one).await? {
                        Ok(place) => placed.push((one, place)),
                        Err(reason) => self.stay(walk, one, reason).await?,
                    }
                }
                self.publish(walk, placed, is_of_failure).await
            }
            Action::Move { to } => {
                let place = || Place { exchange: String::new(), key: to.clone() };
                let placed = selected.into_iter().map(|one| (one, place())).collect();
                self.publish(walk, placed, is_of_way).await
            }
            Action::Discard { record } => self.discard(walk, record, selected).await,
        }
    }

    /// Where a message is requeued to, or why that cannot be.
    async fn endpoint(
        &mut self,
        to: Option<&str>,
        (entry, delivery): &Selected<'_>,
    ) -> Result<Result<Place, String>, TriageError> {
        if entry.kind == Kind::DeadLetter && to.is_none() {
            let queue = reading::letter(delivery).queue;
            if queue.is_empty() {
                return Ok(Err(
                    "does not say which queue it was in: discard it, or move it by hand".to_owned()
                ));
            }
            return Ok(Ok(Place { exchange: String::new(), key: queue }));
        }
        let Some(exchange) = to.map(str::to_owned).or_else(|| entry.endpoint.clone()) else {
            return Ok(Err("does not say where it failed: say where it is to go".to_owned()));
        };
        if !self.has_exchange(&exchange).await? {
            return Ok(Err(format!(
                "the exchange {exchange} is not there: start its service, or say where it is to go"
            )));
        }
        // The routing key of the original was kept when it failed.
        Ok(Ok(Place { exchange, key: delivery.routing_key.clone() }))
    }

    /// Asked beforehand, as publishing to one that is not there takes the whole channel down.
    async fn has_exchange(&mut self, name: &str) -> Result<bool, TriageError> {
        if let Some(is_there) = self.exchanges.get(name) {
            return Ok(*is_there);
        }
        let channel = self.connection.open_channel().await?;
        let is_there = match channel.inspect_exchange(name).await {
            Ok(()) => {
                channel.close().await?;
                true
            }
            Err(BrokerError::NotFound { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        if self.exchanges.len() >= MAX_KNOWN {
            self.exchanges.clear();
        }
        self.exchanges.insert(name.to_owned(), is_there);
        Ok(is_there)
    }

    /// Publishes each to its place, and acknowledges what is confirmed there.
    async fn publish(
        &mut self,
        walk: &mut Walk<'_>,
        placed: Vec<(Selected<'_>, Place)>,
        is_dropped: fn(&str) -> bool,
    ) -> Result<(), TriageError> {
        let publications = placed.iter().map(|((entry, delivery), place)| Publication {
            exchange: &place.exchange,
            key: &place.key,
            message: match (entry.kind, self.action) {
                // Its queue holds frames, which have no headers.
                (Kind::DeadLetter, Action::Requeue { .. }) => Message::persistent(&delivery.body),
                _ => copy(delivery, is_dropped),
            },
        });
        let outcomes = walk.publish(publications.collect()).await?;
        for ((one, place), outcome) in placed.into_iter().zip(outcomes) {
            if let Some(reason) = refusal(&outcome) {
                let to = if place.exchange.is_empty() { place.key } else { place.exchange };
                self.stay(walk, one, format!("{to} {reason}")).await?;
                continue;
            }
            walk.acknowledge(one.1).await?;
            self.acted.done += 1;
            self.name(one.0);
        }
        Ok(())
    }

    async fn discard(
        &mut self,
        walk: &Walk<'_>,
        record: &Record,
        selected: Vec<Selected<'_>>,
    ) -> Result<(), TriageError> {
        if selected.is_empty() {
            return Ok(());
        }
        let now = now();
        let lines =
            selected.iter().flat_map(|(entry, delivery)| record::line(entry, delivery, &now)).collect();
        record.write(lines).await?;
        for (entry, delivery) in selected {
            walk.acknowledge(delivery).await?;
            self.acted.done += 1;
            self.name(entry);
        }
        Ok(())
    }

    async fn stay(
        &mut self,
        walk: &mut Walk<'_>,
        (entry, delivery): Selected<'_>,
        reason: String,
    ) -> Result<(), TriageError> {
        walk.put_back(&[delivery]).await?;
        self.acted.stayed += 1;
        if self.acted.stays.len() < MAX_NAMED {
            self.acted.stays.push(Stayed { entry, reason });
        }
        Ok(())
    }

    fn name(&mut self, entry: Entry) {
        if self.acted.first.len() < MAX_NAMED {
            self.acted.first.push(entry);
        }
    }
}

fn now() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let ms = u64::try_from(since.as_millis()).unwrap_or(0);
    UtcTime::from_unix_ms(ms).map(|time| time.to_string()).unwrap_or_default()
}
