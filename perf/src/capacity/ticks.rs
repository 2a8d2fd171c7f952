//! What is moved: the ticks of a frame.

/// Ticks of one shard in one frame, and when the first and the last of them were due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    pub(super) shard: u16,
    pub(super) count: u64,
    /// In ns since the simulation's begin.
    pub(super) first_due: u64,
    /// In ns since the simulation's begin.
    pub(super) last_due: u64,
}
