//! Frames between threads: a bounded crossbeam channel. Nothing is copied or encoded.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};
use tracing::warn;

use super::{Arrival, FrameReceiver, FrameSender, Receipt, TransportError};
use crate::Frame;

/// A receiver that takes nothing for so long is reported, each time anew. It is waited for all the same.
const REPORT_AFTER: Duration = Duration::from_secs(60);

/// The ingester's end of [`in_process`].
#[derive(Clone, Debug)]
pub struct InProcessSender(Sender<Arc<Frame>>);

/// The host's end of [`in_process`].
#[derive(Debug)]
pub struct InProcessReceiver(Receiver<Arc<Frame>>);

/// A transport that holds at most `frames` frames; a sender then waits for as long as the receiver
/// lives. One whose thread ends, in whatever way, is dropped with it, which the sender sees at once.
pub fn in_process(frames: usize) -> (InProcessSender, InProcessReceiver) {
    let (sender, receiver) = bounded(frames);
    (InProcessSender(sender), InProcessReceiver(receiver))
}

impl InProcessSender {
    #[cold]
    fn wait_for_room(&self, frame: Arc<Frame>, report_after: Duration) -> Result<(), TransportError> {
        let mut frame = frame;
        loop {
            match self.0.send_timeout(frame, report_after) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Disconnected(_)) => return Err(TransportError::Closed),
                Err(SendTimeoutError::Timeout(back)) => {
                    let shard = back.header.shard;
                    warn!(shard, ?report_after, "a strategy takes no frame; it is waited for");
                    frame = back;
                }
            }
        }
    }
}

impl FrameSender for InProcessSender {
    #[inline]
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError> {
        match self.0.try_send(frame) {
            Ok(()) => Ok(()),
            Err(refused) => self.wait_for_room(refused.into_inner(), REPORT_AFTER),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameFlags, FrameHeader};
    use tick_sdk::names::RunId;

    fn frame(first_seq: u64) -> Arc<Frame> {
        let header = FrameHeader {
            run: RunId([1; 16]),
            shard: 0,
            shards: 1,
            attempt: 0,
            first_seq,
            published_at: 0,
            watermark: 0,
            flags: FrameFlags::HEARTBEAT,
        };
        Arc::new(Frame::owned(header, Vec::new()))
    }

    #[test]
    fn a_receiver_that_is_slow_is_waited_for_however_often_that_is_reported() {
        const REPORT: Duration = Duration::from_millis(1);
        let (sender, mut receiver) = in_process(1);
        sender.send(frame(0)).unwrap();
        let (sent, is_sent) = bounded(1);
        let waiting = sender.clone();
        std::thread::spawn(move || sent.send(waiting.wait_for_room(frame(1), REPORT)));
        // Many reports later it still waits.
        assert!(is_sent.recv_timeout(REPORT * 100).is_err());
        let Ok(Some(Arrival::Frame(first, _))) = receiver.receive(REPORT) else { panic!("one waits") };
        assert_eq!(first.header.first_seq, 0);
        assert_eq!(is_sent.recv(), Ok(Ok(())));
    }

    #[test]
    fn a_receiver_that_dies_while_the_sender_waits_is_seen() {
        let (sender, receiver) = in_process(1);
        sender.send(frame(0)).unwrap();
        let (sent, is_sent) = bounded(1);
        let waiting = sender.clone();
        std::thread::spawn(move || sent.send(waiting.send(frame(1))));
        let worker = std::thread::spawn(move || {
            let _receiver = receiver;
            panic!("a strategy's bug");
        });
        assert!(worker.join().is_err());
        assert_eq!(is_sent.recv(), Ok(Err(TransportError::Closed)));
    }
}
