//! Messages that failed, on the gateway's broker.

use std::time::Duration;

use super::call::Call;
use super::{Client, ClientError, Items};
use crate::api::{
    DiscardErrorsBody, ErrorDetailView, ErrorQueueView, ErrorView, ErrorsDone, MoveErrorsBody,
    RequeueErrorsBody,
};

/// On top of the client's timeout: the gateway looks at one queue after the other, and at many messages.
const EXTRA_TIME: Duration = Duration::from_secs(60);

/// Which messages that failed: those that meet all that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorFilter {
    /// Only those whose type has this in it, in any case, as `CreateUser`.
    pub message_type: Option<String>,
    /// Only those whose reason or exception has this in it, in any case.
    pub reason: Option<String>,
    /// Only those that failed so long ago, or longer: `2h`, `30d`.
    pub older_than: Option<String>,
    /// Only those that failed since so long ago.
    pub newer_than: Option<String>,
}

impl Client {
    /// The queues of messages that failed, with how many, since when, and why the newest. Refused with status 409
    /// where the gateway runs without a broker.
    pub fn error_queues(&self) -> Items<ErrorQueueView> {
        self.items(Call::get(self, &["api", "errors"]).map(|call| call.extra_time(EXTRA_TIME)))
    }

    /// Messages of a queue that failed, the newest first.
    pub fn errors(&self, queue: &str, filter: &ErrorFilter) -> Items<ErrorView> {
        let ErrorFilter { message_type, reason, older_than, newer_than } = filter;
        let call = Call::get(self, &["api", "errors", queue]).map(|call| {
            call.query("type", message_type.as_deref())
                .query("reason", reason.as_deref())
                .query("olderThan", older_than.as_deref())
                .query("newerThan", newer_than.as_deref())
                .extra_time(EXTRA_TIME)
        });
        self.items(call)
    }

    /// A message that failed, by its own id, its message's or its command's.
    pub async fn error(&self, queue: &str, id: &str) -> Result<ErrorDetailView, ClientError> {
        self.read(Call::get(self, &["api", "errors", queue, id])?.extra_time(EXTRA_TIME)).await
    }

    /// Gives messages to the endpoint where they failed, as they were sent, with the same ids. Done when it is
    /// answered; it is not sent again of itself.
    pub async fn requeue_errors(
        &self,
        queue: &str,
        which: &RequeueErrorsBody,
    ) -> Result<ErrorsDone, ClientError> {
        let call = self.post(&["api", "errors", queue, "requeue"])?;
        self.read(call.extra_time(EXTRA_TIME).body(which)?).await
    }

    /// Gives messages to another queue, with the headers that say how they failed. Done when it is answered.
    pub async fn move_errors(&self, queue: &str, which: &MoveErrorsBody) -> Result<ErrorsDone, ClientError> {
        let call = self.post(&["api", "errors", queue, "move"])?;
        self.read(call.extra_time(EXTRA_TIME).body(which)?).await
    }

    /// Writes messages down in the server's folder of state, and removes them. Done when it is answered.
    pub async fn discard_errors(
        &self,
        queue: &str,
        which: &DiscardErrorsBody,
    ) -> Result<ErrorsDone, ClientError> {
        let call = self.post(&["api", "errors", queue, "discard"])?;
        self.read(call.extra_time(EXTRA_TIME).body(which)?).await
    }
}
