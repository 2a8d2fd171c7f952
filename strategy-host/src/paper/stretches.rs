//! Stretches of receive time: as fine as their number may be, aligned to the UNIX epoch.

/// The most stretches of a run. An account is valued when the recorder of prices closes a bucket, and it has 512 of them
/// on a grid of powers of two, so at least 256: finer stretches would have no values of their own.
pub(super) const MAX_STRETCHES: u64 = 256;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
/// An hour in ns.
pub(super) const HOUR: u64 = 60 * MINUTE;
/// A day in ns.
pub(super) const DAY: u64 = 24 * HOUR;

/// Each divides the next one; after the last one they double.
const LENGTHS: [u64; 13] = [
    SECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    4 * HOUR,
    12 * HOUR,
    DAY,
    7 * DAY,
];

/// The finest length.
pub(super) const FINEST: u64 = LENGTHS[0];

/// The shortest length of at least `length` with which these times touch at most [`MAX_STRETCHES`].
pub(super) fn length_for(first: u64, last: u64, length: u64) -> u64 {
    let mut length = length;
    while count(first, last, length) > MAX_STRETCHES {
        let longer = LENGTHS.iter().copied().find(|&longer| longer > length);
        length = longer.unwrap_or_else(|| length.saturating_mul(2));
    }
    length
}

/// How many stretches these times touch.
pub(super) const fn count(first: u64, last: u64, length: u64) -> u64 {
    (last / length).saturating_sub(first / length) + 1
}
