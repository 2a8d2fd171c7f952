//! Moves messages to the queues beside an endpoint's own.
//!
//! A message is acknowledged when its new queue has confirmed it, and not before. While that queue takes nothing it
//! stays in hand, unacknowledged, and is tried again: returned to its queue it would come again at once, and a
//! quorum queue counts returns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::Outcome;
use tokio::sync::mpsc::UnboundedSender;

use super::Receiver;
use crate::lane::Settled;
use crate::wire::{Publication, Target};

/// The first pause before a message is tried again, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(10)];
/// It is said again so often that messages cannot be moved.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// One message, and what is published instead of it: a fault and the message itself.
pub(super) struct Moved {
    pub(super) tag: u64,
    pub(super) publications: Vec<Publication>,
}

impl Receiver {
    /// Tries until all are where they belong, or nobody waits for that any more.
    pub(super) async fn move_all(self: Arc<Self>, moved: Vec<Moved>, to: UnboundedSender<Settled>) {
        let (endpoint, session) = (self.endpoint.as_str(), &self.session);
        let (mut tags, mut publications) = (Vec::new(), Vec::new());
        for Moved { tag, publications: of_message } in moved {
            for publication in of_message {
                tags.push(tag);
                publications.push(publication);
            }
        }
        let mut outcomes = vec![None; publications.len()];
        let (mut pause, mut said, mut is_obstacle) = (PAUSES[0], None::<Instant>, false);
        loop {
            session.spend(outcomes.iter().filter(|outcome| outcome.is_none()).count()).await;
            if session.deliver_once(&publications, &mut outcomes).await.is_none() {
                return;
            }
            let mut reason = None;
            for (publication, outcome) in publications.iter().zip(&mut outcomes) {
                let is_moved = matches!(publication.target, Target::Moved { .. });
                match outcome {
                    Some(Ok(Outcome::Confirmed)) => {}
                    None if is_moved => reason = Some("it refuses them: it is full, or failed".to_owned()),
                    Some(Ok(_)) if is_moved => reason = Some("it is not there".to_owned()),
                    Some(Err(error)) if is_moved => reason = Some(error.to_string()),
                    // A fault that nobody takes is of no use to anybody; a queue that is full may take it later.
                    None => {}
                    Some(other) => {
                        let exchange = publication.target.exchange();
                        tracing::warn!(endpoint, %exchange, outcome = ?other, "a fault was dropped");
                        *outcome = Some(Ok(Outcome::Confirmed));
                    }
                }
                if is_moved && !matches!(outcome, Some(Ok(Outcome::Confirmed))) {
                    *outcome = None;
                }
            }
            settle_moved(&mut tags, &mut publications, &mut outcomes, &to);
            if publications.is_empty() {
                if is_obstacle {
                    tracing::info!(endpoint, "messages that could not be moved are moved now");
                    session.note_obstacle(endpoint, None);
                }
                return;
            }
            if to.is_closed() {
                return;
            }
            if let Some(reason) = reason {
                is_obstacle = true;
                let obstacle = obstacle(endpoint, &publications, &reason);
                if said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
                    said = Some(Instant::now());
                    tracing::error!(endpoint, "{obstacle}");
                }
                session.note_obstacle(endpoint, Some(obstacle));
            }
            session.pause(pause).await;
            pause = (pause * 2).min(PAUSES[1]);
            if session.is_stopping() || to.is_closed() {
                return;
            }
        }
    }
}

/// Says what is where it belongs, and keeps the rest.
fn settle_moved(
    tags: &mut Vec<u64>,
    publications: &mut Vec<Publication>,
    outcomes: &mut Vec<Option<Result<Outcome, broker::BrokerError>>>,
    to: &UnboundedSender<Settled>,
) {
    let is_left = |tag: u64| {
        let mut of_message = tags.iter().zip(outcomes.iter()).filter(|(other, _)| **other == tag);
        of_message.any(|(_, outcome)| outcome.is_none())
    };
    let keep: Vec<bool> = tags.iter().map(|tag| is_left(*tag)).collect();
    let mut done: Vec<u64> =
        tags.iter().zip(&keep).filter(|(_, keep)| !**keep).map(|(tag, _)| *tag).collect();
    done.dedup();
    let mut kept = keep.iter();
    tags.retain(|_| *kept.next().unwrap_or(&false));
    let mut kept = keep.iter();
    publications.retain(|_| *kept.next().unwrap_or(&false));
    let mut kept = keep.iter();
    outcomes.retain(|_| *kept.next().unwrap_or(&false));
    if !done.is_empty() {
        // Where nobody receives any more, they come again.
        let _ = to.send(Settled::Done(done));
    }
}

/// Names the first of the messages, and where it cannot go.
fn obstacle(endpoint: &str, publications: &[Publication], reason: &str) -> String {
    let moved: Vec<_> =
        publications.iter().filter(|one| matches!(one.target, Target::Moved { .. })).collect();
    let first = moved.first().map(|first| first.target.exchange()).unwrap_or_default();
    let id =
        moved.first().and_then(|first| first.properties.message_id.as_deref()).unwrap_or("without an id");
    format!(
        "{} messages of {endpoint} cannot be moved to {first}, the first of them {id}: {reason}; they stay \
         unacknowledged, and it is tried again",
        moved.len()
    )
}
