//! The bus over a real RabbitMQ, each test in a virtual host of its own.

mod at_once;
mod broker_of_test;
mod commands;
mod disturbed;
mod dotnet;
mod hearing;
mod peer;
mod proxy;
mod relay;
mod requests;
mod resuming;
#[cfg(feature = "postgres")]
mod sharing;
mod shop;

use std::time::{Duration, Instant};

/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until this gives something.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// Between looks at what is waited for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Waits until this is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(what, || is_so().then_some(()));
}
