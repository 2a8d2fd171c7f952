//! What time it is.

use std::time::Instant;

/// Tokio's, which tests can stop.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
