//! What a lane counts.

/// What a lane counted in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneCounts {
    /// Ticks that the strategy was given.
    pub ticks: u64,
    /// Ticks left out because they had been taken before: on resume, all up to the stored state.
    pub duplicates: u64,
    /// Signals committed.
    pub signals: u64,
    /// Where the lane stands: the sequence number after its last tick.
    pub position: u64,
    /// Whether it has come to the run's end.
    pub ended: bool,
    /// How often missing ticks were requested.
    pub resend_requests: u64,
    /// Ticks that were missing for good, and accepted as such.
    pub skipped: u64,
    /// How often the lane was taken over from somebody, or claimed anew after a loss.
    pub takeovers: u64,
    /// How often somebody else took it over.
    pub fenced: u64,
}

impl LaneCounts {
    /// Adds what the same lane counted under an earlier claim.
    pub(in crate::host) fn add(&mut self, earlier: &Self) {
        self.ticks += earlier.ticks;
        self.duplicates += earlier.duplicates;
        self.signals += earlier.signals;
        self.resend_requests += earlier.resend_requests;
        self.skipped += earlier.skipped;
        self.takeovers += earlier.takeovers;
        self.fenced += earlier.fenced;
        self.position = self.position.max(earlier.position);
        self.ended |= earlier.ended;
    }
}
