//! All ids of an endpoint: who may use them for what, and when they end.

mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use self::state::{Entry, Phase, State};
use super::answer::Refusal;
use super::guards::Polling;
use super::input::Socket;
use super::link::{Client, Link, Token};
use super::{Counts, Transport};
use crate::clock::now;
use crate::options::Options;
use crate::outbox::Attachment;
use crate::user::User;

/// Every change is short, and made under one lock; what it wakes is woken after it.
#[derive(Debug)]
pub(super) struct Links {
    state: Mutex<State>,
    /// Rings when nothing runs and no id is left.
    idle: Notify,
    pub(super) options: Options,
}

/// Something that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Task(u64);

/// How a socket was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It ends the connection.
    Closed,
    /// A stateful client may come back.
    Broken,
}

/// What a socket carries.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) socket: Socket,
    pub(super) attachment: Attachment,
    /// Whether a handler is to be started.
    pub(super) is_first: bool,
}

/// What a poll does.
#[derive(Debug)]
pub(super) enum Poll {
    /// It begins the connection.
    First,
    /// It waits for messages.
    Later(Polling, Attachment),
}

impl Links {
    pub(super) fn new(options: Options) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), idle: Notify::new(), options })
    }

    /// A new id. Where too many wait to be connected, the oldest ends: who floods the server hurts others less than if new ones
    /// were refused.
    pub(super) fn negotiate(
        self: &Arc<Self>,
        client: Client,
        is_version_0: bool,
        is_stateful: bool,
    ) -> Result<Arc<Link>, Refusal> {
        let link = Link::new(client, &self.options, is_version_0, is_stateful);
        let mut ended = None;
        {
            let mut state = self.lock();
            if state.is_stopping {
                return Err(Refusal::Stopping);
            }
            state.check_limits(&link, &self.options)?;
            if state.abandoned.len() >= self.options.max_abandoned.max(1) {
                let oldest = state.abandoned.pop_first().map(|(_, token)| token);
                ended = oldest.and_then(|token| state.entries.remove(&token));
            }
            let key = state.key(self.options.disconnect_timeout);
            state.abandoned.insert(key, link.token.clone());
            let entry = Entry { link: link.clone(), phase: Phase::Negotiated(key) };
            state.entries.insert(link.token.clone(), entry);
        }
        if let Some(ended) = ended {
            ended.link.inbox.end();
        }
        self.sweep();
        Ok(link)
    }

    /// The connection of this id, and what carries it.
    pub(super) fn find(
        &self,
        token: &str,
        user: Option<&User>,
    ) -> Result<(Arc<Link>, Option<Transport>), Refusal> {
        let now = now();
        let state = self.lock();
        let entry = state.entries.get(&Token(token.into())).filter(|entry| !entry.is_over(now));
        let entry = entry.ok_or(Refusal::UnknownId)?;
        if !entry.link.is_of(user) {
            return Err(Refusal::OtherUser);
        }
        Ok((entry.link.clone(), entry.phase.transport()))
    }

    /// A socket begins the connection, or takes it over: the earlier one is cut, as it may be half open for minutes.
    pub(super) fn attach_socket(&self, link: &Link) -> Result<Attached, Refusal> {
        let mut state = self.lock();
        let attached = match &state.entry(link)?.phase {
            Phase::Negotiated(key) => {
                let key = *key;
                state.begin(link, key, &self.options)?;
                Attached {
                    socket: link.inbox.first_socket(),
                    attachment: link.outbox.attach(),
                    is_first: true,
                }
            }
            Phase::Socket { carrier, .. } if link.inbox.may_reattach() => {
                if link.outbox.closed().now_or_never().is_some() {
                    return Err(Refusal::UnknownId);
                }
                if let Some(carrier) = carrier {
                    carrier.abort();
                }
                Attached {
                    socket: link.inbox.next_socket(),
                    attachment: link.outbox.attach(),
                    is_first: false,
                }
            }
            Phase::Socket { .. } => return Err(Refusal::AlreadyActive),
            Phase::Events | Phase::Polls { .. } => return Err(Refusal::OtherTransport),
        };
        let socket = attached.socket;
        state.change_phase(link, Phase::Socket { socket, carrier: None, unattended: None });
        Ok(attached)
    }

    /// The task that carries the socket; cut at once if the socket has been taken over already.
    pub(super) fn carried_by(&self, link: &Link, socket: Socket, task: AbortHandle) {
        let mut state = self.lock();
        match state.entries.get_mut(&link.token).map(|entry| &mut entry.phase) {
            Some(Phase::Socket { socket: current, carrier, .. }) if *current == socket => {
                *carrier = Some(task);
            }
            Some(Phase::Socket { .. }) => task.abort(),
            _ => {}
        }
    }

    /// A stream of events begins the connection.
    pub(super) fn attach_events(&self, link: &Link) -> Result<Attachment, Refusal> {
        let mut state = self.lock();
        let key = match &state.entry(link)?.phase {
            Phase::Negotiated(key) => *key,
            Phase::Events => return Err(Refusal::AlreadyActive),
            Phase::Socket { .. } | Phase::Polls { .. } => return Err(Refusal::OtherTransport),
        };
        state.begin(link, key, &self.options)?;
        state.change_phase(link, Phase::Events);
        Ok(link.outbox.attach())
    }

    /// A poll begins the connection, or waits for its messages; one that waited before is answered.
    pub(super) fn attach_poll(self: &Arc<Self>, link: &Arc<Link>) -> Result<Poll, Refusal> {
        let mut state = self.lock();
        match &state.entry(link)?.phase {
            Phase::Negotiated(key) => {
                let key = *key;
                state.begin(link, key, &self.options)?;
                let unattended = state.without_poll(link, self.options.disconnect_timeout);
                state.change_phase(
                    link,
                    Phase::Polls { poll: 0, unattended: Some(unattended), is_over: false },
                );
                drop(state);
                self.sweep();
                Ok(Poll::First)
            }
            Phase::Polls { poll, is_over, .. } => {
                let poll = poll + 1;
                let is_over = *is_over;
                state.change_phase(link, Phase::Polls { poll, unattended: None, is_over });
                let attachment = link.outbox.attach();
                drop(state);
                Ok(Poll::Later(Polling::new(self, link, poll), attachment))
            }
            Phase::Socket { .. } | Phase::Events => Err(Refusal::OtherTransport),
        }
    }

    /// A poll has been answered, or cut by the client.
    pub(super) fn poll_left(self: &Arc<Self>, link: &Link, left: u64) {
        let mut state = self.lock();
        let Some(entry) = state.entries.get(&link.token) else { return };
        if let Phase::Polls { poll, is_over, .. } = entry.phase
            && poll == left
        {
            let unattended = Some(state.without_poll(link, self.options.disconnect_timeout));
            state.change_phase(link, Phase::Polls { poll, unattended, is_over });
            drop(state);
            self.sweep();
        }
    }

    /// A socket has come to its end. One that was taken over changes nothing.
    pub(super) fn socket_left(self: &Arc<Self>, link: &Link, left_socket: Socket, how: Left) {
        let mut state = self.lock();
        let Some(entry) = state.entries.get(&link.token) else { return };
        if !matches!(entry.phase, Phase::Socket { socket, .. } if socket == left_socket) {
            return;
        }
        if how == Left::Broken && link.inbox.may_reattach() && !state.is_stopping {
            let unattended = Some(state.unattended(link, self.options.disconnect_timeout));
            state.change_phase(link, Phase::Socket { socket: left_socket, carrier: None, unattended });
            drop(state);
            self.sweep();
        } else {
            drop(state);
            self.end(link);
        }
    }

    /// The id is gone at once; the handler learns that its client is, and who still sends to it, too.
    pub(super) fn end(&self, link: &Link) {
        self.end_input(link);
        link.outbox.close(None);
    }

    /// The id is gone at once. A poll that waits still gets what the handler has to say.
    pub(super) fn end_input(&self, link: &Link) {
        self.remove(link);
        link.inbox.end();
    }

    fn remove(&self, link: &Link) {
        let mut state = self.lock();
        state.remove(&link.token);
        self.ring_if_idle(&state);
    }

    /// Something begins that the end of the server waits for.
    pub(super) fn begin_task(&self) -> Task {
        let mut state = self.lock();
        let task = state.next_number();
        state.running.insert(task, None);
        Task(task)
    }

    /// How it is cut. One that is over already stays so.
    pub(super) fn cut_by(&self, task: Task, handle: AbortHandle) {
        if let Some(running) = self.lock().running.get_mut(&task.0) {
            *running = Some(handle);
        }
    }

    /// It is over.
    pub(super) fn end_task(&self, task: Task) {
        let mut state = self.lock();
        state.running.remove(&task.0);
        self.ring_if_idle(&state);
    }

    /// The handler has returned: only polls may still take what waits.
    pub(super) fn served(&self, link: &Link) {
        {
            let mut state = self.lock();
            state.count_down(link, &self.options);
            match state.entries.get_mut(&link.token).map(|entry| &mut entry.phase) {
                Some(Phase::Polls { is_over, .. }) => *is_over = true,
                _ => state.remove(&link.token),
            }
            self.ring_if_idle(&state);
        }
        link.outbox.close(None);
        link.inbox.end();
    }

    /// How many there are.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in self.lock().entries.values() {
            let count = match entry.phase {
                Phase::Negotiated(_) => &mut counts.negotiated,
                Phase::Socket { unattended: Some(_), .. } => &mut counts.detached,
                Phase::Socket { .. } => &mut counts.web_sockets,
                Phase::Events => &mut counts.server_sent_events,
                Phase::Polls { .. } => &mut counts.long_polling,
            };
            *count += 1;
        }
        counts
    }

    /// Tells all handlers to say goodbye, and cuts what is not done in time, and clients that do not come for what waits for them.
    pub(super) async fn shut_down(&self, within: Duration) -> usize {
        for link in self.stop() {
            link.inbox.stop();
        }
        if tokio::time::timeout(within, self.idle()).await.is_ok() {
            return self.lock().cut;
        }
        let (cut, links) = self.cut();
        for link in links {
            link.outbox.close(None);
            link.inbox.end();
        }
        // What was cut has still to be dropped.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.idle()).await;
        cut
    }

    /// Refuses new connections, and returns those that there are.
    fn stop(&self) -> Vec<Arc<Link>> {
        let mut state = self.lock();
        state.stop(self.options.disconnect_timeout);
        let abandoned = std::mem::take(&mut state.abandoned);
        let mut links = Vec::new();
        for token in abandoned.into_values() {
            links.extend(state.entries.remove(&token).map(|entry| entry.link));
        }
        for link in &links {
            link.inbox.end();
        }
        self.ring_if_idle(&state);
        state.entries.values().map(|entry| entry.link.clone()).collect()
    }

    async fn idle(&self) {
        loop {
            let mut idle = std::pin::pin!(self.idle.notified());
            idle.as_mut().enable();
            if self.lock().is_idle() {
                return;
            }
            idle.await;
        }
    }

    fn cut(&self) -> (usize, Vec<Arc<Link>>) {
        let mut state = self.lock();
        for task in state.running.values().flatten() {
            task.abort();
        }
        state.unattended.clear();
        let links: Vec<_> = state.entries.drain().map(|(_, entry)| entry.link).collect();
        (state.cut + links.len(), links)
    }

    fn ring_if_idle(&self, state: &State) {
        if state.is_stopping && state.is_idle() {
            self.idle.notify_waiters();
        }
    }

    /// Ends ids whose time has come, as long as there are any to wait for.
    fn sweep(self: &Arc<Self>) {
        if std::mem::replace(&mut self.lock().is_sweeping, true) {
            return;
        }
        let links = Arc::downgrade(self);
        let pause =
            (self.options.disconnect_timeout / 8).clamp(Duration::from_millis(5), Duration::from_secs(1));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(links) = links.upgrade() else { return };
                if !links.end_overdue(now()) {
                    return;
                }
            }
        });
    }

    /// Whether there are more to wait for.
    fn end_overdue(&self, now: Instant) -> bool {
        let mut ended = Vec::new();
        let has_more = {
            let mut state = self.lock();
            while let Some(token) = state.overdue(now) {
                if let Some(entry) = state.entries.get(&token) {
                    let is_cut = state.is_stopping && !entry.is_done();
                    ended.push(entry.link.clone());
                    state.cut += usize::from(is_cut);
                }
                state.remove(&token);
            }
            self.ring_if_idle(&state);
            state.is_sweeping = !state.abandoned.is_empty() || !state.unattended.is_empty();
            state.is_sweeping
        };
        for link in ended {
            link.inbox.end();
            link.outbox.close(None);
        }
        has_more
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
