//! Answers to requests.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::Receiver;
use crate::lane::Settled;
use crate::wire::{Failure, IncomingRequest, Publication, Stamp};

/// A request is answered within this time, or not at all.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);

/// A request with the delivery that brought it.
pub(super) type Asked = (u64, Box<IncomingRequest>);

impl Receiver {
    /// Answers what is asked, all that waits at once, until nobody asks any more.
    pub(super) async fn answer_all(
        self: Arc<Self>,
        mut asked: UnboundedReceiver<Asked>,
        to: UnboundedSender<Settled>,
    ) {
        while let Some(first) = asked.recv().await {
            let mut requests = vec![first];
            while let Ok(next) = asked.try_recv() {
                requests.push(next);
            }
            let answering = requests.iter().map(|(_, request)| self.answer(request));
            futures_util::future::join_all(answering).await;
            // Where nobody receives any more they are asked again, and answered again.
            let _ = to.send(Settled::Done(requests.into_iter().map(|(tag, _)| tag).collect()));
        }
    }

    /// Answers a request, if whoever asked is there to hear it.
    async fn answer(&self, request: &IncomingRequest) {
        let (endpoint, name) = (self.endpoint.as_str(), request.name);
        let Some(publication) = self.answer_to(request).await else { return };
        self.session.spend(1).await;
        // After a loss requests may come again before there is a connection to answer by.
        let publisher = tokio::time::timeout(LONGEST_ANSWER, self.session.open_publisher()).await;
        let Ok(Some(publisher)) = publisher else {
            tracing::warn!(endpoint, request = name, "an answer was dropped: the broker takes nothing");
            return;
        };
        if let Err(error) = self.session.publish_now(&publisher, publication, LONGEST_ANSWER).await {
            tracing::info!(endpoint, request = name, %error, "an answer was dropped: nobody waits for it any more");
        }
    }

    async fn answer_to(&self, request: &IncomingRequest) -> Option<Publication> {
        let (endpoint, name) = (self.endpoint.as_str(), request.name);
        let reason = match self.responders.find(endpoint, name) {
            None => format!("nobody answers {name} in this process"),
            Some(respond) => {
                let (request, writer) = (request.clone(), self.writer.clone());
                let stamp = Stamp::new(crate::running::now_ms());
                let answering = tokio::task::spawn_blocking(move || respond(&request, &writer, stamp));
                match tokio::time::timeout(LONGEST_ANSWER, answering).await {
                    Ok(Ok(Ok(publication))) => return Some(publication),
                    Ok(Ok(Err(no_answer))) => no_answer.reason,
                    Ok(Err(panicked)) => format!("whoever answers {name} panicked: {panicked}"),
                    Err(_) => format!("{name} was not answered within {} s", LONGEST_ANSWER.as_secs()),
                }
            }
        };
        tracing::warn!(endpoint, request = name, %reason, "a request is not answered");
        let failure = Failure::of_handler(name, &reason, 1);
        match self.writer.fault_of_request(request, &failure, Stamp::new(crate::running::now_ms())) {
            Ok(fault) => Some(fault),
            Err(error) => {
                tracing::error!(endpoint, request = name, %error, "a fault could not be written");
                None
            }
        }
    }
}
