//! Workers: each takes one recorded replay after the other, plays it, and says what came of it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bus::{Bus, EventSource};
use live::LiveMarket;
use tick_ingest::replays::{Captures, ClaimedReplay, QueueError, ReplayEnd, ReplayQueue};
use tick_sdk::contracts::ticks::TICKS;

use super::player::Player;
use super::playing::{Ending, Playing};

/// A worker without work looks at least so often whether it is to stop.
const IDLE: Duration = Duration::from_millis(250);
/// After an error of the store it pauses so long.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Between looks for what replays have left and need no more, as those that were forgotten.
const SWEEP: Duration = Duration::from_secs(60);

/// What workers share.
#[derive(Clone)]
pub(super) struct Workplace {
    pub(super) bus: Arc<Bus>,
    pub(super) queue: ReplayQueue,
    pub(super) captures: Captures,
    /// How replays are played.
    pub(super) player: Player,
    /// Where their ticks are shown.
    pub(super) market: LiveMarket,
    pub(super) stopping: Arc<AtomicBool>,
    /// Replays that were given back before their end.
    pub(super) given_back: Arc<AtomicU32>,
}

/// The threads of workers.
pub(super) struct Workers {
    place: Workplace,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts so many.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(place: &Workplace, count: u16) -> io::Result<Self> {
        let mut workers = Self { place: place.clone(), threads: Vec::new() };
        for number in 1..=count {
            let place = place.clone();
            let thread = std::thread::Builder::new().name(format!("worker {number}"));
            workers.threads.push(thread.spawn(move || place.work())?);
        }
        Ok(workers)
    }

    /// Whoever plays stops after the frame it is at and gives its replay back, for the next start. Whether all
    /// have ended by then.
    pub(super) fn stop(&mut self, until: Instant) -> bool {
        self.place.stopping.store(true, Ordering::Release);
        while self.threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// How many replays go on at the next start.
    pub(super) fn given_back(&self) -> u32 {
        self.place.given_back.load(Ordering::Acquire)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.place.stopping.store(true, Ordering::Release);
    }
}

impl Workplace {
    /// Whether the process ends.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn work(&self) {
        // What the last process left is removed by the first look.
        let mut swept: Option<Instant> = None;
        while !self.is_stopping() {
            let mut taken = self.take_one();
            if taken.is_ok() && swept.is_none_or(|at| at.elapsed() >= SWEEP) {
                swept = Some(Instant::now());
                taken = self.player.sweep(&self.queue);
            }
            if let Err(error) = taken {
                tracing::error!(%error, "a worker could not go on; trying again");
                std::thread::park_timeout(AFTER_ERROR);
            }
        }
    }

    fn take_one(&self) -> Result<(), QueueError> {
        // What comes between the look and the wait is beyond this position.
        let position = self.bus.head(TICKS)?;
        match self.queue.claim()? {
            Some(claimed) => self.carry_out(&claimed),
            None => {
                self.queue.wait(position, IDLE)?;
                Ok(())
            }
        }
    }

    fn carry_out(&self, claimed: &ClaimedReplay) -> Result<(), QueueError> {
        let played = catch_unwind(AssertUnwindSafe(|| Playing { place: self, claimed }.carry_out()));
        let ending = played.unwrap_or_else(|_| {
            let reason = "the worker panicked: see the server's log".to_owned();
            Ok(Ending::Ended(ReplayEnd::Failed { run: claimed.run.clone(), reason }))
        });
        let replay = claimed.replay_id;
        match ending {
            Ok(Ending::Ended(end)) => {
                let is_published = matches!(
                    end,
                    ReplayEnd::Completed { .. } | ReplayEnd::Cancelled { outcome: Some(_), .. }
                );
                self.player.before_end(claimed);
                self.queue.end(claimed, end)?;
                // One that failed may be asked for again, and goes on where it was.
                if is_published {
                    self.player.done(claimed);
                }
                Ok(())
            }
            Ok(Ending::GivenBack) => {
                self.given_back.fetch_add(1, Ordering::AcqRel);
                self.queue.release(claimed)
            }
            Err(QueueError::Lost { .. }) => {
                tracing::warn!(%replay, "another worker has taken the replay over, or it has ended");
                Ok(())
            }
            Err(error) => {
                // Its ledger has what it committed: whoever claims it next goes on there.
                self.queue.release(claimed)?;
                Err(error)
            }
        }
    }
}
