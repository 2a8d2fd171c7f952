//! One broker with its failed messages.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use broker::management::{ManagementError, QueueFacts};
use broker::{BrokerError, BrokerUrl, Connection, Delivery, Management};
use serde::Serialize;

use crate::action::{Acted, Acting, Action};
use crate::entry::{Entry, Shown};
use crate::error::TriageError;
use crate::filter::Selection;
use crate::queues::{FailedQueue, Found, Names, PATTERN, Sight, Source};
use crate::reading;
use crate::walk::Walk;

/// One broker, and how its queues are found.
#[derive(Debug)]
pub struct Triage {
    connection: Connection,
    sight: Sight,
}

/// What lies in one queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Survey {
    /// The queue.
    #[serde(flatten)]
    pub queue: FailedQueue,
    /// So many messages of it were looked at.
    pub looked_at: u64,
    /// So many of them are meant.
    pub selected: u64,
    /// When the first of them failed, or else was sent.
    pub oldest: Option<String>,
    /// When the last of them failed, or else was sent.
    pub newest: Option<String>,
    /// Why the last of them failed.
    pub newest_reason: Option<String>,
}

/// Messages of some queues.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// So many were looked at.
    pub looked_at: u64,
    /// Those that are meant.
    pub entries: Vec<Entry>,
    /// Whether there was no room for more of them.
    pub is_cut: bool,
}

impl Triage {
    /// Connects.
    ///
    /// # Errors
    /// The broker cannot be reached.
    pub async fn open(url: &BrokerUrl, sight: Sight) -> Result<Self, TriageError> {
        let connection = Connection::open(url, "orchard errors").await?;
        Ok(Self { connection, sight })
    }

    /// The broker.
    pub fn url(&self) -> &BrokerUrl {
        self.connection.url()
    }

    /// The queues of failed messages: those that are named; else all of the vhost where the management API answers,
    /// else those of known endpoints.
    ///
    /// # Errors
    /// The connection is lost; the management API was asked for by its address, and gives no answer.
    pub async fn find(&self, names: &Names) -> Result<Found, TriageError> {
        let given = names.given();
        match self.ask_management(&given).await {
            Ok((address, queues)) if given.is_empty() => {
                Ok(Found { queues, source: Source::Management { address } })
            }
            Ok((_, queues)) => Ok(Found { queues, source: Source::Named { looked_for: given.len() } }),
            Err(Unasked::Failed(error)) => Err(error),
            Err(Unasked::Absent(why)) => {
                let is_named = !given.is_empty();
                let wanted = if is_named { given } else { names.known() };
                let looked_for = wanted.len();
                let mut queues = Vec::new();
                for name in wanted {
                    queues.extend(self.counted(FailedQueue { name, ..FailedQueue::default() }).await?);
                }
                let source =
                    if is_named { Source::Named { looked_for } } else { Source::Known { looked_for, why } };
                Ok(Found { queues, source })
            }
        }
    }

    /// What the management API knows of the named queues, without names of all.
    async fn ask_management(&self, given: &BTreeSet<String>) -> Result<(String, Vec<FailedQueue>), Unasked> {
        let management = match &self.sight {
            Sight::ManagementBeside => Management::beside(self.url()),
            Sight::Management(address) => Management::at(address, self.url())?,
            Sight::ByName => return Err(Unasked::Absent("it was not to be asked".to_owned())),
        };
        let facts = match facts(&management, given).await {
            Err(error) if self.sight == Sight::ManagementBeside => {
                return Err(Unasked::Absent(error.to_string()));
            }
            facts => facts?,
        };
        let mut queues = Vec::new();
        for facts in facts {
            let delivery_limit = facts.delivery_limit().filter(|_| facts.queue_type == "quorum");
            let queue_type = Some(facts.queue_type).filter(|queue_type| !queue_type.is_empty());
            // Messages of a stream cannot be taken.
            if facts.exclusive || queue_type.as_deref() == Some("stream") {
                continue;
            }
            let queue =
                FailedQueue { name: facts.name, queue_type, delivery_limit, ..FailedQueue::default() };
            queues.extend(self.counted(queue).await?);
        }
        Ok((management.address(), queues))
    }

    /// With its number of messages now, as the management API's is some seconds old; `None` if it is not there.
    async fn counted(&self, queue: FailedQueue) -> Result<Option<FailedQueue>, BrokerError> {
        let channel = self.connection.open_channel().await?;
        match channel.inspect_queue(&queue.name).await {
            Err(BrokerError::NotFound { .. } | BrokerError::Locked { .. }) => Ok(None),
            Err(error) => Err(error),
            Ok(status) => {
                channel.close().await?;
                let kind = crate::entry::Kind::of_queue(&queue.name);
                let (messages, consumers) = (status.messages.into(), status.consumers);
                Ok(Some(FailedQueue { kind, messages, consumers, ..queue }))
            }
        }
    }

    /// What lies in a queue: how many, since when, and why the last one failed.
    ///
    /// # Errors
    /// See [`TriageError`].
    pub async fn survey(&self, queue: &FailedQueue, selection: &Selection) -> Result<Survey, TriageError> {
        let mut survey = Survey { queue: queue.clone(), ..Survey::default() };
        let Some(mut walk) = Walk::begin(&self.connection, queue, selection.scan).await? else {
            return Ok(survey);
        };
        loop {
            let page = walk.page().await?;
            if page.is_empty() {
                break;
            }
            for delivery in &page {
                survey.looked_at += 1;
                let entry = reading::entry(&queue.name, delivery);
                if selection.filter.takes(&entry) {
                    survey.add(entry);
                }
            }
            walk.put_back(&page.iter().collect::<Vec<_>>()).await?;
        }
        walk.end().await?;
        Ok(survey)
    }

    /// The messages that are meant, in the order of queues and of what is in them.
    ///
    /// # Errors
    /// See [`TriageError`].
    pub async fn entries(
        &self,
        queues: &[FailedQueue],
        selection: &Selection,
    ) -> Result<Listed, TriageError> {
        let mut listed = Listed::default();
        let mut add = |queue: &str, delivery: &Delivery| {
            listed.looked_at += 1;
            let entry = reading::entry(queue, delivery);
            if !selection.filter.takes(&entry) {
                return true;
            }
            listed.is_cut = listed.entries.len() as u64 >= selection.limit;
            if !listed.is_cut {
                listed.entries.push(entry);
            }
            !listed.is_cut
        };
        self.look(queues, selection, &mut add).await?;
        Ok(listed)
    }

    /// The messages that are meant, in full.
    ///
    /// # Errors
    /// See [`TriageError`].
    pub async fn show(
        &self,
        queues: &[FailedQueue],
        selection: &Selection,
    ) -> Result<Vec<Shown>, TriageError> {
        let mut shown = Vec::new();
        let mut add = |queue: &str, delivery: &Delivery| {
            if selection.filter.takes(&reading::entry(queue, delivery)) {
                shown.push(reading::shown(queue, delivery.clone()));
            }
            (shown.len() as u64) < selection.limit
        };
        self.look(queues, selection, &mut add).await?;
        Ok(shown)
    }

    /// Looks at each message until `goes_on` says that it is enough.
    async fn look(
        &self,
        queues: &[FailedQueue],
        selection: &Selection,
        goes_on: &mut (dyn FnMut(&str, &Delivery) -> bool + Send),
    ) -> Result<(), TriageError> {
        let mut is_enough = false;
        for queue in queues {
            if is_enough {
                break;
            }
            let Some(mut walk) = Walk::begin(&self.connection, queue, selection.scan).await? else {
                continue;
            };
            while !is_enough {
                let page = walk.page().await?;
                if page.is_empty() {
                    break;
                }
                is_enough = !page.iter().all(|delivery| goes_on(&queue.name, delivery));
                walk.put_back(&page.iter().collect::<Vec<_>>()).await?;
            }
            walk.end().await?;
        }
        Ok(())
    }

    /// Looks at what an action would be done with, and does nothing.
    ///
    /// # Errors
    /// See [`TriageError`].
    pub async fn dry_run(
        &self,
        queues: &[FailedQueue],
        selection: &Selection,
        action: &Action,
    ) -> Result<Acted, TriageError> {
        let stop = AtomicBool::new(false);
        let mut acting = Acting::new(&self.connection, selection, action, &stop);
        acting.is_dry = true;
        act(queues, acting).await
    }

    /// Does something with the messages that are meant, page by page, until `stop` is set. What has another place
    /// then is confirmed there before it is acknowledged here.
    ///
    /// # Errors
    /// [`TriageError::Interrupted`] says how many were done.
    pub async fn act(
        &self,
        queues: &[FailedQueue],
        selection: &Selection,
        action: &Action,
        stop: &AtomicBool,
    ) -> Result<Acted, TriageError> {
        act(queues, Acting::new(&self.connection, selection, action, stop)).await
    }

    /// Ends it, and waits until the broker knows, but not for one that is busy putting much back: what was asked for
    /// is done by then.
    pub async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "the session with the broker ended early");
        }
    }
}

async fn act(queues: &[FailedQueue], mut acting: Acting<'_>) -> Result<Acted, TriageError> {
    for queue in queues {
        if let Err(error) = acting.walk(queue).await {
            let done = acting.acted.done;
            return Err(TriageError::Interrupted { done, source: Box::new(error) });
        }
    }
    Ok(acting.acted)
}

/// Why the management API has not said anything.
enum Unasked {
    /// It is not there, which is no failure.
    Absent(String),
    Failed(TriageError),
}

impl<E: Into<TriageError>> From<E> for Unasked {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

async fn facts(
    management: &Management,
    given: &BTreeSet<String>,
) -> Result<Vec<QueueFacts>, ManagementError> {
    if given.is_empty() {
        return management.queues(PATTERN).await;
    }
    let mut facts = Vec::new();
    for name in given {
        facts.extend(management.queue(name).await?);
    }
    Ok(facts)
}

impl Survey {
    fn add(&mut self, entry: Entry) {
        self.selected += 1;
        let at = entry.failed_at.or(entry.sent_at);
        if let Some(at) = &at
            && self.oldest.as_ref().is_none_or(|oldest| at < oldest)
        {
            self.oldest = Some(at.clone());
        }
        let is_newest = match (&at, &self.newest) {
            (Some(at), Some(newest)) => at >= newest,
            (Some(_), None) => true,
            (None, newest) => newest.is_none(),
        };
        if is_newest {
            self.newest = at;
            self.newest_reason = Some(entry.reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only whether it compiles: a server carries any of these from thread to thread.
    #[allow(dead_code, reason = "compiling it is the test")]
    fn everything_can_be_asked_for_from_a_server(
        triage: &Triage,
        queues: &[FailedQueue],
        (selection, action): (&Selection, &Action),
        (names, stop): (&Names, &AtomicBool),
    ) {
        fn is_send<F: Send>(_: F) {}
        is_send(triage.find(names));
        is_send(triage.survey(&queues[0], selection));
        is_send(triage.entries(queues, selection));
        is_send(triage.show(queues, selection));
        is_send(triage.dry_run(queues, selection, action));
        is_send(triage.act(queues, selection, action, stop));
    }
}
