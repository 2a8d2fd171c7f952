//! Questions to one client, which it answers.

use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::connection::Caller;
use crate::events::{EventArguments, Question};
use crate::message::{Outcome, Outgoing, Payload};

/// A question that was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The client answered with an error.
    #[error("{0}")]
    Client(String),
    /// The client's answer is not of the type that was asked for.
    #[error("the client's answer cannot be read: {0}")]
    Answer(String),
    /// An argument cannot be encoded.
    #[error("an argument of the question cannot be encoded: {0}")]
    Argument(String),
    /// So many questions already wait for an answer of this client.
    #[error("the client has not answered {0} earlier questions")]
    TooMany(usize),
    /// The connection has ended, or is none of this instance.
    #[error("the connection has ended")]
    Ended,
}

/// The questions to one connection that wait for an answer.
#[derive(Debug, Default)]
pub(super) struct Asked {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    has_ended: bool,
    // Nearly always empty, and never long: a list is smaller than a map.
    questions: Vec<(u64, oneshot::Sender<Outcome<Payload>>)>,
}

impl Asked {
    fn add(&self, number: u64, limit: usize) -> Result<oneshot::Receiver<Outcome<Payload>>, AskError> {
        let mut waiting = self.lock();
        if waiting.has_ended {
            return Err(AskError::Ended);
        }
        if waiting.questions.len() >= limit {
            return Err(AskError::TooMany(limit));
        }
        let (answer, receiver) = oneshot::channel();
        waiting.questions.push((number, answer));
        Ok(receiver)
    }

    fn remove(&self, number: u64) -> Option<oneshot::Sender<Outcome<Payload>>> {
        let mut waiting = self.lock();
        let place = waiting.questions.iter().position(|(waiting, _)| *waiting == number)?;
        let question = waiting.questions.swap_remove(place);
        if waiting.questions.is_empty() {
            waiting.questions = Vec::new();
        }
        Some(question.1)
    }

    /// Whether the id is that of a question that waits; its outcome is passed on.
    pub(super) fn is_answered(&self, id: &str, outcome: &Outcome<Payload>) -> bool {
        let number = id.strip_prefix('s').and_then(|number| number.parse().ok());
        let Some(question) = number.and_then(|number| self.remove(number)) else { return false };
        // Who asked may have stopped waiting meanwhile.
        let _ = question.send(outcome.clone());
        true
    }

    /// All that wait learn that the connection has ended.
    pub(super) fn end(&self) {
        let mut waiting = self.lock();
        waiting.has_ended = true;
        waiting.questions = Vec::new();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the question when nobody waits for its answer any more.
struct Forget<'a> {
    asked: &'a Asked,
    number: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.asked.remove(self.number);
    }
}

pub(super) async fn ask<A: EventArguments, R: DeserializeOwned>(
    caller: &Arc<Caller>,
    question: &Question<A, R>,
    arguments: A,
) -> Result<R, AskError> {
    let arguments = arguments.payload(caller.codec).map_err(|error| AskError::Argument(error.to_string()))?;
    let number = caller.shared.next_question();
    let answer = caller.asked.add(number, caller.shared.options.max_pending_invocations)?;
    let _forget = Forget { asked: &caller.asked, number };
    let id = format!("s{number}");
    let message = Outgoing::Invocation { id: Some(&id), target: question.name, arguments: &arguments };
    caller.send(&message).await.map_err(|_| AskError::Ended)?;
    match answer.await {
        Ok(Outcome::Result(answer)) => answer.read().map_err(|error| AskError::Answer(error.to_string())),
        Ok(Outcome::Void) => {
            caller.null().read().map_err(|_| AskError::Answer("there is no result in it".to_owned()))
        }
        Ok(Outcome::Error(text)) => Err(AskError::Client(text)),
        Err(_) => Err(AskError::Ended),
    }
}
