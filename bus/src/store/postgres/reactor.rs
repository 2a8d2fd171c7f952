//! Waiting for a server on a thread that blocks.
//!
//! Lanes have a runtime each that runs on their own thread, and within it no other may block. So connections
//! belong to a reactor, one thread for the whole process, which wakes whoever waits for them.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};

/// Made with the first store, and there until the process ends.
static REACTOR: Mutex<Option<Handle>> = Mutex::new(None);

/// A thread that waits looks at least so often: each wait has a deadline of its own, which this one is not.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The reactor that connections belong to.
pub(super) fn handle() -> std::io::Result<Handle> {
    let mut reactor = REACTOR.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*reactor {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("bus postgres".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    *reactor = Some(handle.clone());
    Ok(handle)
}

/// Waits for a future of the reactor's, on this thread.
pub(super) fn block_on<F: Future>(reactor: &Handle, future: F) -> F::Output {
    let _entered = reactor.enter();
    // Within a lane's runtime its budget for one poll would run out, and never be filled again.
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(done) => return done,
            Poll::Pending => std::thread::park_timeout(LOOK_EVERY),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
