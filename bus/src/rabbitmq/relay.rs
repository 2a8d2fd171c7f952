//! Publishes a context's events, in one process at a time.

use std::sync::Arc;

use tick_sdk::contracts::KnownEvent;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::sender;
use super::session::Session;
use crate::bell::Bell;
use crate::lane::{Place, Step};
use crate::store::{LARGEST_READ, StoreError, StoredEvent};
use crate::wire::{Publication, Writer};
use pump::{Pump, WINDOW};

mod pump;

/// Under this name the lease and the cursor stand.
const RELAY: &str = "relay";

/// When the process that relays dies, another does after so long and [`ASK_MS`] more at most. One that is only slow may
/// lose it: what both publish then is known by its message id, and one of the two finds the cursor moved.
pub(super) const LEASE_MS: u64 = 3_000;
/// A lease is renewed when so much of it is left.
pub(super) const RENEW_MS: u64 = LEASE_MS / 2;
/// One that another holds is asked for so often.
const ASK_MS: u64 = 1_000;
/// A log that another process writes to is looked at so often.
const LOOK_MS: u64 = 1_000;
/// The cursor is stored so often at most: what was published since is published again after a crash, and known by
/// its message id. So is what a store that has lost its power has forgotten of it.
const STORE_MS: u64 = 200;
/// So many events are looked at at once.
const LOOK: usize = 500;

/// The relay of one context: reads the log from its cursor, publishes each event to its type's exchange, and moves
/// the cursor when the broker has it.
pub(crate) struct Relay {
    place: Place,
    session: Arc<Session>,
    writer: Writer,
    runtime: Handle,
    /// Rung when there are events, and when some were confirmed.
    bell: Arc<Bell>,
    holder: Uuid,
    /// The events of this context that the program knows: those of the bus itself are nobody else's.
    names: Vec<&'static str>,
    /// The lease is held until then.
    leased_to_ms: u64,
    at: Option<Position>,
}

/// Where a relay is that has the lease.
struct Position {
    pump: Pump,
    /// Looked at up to here.
    looked: u64,
    /// The cursor as it is stored.
    stored: u64,
    stored_ms: u64,
}

impl Relay {
    pub(crate) fn new(place: Place, session: Arc<Session>, runtime: Handle, bell: Arc<Bell>) -> Self {
        let names = KnownEvent::of_context(&place.context).into_iter().map(|event| event.name).collect();
        let writer = sender::writer(&session.home, &place.context);
        let holder = Uuid::new_v4();
        Self { place, session, writer, runtime, bell, holder, names, leased_to_ms: 0, at: None }
    }

    /// Publishes what is new, and notes what was confirmed.
    pub(crate) fn step(&mut self, now_ms: u64) -> Result<Step, StoreError> {
        if self.names.is_empty() {
            return Ok(Step::Idle(None));
        }
        if !self.renew(now_ms)? {
            self.at = None;
            return Ok(Step::Idle(Some(now_ms + ASK_MS)));
        }
        if self.at.is_none() {
            let stored = self.place.store.cursor(RELAY, &self.place.context)?;
            let pump = Pump::start(self.session.clone(), &self.runtime, self.bell.clone(), stored);
            self.at = Some(Position { pump, looked: stored, stored, stored_ms: now_ms });
        }
        if !self.store_cursor(now_ms)? {
            // Another has published these meanwhile.
            self.at = None;
            self.leased_to_ms = 0;
            return Ok(Step::Worked(0));
        }
        let has_more = self.publish()?;
        let Some(at) = &self.at else { return Ok(Step::Worked(0)) };
        if has_more {
            return Ok(Step::Worked(0));
        }
        // What is on the way is confirmed by then, and nobody rings for that alone.
        let wait_ms = if at.looked > at.stored { STORE_MS } else { LOOK_MS };
        Ok(Step::Idle(Some(now_ms + wait_ms)))
    }

    /// Gives the lease to whoever asks next, with the cursor as far as it is known.
    pub(crate) fn release(&mut self, now_ms: u64) -> Result<(), StoreError> {
        if let Some(at) = &mut self.at {
            at.stored_ms = 0;
            self.store_cursor(now_ms)?;
        }
        if self.leased_to_ms > now_ms {
            self.place.store.lease(RELAY, self.holder, 0, now_ms)?;
        }
        self.leased_to_ms = 0;
        self.at = None;
        Ok(())
    }

    fn renew(&mut self, now_ms: u64) -> Result<bool, StoreError> {
        if self.leased_to_ms > now_ms + RENEW_MS {
            return Ok(true);
        }
        let lease = self.place.store.lease(RELAY, self.holder, LEASE_MS, now_ms)?;
        self.leased_to_ms = if lease.is_some() { now_ms + LEASE_MS } else { 0 };
        Ok(lease.is_some())
    }

    /// `false`: the cursor is not where this relay left it.
    fn store_cursor(&mut self, now_ms: u64) -> Result<bool, StoreError> {
        let Some(at) = &mut self.at else { return Ok(true) };
        let confirmed = at.pump.confirmed();
        let is_due = now_ms >= at.stored_ms + STORE_MS || confirmed >= at.stored + LOOK as u64;
        if confirmed <= at.stored || !is_due {
            return Ok(true);
        }
        if !self.place.store.note_cursor(RELAY, &self.place.context, at.stored, confirmed)? {
            return Ok(false);
        }
        at.stored = confirmed;
        at.stored_ms = now_ms;
        Ok(true)
    }

    /// Hands events over as far as there is room; whether more may be there.
    fn publish(&mut self) -> Result<bool, StoreError> {
        let Some(at) = &mut self.at else { return Ok(false) };
        if at.pump.waiting() + LOOK > WINDOW {
            return Ok(false);
        }
        let page = self.place.store.look(at.looked, LOOK, Some(&self.names))?;
        if page.looked_to == at.looked {
            return Ok(false);
        }
        // Whoever commits rings after it, so that a page with room left was the end.
        let bytes: usize = page.events.iter().map(|event| event.body.len()).sum();
        let is_full = page.looked_to - at.looked >= LOOK as u64 || bytes >= LARGEST_READ;
        let mut publications = Vec::with_capacity(page.events.len());
        let largest = self.session.options.largest_event;
        for event in &page.events {
            if let Some(publication) = publication(&self.writer, largest, event) {
                publications.push((event.position, publication));
            }
        }
        at.looked = page.looked_to;
        at.pump.push(publications, page.looked_to);
        Ok(is_full)
    }
}

/// An event as it is published; `None` where it is none that services listen to, or too large.
fn publication(writer: &Writer, largest: usize, event: &StoredEvent) -> Option<Publication> {
    let (context, bytes) = (writer.endpoint(), event.body.len());
    let StoredEvent { name, position, .. } = event;
    if bytes > largest {
        tracing::warn!(
            context,
            name,
            position,
            bytes,
            largest,
            "relay: this event is too large to be published; the context's log has it"
        );
        return None;
    }
    match writer.event(event) {
        Ok(publication) => publication,
        Err(error) => {
            tracing::error!(context, name, position, %error,
                "relay: this event has no place in an envelope; the context's log has it");
            None
        }
    }
}
