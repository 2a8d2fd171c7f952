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
    /// The other end has gone, or did not take anything for [`STALL_TIMEOUT`]; or it wants ticks again
    /// that were sent before: [`TransportError::SetBack`].
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError>;

    /// How long until a frame of this shard, however small, would leave at once; until then it is
    /// better to gather on. [`Duration::MAX`] where that is not known.
    fn delay(&self, _shard: u16) -> Duration {
        Duration::ZERO
    }
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
    /// Ticks that were sent before are wanted again: the feed has to begin anew, from where the
    /// sender says.
    #[error("the transport wants ticks again that were sent before")]
    SetBack,
}

#[cfg(test)]
mod conformance;
