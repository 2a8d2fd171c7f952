//! The threads of a bus: begun under a name, and waited for at the end.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::now_ms;
use crate::bell::{Bell, Stopping};
use crate::lane::Step;
use crate::store::StoreError;

/// A lane looks at least so often, for what a store that others write to has.
const LONGEST_IDLE: Duration = Duration::from_secs(60);
/// After an error of its store a lane waits so long.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Threads that end when they are told to.
#[derive(Default)]
pub(super) struct Threads {
    stopping: Arc<Stopping>,
    running: Arc<Running>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

/// How many have not ended.
#[derive(Default)]
struct Running {
    count: Mutex<usize>,
    ended: Condvar,
}

/// A thread that runs, however it ends.
struct Counted(Arc<Running>);

impl Counted {
    fn begin(running: &Arc<Running>) -> Self {
        *running.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(running.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.ended.notify_all();
    }
}

impl Threads {
    pub(super) fn spawn(
        &self,
        name: String,
        work: impl FnOnce(&Stopping) + Send + 'static,
    ) -> std::io::Result<()> {
        let stopping = self.stopping.clone();
        let counted = Counted::begin(&self.running);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let _counted = counted;
            work(&stopping);
        })?;
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Tells every thread to end.
    pub(super) fn stop(&self) {
        self.stopping.set();
    }

    /// Waits so long until all have ended; whether they have. Those that have not are in the log by name.
    pub(super) fn wait(&self, timeout: Duration) -> bool {
        let count = self.running.count.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.running.ended.wait_timeout_while(count, timeout, |count| *count > 0);
        let have_ended = *waited.unwrap_or_else(PoisonError::into_inner).0 == 0;
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        if have_ended {
            // They have nothing left to do; one that panicked has said so.
            handles.drain(..).for_each(|thread| drop(thread.join()));
            return true;
        }
        handles.retain(|thread| !thread.is_finished());
        for thread in handles.iter() {
            tracing::warn!(thread = thread.thread().name(), "this thread has not ended in time");
        }
        false
    }
}

/// Steps until the bus stops; between steps without work it waits for `bell`.
pub(super) fn keep_stepping(
    worked: &Bell,
    bell: &Bell,
    stopping: &Stopping,
    mut step: impl FnMut(u64) -> Result<Step, StoreError>,
) {
    while !stopping.is_set() {
        let seen = bell.count();
        match step(now_ms()) {
            Ok(Step::Worked(0)) => {}
            Ok(Step::Worked(_)) => worked.ring(),
            Ok(Step::Idle(due_ms)) => {
                let until_due = due_ms.map(|due| Duration::from_millis(due.saturating_sub(now_ms())));
                bell.wait(seen, until_due.unwrap_or(LONGEST_IDLE).min(LONGEST_IDLE));
            }
            Err(error) => {
                tracing::error!(%error, "a store failed; trying again");
                stopping.wait(AFTER_ERROR);
            }
        }
    }
}
