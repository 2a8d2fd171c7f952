//! Who answers requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use tick_sdk::contracts::{AnswerTo, Contract, Request};

use crate::wire::{IncomingRequest, Publication, ReplyError, Stamp, Writer};

/// The answer to a request `R`: one of its contracts.
pub struct Answer<R> {
    write: Box<Write>,
    request: PhantomData<fn() -> R>,
}

type Write = dyn FnOnce(&IncomingRequest, &Writer, Stamp) -> Result<Publication, ReplyError> + Send;

impl<R: Request> Answer<R> {
    /// This contract is the answer.
    pub fn of<A: AnswerTo<R>>(answer: A) -> Self {
        let write = move |request: &IncomingRequest, writer: &Writer, stamp: Stamp| {
            writer.answer::<R, A>(request, &answer, stamp)
        };
        Self { write: Box::new(write), request: PhantomData }
    }
}

impl<R> fmt::Debug for Answer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

/// Why a request is not answered: who asks gets a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer {
    /// Why.
    pub reason: String,
}

impl NoAnswer {
    /// For this reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Answers requests of one contract; it may block.
type Respond = dyn Fn(&IncomingRequest, &Writer, Stamp) -> Result<Publication, NoAnswer> + Send + Sync;

/// Who answers which requests, by endpoint and contract.
#[derive(Clone, Default)]
pub(crate) struct Responders(BTreeMap<(&'static str, &'static str), Arc<Respond>>);

impl Responders {
    /// `respond` answers the requests of contract `R`; another that did is replaced.
    pub(crate) fn insert<R: Request>(
        &mut self,
        respond: impl Fn(R) -> Result<Answer<R>, NoAnswer> + Send + Sync + 'static,
    ) {
        let any = move |request: &IncomingRequest, writer: &Writer, stamp: Stamp| {
            let read = serde_json::from_str(&request.message);
            let read =
                read.map_err(|error| NoAnswer::because(format!("{} cannot be read: {error}", R::NAME)))?;
            let answer = respond(read)?;
            (answer.write)(request, writer, stamp).map_err(|error| NoAnswer::because(error.to_string()))
        };
        self.0.insert((R::ENDPOINT, <R as Contract>::NAME), Arc::new(any));
    }

    /// The endpoints that something is asked at.
    pub(crate) fn endpoints(&self) -> BTreeSet<&'static str> {
        self.0.keys().map(|(endpoint, _)| *endpoint).collect()
    }

    pub(super) fn find(&self, endpoint: &str, request: &str) -> Option<Arc<Respond>> {
        let mut all = self.0.iter();
        all.find(|((at, name), _)| *at == endpoint && *name == request).map(|(_, respond)| respond.clone())
    }
}

impl fmt::Debug for Responders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
