//! Places at which a test ends the process, as a kill -9 at that very moment would.

/// Ends the process here, with nothing closed or written on the way, where the environment's `ORCHARD_KILL_AT` is
/// this place, this point and the how many-th time it is passed: `accounts before-commit 3`.
///
/// Without the feature `testing` it is nothing: programs that are shipped have no such points.
#[cfg(not(feature = "testing"))]
#[inline(always)]
pub const fn kill_point(_place: &str, _point: &str) {}

#[cfg(feature = "testing")]
pub use armed::kill_point;

#[cfg(feature = "testing")]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Where this process is to end.
    struct Armed {
        place: String,
        point: String,
        /// So many times it is passed until then.
        left: AtomicU32,
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let text = std::env::var("ORCHARD_KILL_AT").ok()?;
        let mut words = text.split(' ').map(str::to_owned);
        let (place, point) = (words.next()?, words.next()?);
        let left = words.next()?.parse().ok()?;
        Some(Armed { place, point, left: AtomicU32::new(left) })
    });

    /// As the one without the feature says.
    pub fn kill_point(place: &str, point: &str) {
        let Some(armed) = &*ARMED else { return };
        if armed.place == place && armed.point == point && armed.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            eprintln!("killed: {place} {point}");
            std::process::abort();
        }
    }
}
