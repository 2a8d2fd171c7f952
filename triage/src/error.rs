//! What stands between an operator and a failed message.

use broker::BrokerError;
use broker::management::ManagementError;
use thiserror::Error;

use crate::record::RecordError;

/// Why failed messages cannot be looked at, or not be moved on.
#[derive(Debug, Error)]
pub enum TriageError {
    /// The broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The management API, where it was asked for by its address.
    #[error(transparent)]
    Management(#[from] ManagementError),
    /// What is discarded cannot be written down, so it stays.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The queue does not take back what was looked at.
    #[error(
        "queue {queue} takes no copy of what was looked at: it {reason}\n  \
         its messages are back in it, and this look is counted by its delivery limit"
    )]
    NotRenewed {
        /// The queue.
        queue: String,
        /// What the broker did.
        reason: String,
    },
    /// Every look at this queue may lose what is in it.
    #[error(
        "queue {queue} has a delivery limit of {limit}: whoever looks at it and is interrupted loses messages\n  \
         give it a limit of 1 or more, or none"
    )]
    Unsafe {
        /// The queue.
        queue: String,
        /// Its limit.
        limit: i64,
    },
    /// The connection ended in the middle.
    #[error(
        "ended after {done} of the selected messages: {source}\n  \
         the last ones may be in both places, with the same message id; run it again for the others"
    )]
    Interrupted {
        /// So many had their place when it ended.
        done: u64,
        /// Why.
        source: Box<Self>,
    },
}
