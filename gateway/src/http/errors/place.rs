//! The broker, one request after the other, and what is answered where it does not.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use broker::BrokerUrl;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use triage::{Sight, Triage, TriageError};

use crate::http::refusal::Refusal;

/// A request waits so long for those before it.
const LONGEST_TURN: Duration = Duration::from_secs(10);
/// And takes so long itself. What it has got from a queue then is back in it, which a quorum queue counts.
const LONGEST: Duration = Duration::from_secs(60);
/// A broker that went away is asked again after so many seconds.
const RETRY_AFTER_S: u32 = 5;

/// Where messages that failed are, and where what is discarded of them is written down.
#[derive(Clone, Debug)]
pub struct FailedMessages {
    /// The broker's nodes: the first that answers is asked.
    pub nodes: Vec<BrokerUrl>,
    /// How its queues are found.
    pub sight: Sight,
    /// The file of what is discarded, to which each message is appended as a line of JSON: see
    /// [`triage::Record`].
    pub record: PathBuf,
}

/// The broker as requests ask it.
pub(crate) struct Errors {
    place: FailedMessages,
    /// One looks at a time: what one has taken off a queue to look at, another would not see.
    turn: Arc<Semaphore>,
}

impl Errors {
    pub(crate) fn new(place: FailedMessages) -> Self {
        Self { place, turn: Arc::new(Semaphore::new(1)) }
    }

    /// The file of what is discarded.
    pub(super) fn record(&self) -> &Path {
        &self.place.record
    }

    /// Does this work when it is its turn, and to its end, though nobody waited for the answer: what is dropped in the
    /// middle of a look would be counted by a quorum queue.
    pub(super) async fn in_turn<T: Send + 'static>(
        self: Arc<Self>,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        let busy = || {
            let detail = "other requests look at messages that failed: ask again";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
        };
        let turn = timeout(LONGEST_TURN, self.turn.clone().acquire_owned()).await;
        // It is never closed.
        let turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
        let task = tokio::spawn(async move {
            let _turn = turn;
            timeout(LONGEST, work).await.unwrap_or_else(|_| {
                let seconds = LONGEST.as_secs();
                Err(away(&format!("it took longer than {seconds} s")))
            })
        });
        task.await.unwrap_or_else(|error| {
            let detail = "a defect of the gateway; its log says more";
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, detail).caused_by(error))
        })
    }

    pub(super) async fn open(&self) -> Result<Triage, Refusal> {
        let mut refusal = away(&"no node is named");
        for node in &self.place.nodes {
            match Triage::open(node, self.place.sight.clone()).await {
                Ok(triage) => return Ok(triage),
                Err(error) => refusal = refused(error),
            }
        }
        Err(refusal)
    }
}

/// What is answered for an error. What a broker says may name users and machines, so the log has it.
pub(super) fn refused(error: TriageError) -> Refusal {
    match error {
        TriageError::Broker(_) | TriageError::Management(_) => away(&error),
        TriageError::Record(_) => unwritten(&error),
        TriageError::NotRenewed { .. } | TriageError::Unsafe { .. } => {
            Refusal::new(StatusCode::CONFLICT, error.to_string())
        }
        TriageError::Interrupted { done, source } => refused(*source).preceded_by(&format!(
            "{done} of the selected messages are done, of which the last ones may be in both places, with the same message \
             id; then "
        )),
    }
}

fn away(cause: &impl Display) -> Refusal {
    let detail = "the broker does not answer now; the log says why";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_AFTER_S).caused_by(cause)
}

/// Nothing is discarded that is not written down.
pub(super) fn unwritten(cause: &impl Display) -> Refusal {
    let detail = "what is discarded cannot be written down, so it stays; the log says why";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_AFTER_S).caused_by(cause)
}
