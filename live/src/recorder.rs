//! Whoever plays a source records it here.

use std::sync::{Arc, Mutex};

use tick_feed::Frame;
use tick_feed::transport::FrameObserver;

use crate::locked;
use crate::market::LiveMarket;
use crate::recording::Recording;

/// Takes every frame of one source. Dropped, the source has ended.
///
/// A tick costs a few ns, and allocates nothing. Ticks that are sent again are recorded once.
#[derive(Debug)]
pub struct Recorder {
    market: LiveMarket,
    pub(crate) id: u64,
    recording: Arc<Mutex<Recording>>,
}

impl Recorder {
    pub(crate) fn new(market: LiveMarket, id: u64, recording: Arc<Mutex<Recording>>) -> Self {
        Self { market, id, recording }
    }

    /// Sees the ticks of a frame, in the order of their shard.
    pub fn record(&self, frame: &Frame) {
        locked(&self.recording).record(frame);
    }
}

impl FrameObserver for Recorder {
    fn on_frame(&self, frame: &Frame) {
        self.record(frame);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.market.shared.end(self.id);
    }
}
