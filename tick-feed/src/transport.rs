//! How frames get from an ingester to a host. One trait for each end, one conformance suite,
//! every implementation.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::Frame;

mod in_process;

pub use in_process::{InProcessReceiver, InProcessSender, in_process};

/// The ingester's end.
pub trait FrameSender: Send {
    /// Hands a frame over; waits while the other end is behind by the transport's bound. Within a
    /// process that is as long as the other end lives, as a strategy may take its time over a tick, and
    /// a process may be stopped and go on: how slow is too slow only a person can say.
    ///
    /// # Errors
    /// The other end has gone; or ticks have to be sent again that were sent before:
    /// [`TransportError::Rewound`].
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError>;

    /// How long until a frame of this shard, however small, would leave at once; until then it is
    /// better to gather on. [`Duration::MAX`] where that is not known.
    fn delay(&self, _shard: u16) -> Duration {
        Duration::ZERO
    }
}

/// Sees frames on their way to a sender, in the order of their shards. What it does is done before a frame is sent.
pub trait FrameObserver: fmt::Debug + Send + Sync {
    /// Sees a frame, which may be one that is sent again.
    fn on_frame(&self, frame: &Frame);
}

/// A sender whose frames somebody sees.
#[derive(Debug)]
pub struct Observed<S> {
    sender: S,
    observer: Option<Arc<dyn FrameObserver>>,
}

impl<S: FrameSender> Observed<S> {
    /// Without an observer it only sends.
    pub fn new(sender: S, observer: Option<Arc<dyn FrameObserver>>) -> Self {
        Self { sender, observer }
    }
}

impl<S: FrameSender> FrameSender for Observed<S> {
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError> {
        if let Some(observer) = &self.observer {
            observer.on_frame(&frame);
        }
        self.sender.send(frame)
    }

    fn delay(&self, shard: u16) -> Duration {
        self.sender.delay(shard)
    }
}

/// The host's end.
///
/// Within a process a frame that was received is done with, and that is what the methods beside
/// [`receive`](Self::receive) do by themselves: nothing. Over a broker a frame is kept there until it
/// is acknowledged, shards are assigned and revoked, and what was lost is requested again.
pub trait FrameReceiver: Send {
    /// The next frame, in the order of sending within its shard, or what happened to a shard; `None`
    /// if there was nothing for `timeout`.
    ///
    /// # Errors
    /// The other end has gone, and every frame it sent was received.
    fn receive(&mut self, timeout: Duration) -> Result<Option<Arrival>, TransportError>;

    /// Whether frames that were lost can be requested again, and shards be released. If not, a gap or a
    /// lost claim is the end.
    fn repairs(&self) -> bool {
        false
    }

    /// The first sequence number that this end is given of a shard that nobody has claimed yet.
    fn begins_at(&self, _shard: u16) -> u64 {
        0
    }

    /// Everything of this shard before `stored_seq` is in a stored state, and need not be sent
    /// again; [`u64::MAX`] includes the end of the run.
    fn acknowledge(&mut self, _shard: u16, _stored_seq: u64) {}

    /// Drops a frame that came before its time: it will be sent again.
    fn discard(&mut self, _receipt: Receipt) {}

    /// Requests everything of this shard from `from_seq` on; a frame of `attempt` showed that it is
    /// missing.
    fn request_resend(&mut self, _shard: u16, _from_seq: u64, _attempt: u32) {}

    /// Requests the names of all instruments of this shard.
    fn request_dictionary(&mut self, _shard: u16) {}

    /// Releases a shard: what of it is not acknowledged goes to whoever has it next, perhaps to
    /// this end again.
    fn release(&mut self, _shard: u16) {}

    /// Whether so many frames wait for a stored state that soon none will come any more.
    fn is_prefetch_half_full(&self) -> bool {
        false
    }

    /// Takes more unacknowledged frames of this shard than the limit allows: no state can be stored
    /// before a sequence number that lies beyond them. May be called at every turn: a request is made
    /// only where no more frames can come, and one at a time.
    ///
    /// # Errors
    /// [`TransportError::PrefetchExhausted`]: they are as many as ever may be.
    fn grow_prefetch(&mut self, _shard: u16) -> Result<(), TransportError> {
        Ok(())
    }
}

/// What came from the other end.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// A frame.
    Frame(Arc<Frame>, Receipt),
    /// This end is to finish what it has of the shard, store it, and
    /// [release](FrameReceiver::release) it.
    Revoked {
        /// The shard.
        shard: u16,
    },
    /// Everything of the shard was published, the end of the run included.
    Published {
        /// The shard.
        shard: u16,
        /// The sequence number after its last tick.
        end_seq: u64,
        /// The attempt that published it.
        attempt: u32,
    },
    /// Ticks of the shard cannot be had again.
    Gone {
        /// The shard.
        shard: u16,
        /// The first one that is gone.
        from_seq: u64,
        /// Why.
        reason: String,
    },
}

/// Names one delivery of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The shard.
    pub shard: u16,
    /// Which of this end's subscriptions to the shard it came by.
    pub link: u32,
    /// Its number there.
    pub tag: u64,
}

/// A transport that can carry nothing more.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TransportError {
    /// The other end has gone.
    #[error("the other end of the transport has closed")]
    Closed,
    /// Ticks that were sent before have to be sent again: the feed has to begin anew, from where the
    /// sender's `restart` has it.
    #[error("ticks that were sent before have to be sent again")]
    Rewound,
    /// A shard's committed cursor lies too far beyond its stored state.
    #[error(
        "shard {shard}: no state can be stored within {frames} unacknowledged frames of {bytes} bytes, \
         and no more may be unacknowledged\n  start it again with larger --prefetch-bytes"
    )]
    PrefetchExhausted {
        /// The shard.
        shard: u16,
        /// How many frames are unacknowledged.
        frames: usize,
        /// Their bytes.
        bytes: usize,
    },
}

#[cfg(test)]
mod conformance;
