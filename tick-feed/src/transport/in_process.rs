//! Frames between threads: a bounded crossbeam channel. Nothing is copied or encoded.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};

use super::{Arrival, FrameReceiver, FrameSender, Receipt, STALL_TIMEOUT, TransportError};
use crate::Frame;

/// The ingester's end of [`in_process`].
#[derive(Clone, Debug)]
pub struct InProcessSender(Sender<Arc<Frame>>);

/// The host's end of [`in_process`].
#[derive(Debug)]
pub struct InProcessReceiver(Receiver<Arc<Frame>>);

/// A transport that holds at most `frames` frames; a sender then waits.
pub fn in_process(frames: usize) -> (InProcessSender, InProcessReceiver) {
    let (sender, receiver) = bounded(frames);
    (InProcessSender(sender), InProcessReceiver(receiver))
}

impl FrameSender for InProcessSender {
    #[inline]
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError> {
        self.0.send_timeout(frame, STALL_TIMEOUT).map_err(|error| match error {
            SendTimeoutError::Timeout(_) => TransportError::Stalled,
            SendTimeoutError::Disconnected(_) => TransportError::Closed,
        })
    }
}

impl FrameReceiver for InProcessReceiver {
    #[inline]
    fn receive(&mut self, timeout: Duration) -> Result<Option<Arrival>, TransportError> {
        match self.0.recv_timeout(timeout) {
            Ok(frame) => Ok(Some(Arrival::Frame(frame, Receipt::default()))),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(TransportError::Closed),
        }
    }
}
