//! One call of a client, from its turn to its answer.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::future::{AbortHandle, Abortable, BoxFuture, FutureExt as _};
use futures_util::stream::StreamExt as _;
use tokio::sync::Semaphore;

use super::connection::Caller;
use super::context::Context;
use super::error::{Failure, HubError};
use super::filter::{Call, Next};
use super::methods::{Method, Returned, ReturnedKind, Run};
use super::registration::Items;
use super::serving::Core;
use super::slot::Slot;
use crate::message::{Outcome, Outgoing, Payload};

/// A call whose method is known and whose arguments are read.
pub(super) struct Bound<H> {
    pub(super) core: Arc<Core<H>>,
    pub(super) answer: Answer,
    pub(super) method: Arc<Method<H>>,
    pub(super) run: Run<H>,
    pub(super) is_stream: bool,
    pub(super) sent_streams: usize,
}

/// Where the answer of a call goes.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) caller: Arc<Caller>,
    /// `None` where the client wants no answer.
    pub(super) id: Option<Arc<str>>,
    /// As the client wrote it.
    pub(super) target: Arc<str>,
}

impl<H: Send + Sync + 'static> Bound<H> {
    /// Runs it when there is a slot for it, and answers.
    pub(super) async fn call(self, slots: Option<Arc<Semaphore>>) {
        let slot = match slots {
            Some(slots) => Some(Slot::take(slots, &self.answer.caller).await),
            None => None,
        };
        let answer = self.answer.clone();
        match caught(self.invoke(slot.clone())).await {
            Ok(Returned { kind: ReturnedKind::Value(value) }) => {
                answer.send(Outcome::Result(&value), false).await;
            }
            // The kinds were compared before the method ran; a filter may still have mixed them up.
            Ok(Returned { kind: ReturnedKind::Items(_) }) => answer.fail(&Failure::Streaming).await,
            Err(failure) => answer.fail(&failure).await,
        }
        if let Some(slot) = slot {
            slot.end();
        }
    }

    /// Runs it at once, and sends its items until the end or until the handle aborts it.
    pub(super) fn stream(self) -> (AbortHandle, impl Future<Output = ()> + Send) {
        let (handle, registration) = AbortHandle::new_pair();
        let answer = self.answer.clone();
        let items = Abortable::new(async move { self.send_items().await }, registration);
        let whole = async move {
            match items.await {
                // To the client a stream that it cancelled has ended.
                Ok(Ok(())) | Err(_) => answer.send(Outcome::Void, true).await,
                Ok(Err(failure)) => answer.fail(&failure).await,
            }
        };
        (handle, whole)
    }

    async fn send_items(self) -> Result<(), Failure> {
        let answer = self.answer.clone();
        match caught(self.invoke(None)).await? {
            Returned { kind: ReturnedKind::Items(items) } => answer.send_items(items).await,
            Returned { kind: ReturnedKind::Value(_) } => Err(Failure::NotStreaming),
        }
    }

    async fn invoke(self, slot: Option<Arc<Slot>>) -> Result<Returned, Failure> {
        let Self { core, answer, method, run, is_stream, sent_streams } = self;
        let context = Context::new(answer.caller, slot);
        if !method.allows(&context) {
            return Err(Failure::Method(HubError::unauthorized()));
        }
        method.check(is_stream, sent_streams)?;
        let call = Call::new(context.clone(), method.shape.name, is_stream);
        let hub = core.hub.clone();
        let mut next: BoxFuture<'_, _> = async move { run(hub, context).await }.boxed();
        for filter in core.filters.iter().rev() {
            next = filter.call(&call, Next::new(next));
        }
        next.await.map_err(Failure::Method)
    }
}

impl Answer {
    async fn send_items(&self, mut items: Items) -> Result<(), Failure> {
        let Some(id) = &self.id else { return Ok(()) };
        loop {
            let next = AssertUnwindSafe(items.next()).catch_unwind().await;
            let next = next.unwrap_or_else(|panic| Some(Err(HubError::panic(&*panic))));
            let Some(item) = next else { return Ok(()) };
            let item = item.map_err(Failure::Items)?;
            let message = Outgoing::StreamItem { id, item: &item };
            if self.caller.is_aborted() || self.caller.send(&message).await.is_err() {
                return Ok(());
            }
            // A stream that always has an item must not keep the connection's other work from its turn.
            tokio::task::coop::consume_budget().await;
        }
    }

    pub(super) async fn fail(&self, failure: &Failure) {
        self.log(failure);
        let text = failure.text(&self.target, self.caller.shared.options.detailed_errors);
        self.send(Outcome::Error(text), false).await;
    }

    async fn send(&self, outcome: Outcome<&Payload>, is_stream: bool) {
        let Some(id) = &self.id else { return };
        if self.caller.is_aborted() {
            return;
        }
        // Where it cannot be sent any more the connection has ended, and with it the need.
        let _ = self.caller.send(&Outgoing::Completion { id, outcome, is_stream }).await;
    }

    fn log(&self, failure: &Failure) {
        let Self { caller, target, .. } = self;
        match failure.fault() {
            Some(error) => {
                tracing::error!(connection = %caller.id, method = ?target, "method failed: {error:?}")
            }
            None => tracing::debug!(connection = %caller.id, method = ?target, "call refused: {failure:?}"),
        }
    }
}

/// A panic is an error of the method.
async fn caught(method: impl Future<Output = Result<Returned, Failure>>) -> Result<Returned, Failure> {
    let returned = AssertUnwindSafe(method).catch_unwind().await;
    returned.unwrap_or_else(|panic| Err(Failure::Method(HubError::panic(&*panic))))
}
