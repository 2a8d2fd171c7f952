//! The ids themselves, under the lock of their [`Links`](super::Links).

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use super::super::Transport;
use super::super::answer::Refusal;
use super::super::input::Socket;
use super::super::link::{Link, Token};
use crate::clock::now;
use crate::options::Options;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) entries: HashMap<Token, Entry>,
    /// Negotiated and not connected, the oldest first.
    pub(super) abandoned: BTreeMap<Key, Token>,
    /// Connected, but without a socket or a poll.
    pub(super) unattended: BTreeMap<Key, Token>,
    pub(super) last_number: u64,
    /// Handlers, sockets and streams of events; tasks can be cut.
    pub(super) running: HashMap<u64, Option<AbortHandle>>,
    pub(super) users: HashMap<String, usize>,
    pub(super) addresses: HashMap<IpAddr, usize>,
    pub(super) is_sweeping: bool,
    pub(super) is_stopping: bool,
    /// Of those that ended while the server was stopping, those that may lack something.
    pub(super) cut: usize,
}

/// A client that polls comes back at once. When the server stops, one that does not come for so long is waited for no longer.
const LAST_POLL_TIMEOUT: Duration = Duration::from_secs(2);

/// When an id ends unless it is used; the number tells equal times apart.
pub(super) type Key = (Instant, u64);

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) link: Arc<Link>,
    pub(super) phase: Phase,
}

#[derive(Debug)]
pub(super) enum Phase {
    Negotiated(Key),
    Socket { socket: Socket, carrier: Option<AbortHandle>, unattended: Option<Key> },
    Events,
    Polls { poll: u64, unattended: Option<Key>, is_over: bool },
}

impl State {
    pub(super) fn key(&mut self, timeout: Duration) -> Key {
        (now() + timeout, self.next_number())
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub(super) fn unattended(&mut self, link: &Link, timeout: Duration) -> Key {
        let key = self.key(timeout);
        self.unattended.insert(key, link.token.clone());
        key
    }

    pub(super) fn entry(&self, link: &Link) -> Result<&Entry, Refusal> {
        let now = now();
        self.entries.get(&link.token).filter(|entry| !entry.is_over(now)).ok_or(Refusal::UnknownId)
    }

    /// The connection is connected, if limits allow it.
    pub(super) fn begin(&mut self, link: &Link, key: Key, options: &Options) -> Result<(), Refusal> {
        self.check_limits(link, options)?;
        self.abandoned.remove(&key);
        if let (Some(_), Some(user)) = (options.max_connections_per_user, link.user_id()) {
            *self.users.entry(user.to_owned()).or_default() += 1;
        }
        if let (Some(_), Some(address)) = (options.max_connections_per_address, link.address) {
            *self.addresses.entry(address).or_default() += 1;
        }
        Ok(())
    }

    pub(super) fn check_limits(&self, link: &Link, options: &Options) -> Result<(), Refusal> {
        if let (Some(max), Some(user)) = (options.max_connections_per_user, link.user_id())
            && self.users.get(user).is_some_and(|&count| count >= max)
        {
            return Err(Refusal::TooManyOfUser);
        }
        if let Some(max) = options.max_connections_per_address {
            let address = link.address.ok_or(Refusal::AddressUnknown)?;
            if self.addresses.get(&address).is_some_and(|&count| count >= max) {
                return Err(Refusal::TooManyOfAddress);
            }
        }
        Ok(())
    }

    /// The handler of a connection that [`begin`](Self::begin) counted has returned.
    pub(super) fn count_down(&mut self, link: &Link, options: &Options) {
        if let (Some(_), Some(user)) = (options.max_connections_per_user, link.user_id())
            && let Some(count) = self.users.get_mut(user)
        {
            *count -= 1;
            if *count == 0 {
                self.users.remove(user);
            }
        }
        if let (Some(_), Some(address)) = (options.max_connections_per_address, link.address)
            && let Some(count) = self.addresses.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    pub(super) fn change_phase(&mut self, link: &Link, phase: Phase) {
        let Some(entry) = self.entries.get_mut(&link.token) else { return };
        if let Some(key) = std::mem::replace(&mut entry.phase, phase).unattended() {
            self.unattended.remove(&key);
        }
    }

    pub(super) fn remove(&mut self, token: &Token) {
        match self.entries.remove(token).map(|entry| entry.phase) {
            Some(Phase::Negotiated(key)) => drop(self.abandoned.remove(&key)),
            Some(phase) => {
                if let Some(key) = phase.unattended() {
                    self.unattended.remove(&key);
                }
            }
            None => {}
        }
    }

    pub(super) fn overdue(&self, now: Instant) -> Option<Token> {
        [&self.abandoned, &self.unattended]
            .into_iter()
            .filter_map(BTreeMap::first_key_value)
            .find(|((due, _), _)| *due <= now)
            .map(|(_, token)| token.clone())
    }

    /// Until when the next poll has to come.
    pub(super) fn without_poll(&mut self, link: &Link, timeout: Duration) -> Key {
        let longest = if self.is_stopping { LAST_POLL_TIMEOUT } else { timeout };
        self.unattended(link, timeout.min(longest))
    }

    /// From now on polls are waited for as a server does that stops.
    pub(super) fn stop(&mut self, timeout: Duration) {
        self.is_stopping = true;
        for (key, token) in self.unattended.clone() {
            let Some(entry) = self.entries.get(&token) else { continue };
            if let Phase::Polls { poll, is_over, .. } = entry.phase {
                let link = entry.link.clone();
                self.unattended.remove(&key);
                let unattended = Some(self.without_poll(&link, timeout));
                self.change_phase(&link, Phase::Polls { poll, unattended, is_over });
            }
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.entries.is_empty()
    }
}

impl Entry {
    /// Whether its client has all that there is for it, and nothing comes any more.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Polls { is_over: true, .. }) && self.link.outbox.is_all_taken()
    }

    /// Whether its time has come, though it has not been swept yet.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let due = match self.phase {
            Phase::Negotiated(key) => Some(key),
            ref phase => phase.unattended(),
        };
        due.is_some_and(|(due, _)| due <= now)
    }
}

impl Phase {
    pub(super) fn transport(&self) -> Option<Transport> {
        match self {
            Self::Negotiated(_) => None,
            Self::Socket { .. } => Some(Transport::WebSockets),
            Self::Events => Some(Transport::ServerSentEvents),
            Self::Polls { .. } => Some(Transport::LongPolling),
        }
    }

    pub(super) fn unattended(&self) -> Option<Key> {
        match self {
            Self::Negotiated(_) | Self::Events => None,
            Self::Socket { unattended, .. } | Self::Polls { unattended, .. } => *unattended,
        }
    }
}
