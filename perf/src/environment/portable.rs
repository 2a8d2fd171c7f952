//! Where there is no `/proc` nothing is known of the machine, and results say 0: latencies and rates, which are
//! what is measured, need none of it.

use std::time::Duration;

/// The processor's name.
pub(super) const fn processor() -> Option<String> {
    None
}

/// The machine's memory.
pub(super) const fn memory_bytes() -> Option<u64> {
    None
}

/// The kernel's release.
pub(super) const fn kernel() -> Option<String> {
    None
}

/// All time, and that which was not idle.
pub(super) const fn processor_time() -> Option<(u64, u64)> {
    None
}

/// This process's anonymous memory, in bytes.
pub(crate) const fn memory() -> u64 {
    0
}

/// What all of this process's threads have taken of the cores.
pub(crate) const fn cpu_time() -> Duration {
    Duration::ZERO
}

/// This process's open files.
pub(crate) const fn open_files() -> u64 {
    0
}
