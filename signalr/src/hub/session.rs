//! One connection after its handshake: what comes is acted on, what is due is done.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::FutureExt as _;
use tokio::time::Sleep;

use super::Hub;
use super::busy::{Busy, Finished};
use super::connection::Caller;
use super::ending::End;
use super::serving::Core;
use crate::clock::now;
use crate::conversation::{Conversation, Due, Step};
use crate::message::{Incoming, Outgoing};
use crate::transports::{Input, Received, Transport};

/// After it a stateful client that sends no pings is taken to count what it is sent.
const CLIENT_START: Duration = Duration::from_millis(250);

const SHORTEST_KEEP_ALIVE: Duration = Duration::from_millis(1);

/// Every idle connection has one in memory, so what is rare is boxed.
pub(super) struct Session<H> {
    core: Arc<Core<H>>,
    caller: Arc<Caller>,
    conversation: Conversation,
    input: Input,
    busy: Option<Box<Busy>>,
    timer: Pin<Box<Sleep>>,
    /// When countable messages may be sent, until they are.
    countable_at: Option<Instant>,
    keep_alive_at: Instant,
    /// The outbox's last sending when a Ping was put in: until it is sent none follows it.
    pinged_after: Option<Instant>,
    expires_at: Option<Instant>,
    stops_at: Option<Instant>,
}

impl<H: Hub> Session<H> {
    pub(super) fn new(
        core: Arc<Core<H>>,
        caller: Arc<Caller>,
        conversation: Conversation,
        input: Input,
        is_stateful: bool,
    ) -> Self {
        let now = now();
        let options = &caller.shared.options;
        let expires = caller.user.as_ref().and_then(|user| user.expires).filter(|_| options.close_on_expiry);
        let left = expires.map(|expires| expires.duration_since(SystemTime::now()).unwrap_or_default());
        Self {
            expires_at: left.and_then(|left| now.checked_add(left)),
            countable_at: is_stateful.then(|| now + CLIENT_START),
            timer: Box::pin(tokio::time::sleep(options.keep_alive)),
            busy: None,
            keep_alive_at: now + options.keep_alive,
            pinged_after: None,
            stops_at: None,
            core,
            caller,
            conversation,
            input,
        }
    }

    /// Runs `connected`, and what the client calls, until the end.
    pub(super) async fn run(&mut self) -> End {
        let connected = self.core.clone().connected(self.caller.clone());
        self.busy().connecting(connected);
        loop {
            if let Err(end) = self.advance().await {
                return end;
            }
            if let Err(end) = self.wait().await {
                return end;
            }
            // Neither a client that always sends nor a stream that always has an item may keep the thread.
            tokio::task::coop::consume_budget().await;
        }
    }

    /// Does all that can be done now.
    async fn advance(&mut self) -> Result<(), End> {
        self.run_calls().await?;
        loop {
            let has_taken = self.take_waiting();
            if !has_taken && !self.take_next()? {
                break;
            }
            // A call gets as far as it can before the next message is looked at: its answer precedes that to a Close.
            self.run_calls().await?;
            tokio::task::coop::consume_budget().await;
        }
        if self.countable_at.is_some() && self.conversation.has_client_started() {
            self.release_countable();
        }
        match self.stops_at {
            Some(_) if !self.busy.as_ref().is_some_and(|busy| busy.has_calls()) => Err(End::Stopping),
            _ => Ok(()),
        }
    }

    /// Acts on a message that had to wait; whether there was one whose turn it is.
    fn take_waiting(&mut self) -> bool {
        let Some(busy) = &mut self.busy else { return false };
        busy.take_waiting(&self.core, &self.caller)
    }

    /// Acts on the next message; whether there was one that may be read now.
    fn take_next(&mut self) -> Result<bool, End> {
        if !self.may_read() {
            return Ok(false);
        }
        match self.conversation.next_step().map_err(End::Conversation)? {
            Some(Step::Message(message)) => self.take(message).map(|()| true),
            Some(Step::Opened { .. }) => Ok(true),
            None => Ok(false),
        }
    }

    fn take(&mut self, message: Incoming) -> Result<(), End> {
        match message {
            // These wait for nothing.
            Incoming::Close { error } => return Err(End::Client(error)),
            Incoming::Ack { sequence } => {
                return self.caller.outbox.acknowledge(sequence).map_err(|_| End::Numbering);
            }
            Incoming::Completion { id, outcome }
                if !self.busy.as_ref().is_some_and(|busy| busy.has_upload(&id))
                    && self.caller.asked.is_answered(&id, &outcome) => {}
            message => {
                let (core, caller) = (self.core.clone(), self.caller.clone());
                self.busy().take(&core, &caller, message);
            }
        }
        Ok(())
    }

    /// Lets the calls run, and removes those that have finished.
    async fn run_calls(&mut self) -> Result<(), End> {
        poll_fn(|context| {
            while let Some(busy) = &mut self.busy
                && let Poll::Ready(finished) = busy.poll_finished(context)
            {
                if let Err(end) = self.finished(finished) {
                    return Poll::Ready(Err(end));
                }
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        if self.caller.is_aborted() { Err(End::Aborted) } else { Ok(()) }
    }

    fn finished(&mut self, finished: Finished) -> Result<(), End> {
        if let Finished::Connected(connected) = finished {
            connected.map_err(End::Refused)?;
            // Most clients do nothing now but listen.
            self.forget_idle();
        }
        Ok(())
    }

    fn forget_idle(&mut self) {
        if self.busy.as_ref().is_some_and(|busy| busy.is_idle()) {
            self.busy = None;
        }
    }

    /// Waits for anything that changes what can be done.
    async fn wait(&mut self) -> Result<(), End> {
        let may_read = self.may_read();
        self.set_timer();
        tokio::select! {
            biased;
            () = self.caller.changed.notified() => {}
            finished = next_finished(&mut self.busy) => self.finished(finished)?,
            received = next_received(&mut self.input, may_read) => self.receive(received.ok_or(End::Gone)?),
            () = self.timer.as_mut() => self.on_time(may_read)?,
        }
        Ok(())
    }

    fn receive(&mut self, received: Received) {
        match received {
            Received::Bytes(bytes) => self.conversation.receive(now(), &bytes),
            Received::Reattached => self.conversation.reattached(now()),
            Received::Stopping => self.stops_at = Some(self.core.stops_at().unwrap_or_else(now)),
        }
    }

    /// Messages that wait for their turn, and items that nobody has read, are bounded: beyond that the client has to wait.
    fn may_read(&self) -> bool {
        let options = &self.caller.shared.options;
        let has_room =
            |busy: &Busy| busy.has_room(options.max_pending_invocations, options.max_message_bytes);
        self.busy.as_deref().is_none_or(has_room) && !self.caller.excess.is_too_much()
    }

    fn busy(&mut self) -> &mut Busy {
        let max_parallel_invocations = self.caller.shared.options.max_parallel_invocations;
        self.busy.get_or_insert_with(|| Box::new(Busy::new(max_parallel_invocations)))
    }

    /// The timer may go off too early, never too late: it is not set again for every message.
    fn set_timer(&mut self) {
        let due = self.due();
        if self.timer.is_elapsed() || due < self.timer.deadline().into_std() {
            self.timer.as_mut().reset(due.into());
        }
    }

    fn due(&self) -> Instant {
        let silent = self.conversation.due().filter(|_| self.may_read());
        let others = [silent, self.countable_at, self.expires_at, self.stops_at];
        others.into_iter().flatten().fold(self.keep_alive_at, Instant::min)
    }

    fn on_time(&mut self, may_read: bool) -> Result<(), End> {
        let now = now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.expires_at) {
            return Err(End::Expired);
        }
        if is_due(self.stops_at) {
            return Err(End::Stopping);
        }
        if is_due(self.countable_at) {
            self.release_countable();
        }
        while may_read && let Some(due) = self.conversation.on_time(now) {
            match due {
                Due::Ack(sequence) => self.push(&Outgoing::Ack { sequence }),
                Due::End(ended) => return Err(End::Conversation(ended)),
            }
        }
        self.keep_alive(now);
        self.forget_idle();
        Ok(())
    }

    fn keep_alive(&mut self, now: Instant) {
        if self.keep_alive_at > now {
            return;
        }
        // An interval of nothing would keep the thread.
        let interval = self.caller.shared.options.keep_alive.max(SHORTEST_KEEP_ALIVE);
        let last_taken = self.caller.outbox.last_taken();
        self.keep_alive_at = last_taken + interval;
        if self.keep_alive_at <= now {
            self.keep_alive_at = now + interval;
            self.ping(last_taken);
        }
    }

    /// A long poll needs no Ping, and where one waits already another one helps nobody.
    fn ping(&mut self, last_taken: Instant) {
        let is_needed =
            self.caller.transport != Transport::LongPolling && self.pinged_after != Some(last_taken);
        // A Ping must not be what fills the outbox of a client that is slow.
        if is_needed && let Some(Ok(())) = self.caller.outbox.room().now_or_never() {
            self.pinged_after = Some(last_taken);
            self.push(&Outgoing::Ping);
        }
    }

    fn push(&self, message: &Outgoing<'_>) {
        // A connection that ends is noticed by its input.
        let _ = self.caller.outbox.push(&self.caller.codec.encode(message), false);
    }

    fn release_countable(&mut self) {
        self.countable_at = None;
        self.caller.outbox.release_countable();
    }
}

impl<H> Drop for Session<H> {
    fn drop(&mut self) {
        if let Some(busy) = &mut self.busy {
            busy.end_uploads();
        }
    }
}

/// What comes, if it may; `None` when the client has gone.
async fn next_received(input: &mut Input, may_read: bool) -> Option<Received> {
    if may_read {
        return input.next().await;
    }
    input.ended().await;
    None
}

async fn next_finished(busy: &mut Option<Box<Busy>>) -> Finished {
    match busy {
        Some(busy) => poll_fn(|context| busy.poll_finished(context)).await,
        None => pending().await,
    }
}
