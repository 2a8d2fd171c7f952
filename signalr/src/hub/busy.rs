//! What a connection does beside waiting: its calls, its streams in both directions, and what waits for its turn. An idle
//! connection has none of it in memory.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};

use futures_util::future::{AbortHandle, BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Semaphore;

use super::connection::Caller;
use super::error::{Failure, HubError};
use super::invocation::{Answer, Bound};
use super::methods::key;
use super::serving::Core;
use super::upload::{Pipe, UploadError};
use crate::message::{Incoming, Invocation, Outcome};

pub(super) struct Busy {
    calls: FuturesUnordered<BoxFuture<'static, Finished>>,
    slots: Arc<Semaphore>,
    /// Calls that have or wait for a slot, or had one and gave it free.
    slotted: usize,
    streams: HashMap<Arc<str>, AbortHandle>,
    uploads: HashMap<String, Arc<Pipe>>,
    /// Messages that wait, in their order, for the client to be let in or for earlier calls.
    backlog: VecDeque<Incoming>,
    backlog_bytes: usize,
    /// `on_connected` has not returned yet: whatever the client calls waits for it.
    pub(super) is_connecting: bool,
}

/// What has come to its end.
pub(super) enum Finished {
    Connected(Result<(), HubError>),
    Call { is_slotted: bool },
    Stream(Arc<str>),
}

impl Busy {
    pub(super) fn new(max_parallel_invocations: usize) -> Self {
        Self {
            calls: FuturesUnordered::new(),
            slots: Arc::new(Semaphore::new(max_parallel_invocations.max(1))),
            slotted: 0,
            streams: HashMap::new(),
            uploads: HashMap::new(),
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            is_connecting: false,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.backlog.is_empty() && self.uploads.values().all(|pipe| pipe.is_over())
    }

    /// Whether calls are under way that the client expects an answer of.
    pub(super) fn has_calls(&self) -> bool {
        self.calls.len() > self.streams.len()
    }

    /// Runs beside the calls.
    pub(super) fn connecting(&mut self, connected: BoxFuture<'static, Result<(), HubError>>) {
        self.is_connecting = true;
        self.calls.push(connected.map(Finished::Connected).boxed());
    }

    /// What has finished; never ready while nothing runs.
    pub(super) fn poll_finished(&mut self, context: &mut TaskContext<'_>) -> Poll<Finished> {
        match self.calls.poll_next_unpin(context) {
            Poll::Ready(Some(finished)) => {
                self.note(&finished);
                Poll::Ready(finished)
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn note(&mut self, finished: &Finished) {
        match finished {
            Finished::Connected(_) => self.is_connecting = false,
            Finished::Call { is_slotted } => self.slotted -= usize::from(*is_slotted),
            Finished::Stream(id) => {
                self.streams.remove(id);
            }
        }
        self.uploads.retain(|_, pipe| !pipe.is_over());
    }

    /// Whether the session may read on: messages that wait are bounded.
    pub(super) fn has_room(&self, limit: usize, limit_bytes: usize) -> bool {
        match self.is_connecting {
            true => self.backlog.len() < limit && self.backlog_bytes < limit_bytes,
            false => self.backlog.is_empty(),
        }
    }

    /// Acts on a message, or lets it wait behind those that wait.
    pub(super) fn take<H: Send + Sync + 'static>(
        &mut self,
        core: &Arc<Core<H>>,
        caller: &Arc<Caller>,
        message: Incoming,
    ) {
        if self.is_connecting || !self.backlog.is_empty() {
            self.wait(message);
        } else if let Err(message) = self.act(core, caller, message) {
            self.wait(message);
        }
    }

    /// Acts on the first of those that wait, if it is its turn.
    pub(super) fn take_waiting<H: Send + Sync + 'static>(
        &mut self,
        core: &Arc<Core<H>>,
        caller: &Arc<Caller>,
    ) -> bool {
        if self.is_connecting {
            return false;
        }
        let Some(message) = self.backlog.pop_front() else { return false };
        let bytes = size(&message);
        if let Err(message) = self.act(core, caller, message) {
            self.backlog.push_front(message);
            return false;
        }
        self.backlog_bytes -= bytes;
        true
    }

    fn wait(&mut self, message: Incoming) {
        self.backlog_bytes += size(&message);
        self.backlog.push_back(message);
    }

    /// A call that has to wait comes back.
    fn act<H: Send + Sync + 'static>(
        &mut self,
        core: &Arc<Core<H>>,
        caller: &Arc<Caller>,
        message: Incoming,
    ) -> Result<(), Incoming> {
        match message {
            Incoming::Invocation(invocation) => self.invoke(core, caller, invocation)?,
            Incoming::StreamItem { id, item } => {
                if let Some(pipe) = self.uploads.get(&id) {
                    pipe.push(item);
                }
            }
            Incoming::Completion { id, outcome } => self.end_upload(&id, outcome),
            Incoming::CancelInvocation { id } => {
                if let Some(stream) = self.streams.get(&*id) {
                    stream.abort();
                }
            }
            Incoming::Ping | Incoming::Close { .. } | Incoming::Ack { .. } | Incoming::Sequence { .. } => {}
        }
        Ok(())
    }

    pub(super) fn has_upload(&self, id: &str) -> bool {
        self.uploads.contains_key(id)
    }

    fn end_upload<P>(&mut self, id: &str, outcome: Outcome<P>) {
        let Some(pipe) = self.uploads.remove(id) else { return };
        match outcome {
            Outcome::Error(text) => pipe.end(Err(UploadError::Client(text))),
            Outcome::Void | Outcome::Result(_) => pipe.end(Ok(())),
        }
    }

    fn invoke<H: Send + Sync + 'static>(
        &mut self,
        core: &Arc<Core<H>>,
        caller: &Arc<Caller>,
        invocation: Invocation,
    ) -> Result<(), Incoming> {
        let limit = caller.shared.options.max_pending_invocations;
        if self.calls.len() >= limit.max(1) {
            // Where a call runs that needs nothing of the client there will be room. Otherwise reading may be what it needs.
            if self.slotted > caller.unslotted.load(Ordering::Acquire) {
                return Err(Incoming::Invocation(invocation));
            }
            refuse_at_once(caller, &invocation, &Failure::TooMany(limit));
            return Ok(());
        }
        let answer = answer(caller, &invocation);
        if let Err(failure) = self.begin(core, &answer, &invocation) {
            let refusal = async move { answer.fail(&failure).await };
            self.calls.push(refusal.map(|()| Finished::Call { is_slotted: false }).boxed());
        }
        Ok(())
    }

    fn begin<H: Send + Sync + 'static>(
        &mut self,
        core: &Arc<Core<H>>,
        answer: &Answer,
        invocation: &Invocation,
    ) -> Result<(), Failure> {
        let Some(method) = core.methods.get(&*key(&invocation.target)) else {
            return Err(Failure::NoSuchMethod);
        };
        if core.is_stopping() {
            return Err(Failure::Stopping);
        }
        if let Some(id) = self.id_in_use(invocation) {
            return Err(Failure::IdInUse(id));
        }
        let caller = &answer.caller;
        let options = &caller.shared.options;
        let mut streams = invocation.stream_ids.as_slice();
        if self.uploads.len() + streams.len() > options.max_pending_invocations {
            return Err(Failure::TooMany(options.max_pending_invocations));
        }
        if method.check(invocation.is_stream, streams.len()).is_err() {
            // Nobody would read them.
            streams = &[];
        }
        let new_pipe = |_| Pipe::new(caller.clone(), options.max_upload_items);
        let pipes: Vec<_> = streams.iter().map(new_pipe).collect();
        // Reading the arguments runs code of the application.
        let run = catch_unwind(AssertUnwindSafe(|| method.bind(invocation, caller, &pipes)))
            .unwrap_or_else(|panic| Err(Failure::Method(HubError::panic(&*panic))))?;
        self.uploads.extend(streams.iter().cloned().zip(pipes));
        self.push(Bound {
            core: core.clone(),
            answer: answer.clone(),
            method: method.clone(),
            run,
            is_stream: invocation.is_stream,
            sent_streams: invocation.stream_ids.len(),
        });
        Ok(())
    }

    fn push<H: Send + Sync + 'static>(&mut self, bound: Bound<H>) {
        match bound.answer.id.clone() {
            Some(id) if bound.is_stream => {
                let (handle, stream) = bound.stream();
                self.streams.insert(id.clone(), handle);
                self.calls.push(stream.map(|()| Finished::Stream(id)).boxed());
            }
            _ => {
                let is_slotted = !bound.is_stream && !bound.method.has_uploads();
                self.slotted += usize::from(is_slotted);
                let call = bound.call(is_slotted.then(|| self.slots.clone()));
                self.calls.push(call.map(move |()| Finished::Call { is_slotted }).boxed());
            }
        }
    }

    /// Of a stream of either direction that is still open.
    fn id_in_use(&self, invocation: &Invocation) -> Option<String> {
        let mut ids = HashSet::new();
        let upload = invocation
            .stream_ids
            .iter()
            .find(|id| self.uploads.get(*id).is_some_and(|pipe| !pipe.is_over()) || !ids.insert(*id));
        let stream = invocation
            .id
            .as_ref()
            .filter(|id| invocation.is_stream && self.streams.contains_key(id.as_str()));
        upload.or(stream).cloned()
    }

    /// The connection has ended: whoever still reads an upload learns it.
    pub(super) fn end_uploads(&mut self) {
        for (_, pipe) in self.uploads.drain() {
            pipe.end(Err(UploadError::Disconnected));
        }
    }
}

fn answer(caller: &Arc<Caller>, invocation: &Invocation) -> Answer {
    // An empty id is none.
    let id = invocation.id.as_deref().filter(|id| !id.is_empty()).map(Arc::from);
    Answer { caller: caller.clone(), id, target: Arc::from(&*invocation.target) }
}

/// Beyond the bound not even a refusal waits for room: a client that reads nothing loses the connection.
fn refuse_at_once(caller: &Arc<Caller>, invocation: &Invocation, failure: &Failure) {
    if let Some(id) = invocation.id.as_deref().filter(|id| !id.is_empty()) {
        let text = failure.text(&invocation.target, caller.shared.options.detailed_errors);
        let completion =
            crate::message::Outgoing::Completion { id, outcome: Outcome::Error(text), is_stream: false };
        let _ = caller.outbox.push(&caller.codec.encode(&completion), true);
    }
}

/// What a message that waits holds in memory, about.
fn size(message: &Incoming) -> usize {
    const MESSAGE_BYTES: usize = 128;
    MESSAGE_BYTES
        + match message {
            Incoming::Invocation(invocation) => {
                invocation.arguments.iter().map(|argument| argument.bytes.len()).sum()
            }
            Incoming::StreamItem { item, .. } => item.bytes.len(),
            _ => 0,
        }
}
