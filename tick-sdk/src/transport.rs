//! How frames get from an ingester to a host. One trait for each end, one conformance suite,
//! every implementation.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::Frame;

mod in_process;

pub use in_process::{InProcessReceiver, InProcessSender, in_process};

/// The ingester's end.
pub trait FrameSender: Send {
    /// Hands a frame over; waits while the other end is behind by the transport's bound.
    ///
    /// # Errors
    /// The other end has gone, or did not take anything for [`STALL_TIMEOUT`].
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError>;
}

/// The host's end.
pub trait FrameReceiver: Send {
    /// The next frame, in the order of sending; `None` if there was none for `timeout`.
    ///
    /// # Errors
    /// The other end has gone, and every frame it sent was received.
    fn receive(&self, timeout: Duration) -> Result<Option<Arc<Frame>>, TransportError>;
}

/// How long a sender waits for a receiver that takes nothing before it gives up.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// A transport that can carry nothing more.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TransportError {
    /// The other end has gone.
    #[error("the other end of the transport has closed")]
    Closed,
    /// The other end takes nothing.
    #[error("the other end of the transport has taken no frame for {} s", STALL_TIMEOUT.as_secs())]
    Stalled,
}

#[cfg(test)]
mod conformance;
