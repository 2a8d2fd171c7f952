//! Files and streams as a feed on RabbitMQ: what `orchard ingest` does, as a function.
//!
//! An [`IngestPlan`] goes in; [`run`] publishes it, hands what happens meanwhile to a callback on the same
//! thread, and gives the [`IngestOutcome`]. Any thread can end it by its [`Cancellation`]. Nothing here
//! prints, reads the command line or installs a signal handler.
//!
//! ```no_run
//! use tick_ingest::feed::SourceSpec;
//! use tick_ingest::publish::{self, Cancellation, FeedStrategy, IngestEvent, IngestPlan};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sources = vec![SourceSpec::file("capture.zst")];
//! let plan = IngestPlan {
//!     strategies: vec![FeedStrategy { name: "apple".parse()?, is_required: true }],
//!     ..IngestPlan::new("btc".parse()?, vec!["amqp://localhost".parse()?], sources)
//! };
//! let cancellation = Cancellation::default();
//! let outcome = publish::run(&plan, &cancellation, |event| match event {
//!     IngestEvent::RunBegins { run } => println!("run {run}"),
//!     IngestEvent::Progress(progress) if progress.now.published() > 1_000_000 => cancellation.cancel(),
//!     _ => {}
//! })?;
//! println!("{} ticks", outcome.snapshot.published());
//! # Ok(())
//! # }
//! ```
//!
//! The calls block: async code makes them in `spawn_blocking`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::feed::FeedControl;

mod error;
mod event;
mod feeding;
mod folder_lock;
mod log;
mod plan;
mod session;
mod state;
#[cfg(test)]
mod tests;
mod watch;

pub use error::{IngestError, LogError, StateError};
pub use event::{IngestEnd, IngestEvent, IngestOutcome, IngestProgress};
pub use plan::{AtEnd, Begin, FeedStrategy, IngestPlan};
pub use session::{PreparedIngest, prepare};
pub use state::{RecordedRun, recorded};

/// Between looks at what has happened.
const POLL: Duration = Duration::from_millis(200);

/// Asks a [`run`] to end, from any thread: what is published stays, and the run can be resumed.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<CancellationState>);

#[derive(Debug, Default)]
struct CancellationState {
    is_cancelled: AtomicBool,
    /// The feeds that it stops.
    feeds: Mutex<Vec<Weak<FeedControl>>>,
}

impl Cancellation {
    /// Asks for the end. Does not wait.
    pub fn cancel(&self) {
        self.0.is_cancelled.store(true, Ordering::Release);
        self.feeds().iter().filter_map(Weak::upgrade).for_each(|feed| feed.stop());
    }

    /// Whether the end was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled.load(Ordering::Acquire)
    }

    /// Stops this feed when it is cancelled, or now if it has been.
    fn attach(&self, feed: &Arc<FeedControl>) {
        let mut feeds = self.feeds();
        feeds.retain(|feed| feed.strong_count() > 0);
        feeds.push(Arc::downgrade(feed));
        drop(feeds);
        if self.is_cancelled() {
            feed.stop();
        }
    }

    fn feeds(&self) -> MutexGuard<'_, Vec<Weak<FeedControl>>> {
        self.0.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Publishes the plan's sources as a run of the feed, until its end or until it is cancelled.
///
/// # Errors
/// As [`prepare`] and [`PreparedIngest::run`].
pub fn run(
    plan: &IngestPlan,
    cancellation: &Cancellation,
    on_event: impl FnMut(IngestEvent),
) -> Result<IngestOutcome, IngestError> {
    prepare(plan)?.run(cancellation, on_event)
}
