//! Waiting for a condition: often looked at, never for ever.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Waits until there is something, and gives it.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, timeout: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < timeout, "{what}: not within {} s", timeout.as_secs_f32());
        pause(LOOK_EVERY);
    }
}

/// Waits until it is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, timeout: Duration, mut is_so: impl FnMut() -> bool) {
    wait_for(what, timeout, || is_so().then_some(()));
}

/// Lets time go by: the pace of disturbances, and between two looks.
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
