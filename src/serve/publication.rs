//! How a replay's signals get from its ledger to the log of `strategies`: while it plays, and all at its end.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bus::{Bus, EndedCommand};
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use strategy_host::paper::PaperResults;
use strategy_host::publishing::{PublishError, SignalPublisher};
use tick_sdk::names::RunId;

/// How often signals are published while a replay plays.
const PERIOD: Duration = Duration::from_millis(40);
/// A replay that plays as fast as it can has the processor: publishing takes so few signals of each strategy at a
/// time, and then pauses for so many times as long as that took. The rest is published when it has ended.
const SIGNALS_BESIDE: u64 = 500;
const PAUSE_BESIDE: u32 = 19;
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A store that fails is left alone for so long.
const PAUSE: Duration = Duration::from_secs(1);
/// At the end of a replay it is tried so often.
const ATTEMPTS: u32 = 20;

/// One run whose signals are published.
#[derive(Clone)]
pub(super) struct Publication {
    pub(super) bus: Arc<Bus>,
    /// Its ledger, a folder or a URL.
    pub(super) ledger: String,
    pub(super) run: RunId,
    pub(super) command: EndedCommand,
    /// Whether it plays at a pace, so that there is time to publish all of it meanwhile.
    pub(super) is_paced: bool,
}

impl Publication {
    fn open(&self) -> Result<SignalPublisher, PublishError> {
        SignalPublisher::open(self.bus.clone(), &self.ledger, self.run, Some(self.command))
    }

    /// Publishes on a thread of its own from now on, so that the replay does not wait for it. What cannot be
    /// published meanwhile is published at the end.
    pub(super) fn start(&self) -> io::Result<Publishing> {
        let publication = self.clone();
        let (stop, stopped) = bounded::<()>(0);
        let work = move || {
            let mut publisher = None;
            let mut period = PERIOD;
            while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                let begun = Instant::now();
                publisher = publication.publish_beside(publisher.take()).ok();
                period = match (&publisher, publication.is_paced) {
                    (None, _) => PAUSE,
                    (Some(_), true) => PERIOD,
                    (Some(_), false) => (begun.elapsed() * PAUSE_BESIDE).clamp(PERIOD, LONGEST_PAUSE),
                };
            }
        };
        let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(work)?;
        Ok(Publishing { stop: Some(stop), thread: Some(thread) })
    }

    /// Publishes what is committed by now, without its account: the run may go on.
    ///
    /// # Errors
    /// The ledger or the store failed.
    pub(super) fn publish(&self) -> Result<(), PublishError> {
        self.publish_some(None, u64::MAX).map(drop)
    }

    /// The same while it plays, with the publisher of the last time.
    fn publish_beside(&self, publisher: Option<SignalPublisher>) -> Result<SignalPublisher, PublishError> {
        self.publish_some(publisher, if self.is_paced { u64::MAX } else { SIGNALS_BESIDE })
    }

    fn publish_some(
        &self,
        publisher: Option<SignalPublisher>,
        most_a_lane: u64,
    ) -> Result<SignalPublisher, PublishError> {
        let published = publisher.map_or_else(|| self.open(), Ok).and_then(|mut publisher| {
            publisher.publish_some(most_a_lane)?;
            Ok(publisher)
        });
        published.inspect_err(|error| {
            tracing::warn!(run = %self.run, %error, "signals could not be published; they are with the next ones");
        })
    }

    /// Publishes all that is left, and the account; gives the position after it in the log of `strategies`.
    ///
    /// # Errors
    /// The ledger or the store failed, again and again.
    pub(super) fn finish(&self, account: &PaperResults) -> Result<u64, PublishError> {
        let mut attempt = 1;
        loop {
            match self.open().and_then(|publisher| publisher.finish(account)) {
                Err(error) if attempt < ATTEMPTS && !matches!(error, PublishError::NotServed) => {
                    tracing::warn!(run = %self.run, %error, attempt, "a run could not be published; trying again");
                    attempt += 1;
                    std::thread::sleep(PAUSE);
                }
                finished => return finished,
            }
        }
    }
}

/// A thread that publishes; it ends when this is dropped.
pub(super) struct Publishing {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Publishing {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What it could not do is done at the end.
            let _ = thread.join();
        }
    }
}
