//! The event loop of what waits for brokers on its caller's thread.

use broker::BrokerError;
use tokio::runtime::{Builder, Runtime};

/// An event loop for a thread that has none.
///
/// # Errors
/// The system gives it no file descriptors.
pub fn event_loop() -> Result<Runtime, BrokerError> {
    Builder::new_current_thread().enable_all().build().map_err(|error| BrokerError::Other {
        url: "of this feed".to_owned(),
        reason: format!("no event loop can be made: {error}"),
    })
}
