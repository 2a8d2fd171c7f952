//! All viewers, on a thread of their own.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::runtime;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use super::ViewersError;
use super::client::{Counted, Counts, follow_signals, stall, watch_market};
use super::served::Served;
use super::watched::Watched;

/// Everybody watches within this time, …
const GATHERED: Duration = Duration::from_secs(60);
/// … and has seen everything so long after the feed's end, or has lost it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between looks whether they have.
const LOOK: Duration = Duration::from_millis(50);
/// Viewers connect one after the other, so that the gateway need not queue them.
const BETWEEN: Duration = Duration::from_micros(500);

/// Viewers that watch.
pub(super) struct Crowd {
    thread: JoinHandle<io::Result<Counted>>,
    /// Says how many signals there were.
    end: oneshot::Sender<u64>,
}

/// What they saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    /// How many each was to see.
    pub(super) signals: u64,
    /// Over all viewers.
    pub(super) lost: u64,
    pub(super) twice: u64,
    pub(super) quotes: u64,
    /// How often a connection or a stream ended before its time.
    pub(super) cut: u64,
    /// 99 of 100 updates came sooner.
    pub(super) from_commit: Duration,
    pub(super) from_published: Duration,
}

impl Crowd {
    /// Returns when all watch.
    pub(super) fn gather(
        served: &Served,
        viewers: usize,
        stalled: usize,
        per_second: u32,
    ) -> Result<Self, ViewersError> {
        let there = Arc::new(Semaphore::new(0));
        let (end, ended) = oneshot::channel();
        let (say, ready) = bounded(1);
        let (address, watched) = (served.address(), served.watched.clone());
        let gathering = Gathering { address, watched, viewers, stalled, per_second, there: there.clone() };
        let watch = move || gathering.watch(ended, &say);
        let thread = std::thread::Builder::new().name("viewers".to_owned()).spawn(watch)?;
        wait(&ready, &there, 2 * (viewers + stalled))?;
        Ok(Self { thread, end })
    }

    /// Waits until everybody has seen every signal, or does not come to.
    pub(super) fn finish(self, watched: &Watched) -> io::Result<Looked> {
        let signals = watched.signals();
        // Where they have ended already they say why.
        let _ = self.end.send(signals);
        let counted = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(Looked::of(&counted, signals))
    }
}

fn wait(ready: &Receiver<()>, there: &Semaphore, viewers: usize) -> Result<(), ViewersError> {
    ready.recv_timeout(GATHERED).map_err(|_| ViewersError::NotThere {
        seconds: GATHERED.as_secs(),
        watching: there.available_permits() / 2,
        viewers: viewers / 2,
    })
}

struct Gathering {
    address: std::net::SocketAddr,
    watched: Arc<Watched>,
    viewers: usize,
    stalled: usize,
    per_second: u32,
    /// Has a permit for each connection that watches.
    there: Arc<Semaphore>,
}

impl Gathering {
    fn watch(self, ended: oneshot::Receiver<u64>, ready: &Sender<()>) -> io::Result<Counted> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let counts: Counts = Rc::new(RefCell::new(Counted::new(self.viewers)));
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            for number in 0..self.viewers {
                let (counts, there) = (counts.clone(), self.there.clone());
                tokio::task::spawn_local(follow_signals(
                    self.address,
                    number,
                    self.watched.clone(),
                    counts.clone(),
                    there.clone(),
                ));
                tokio::task::spawn_local(watch_market(self.address, self.per_second, counts, there));
                sleep(BETWEEN).await;
            }
            for _ in 0..self.stalled {
                tokio::task::spawn_local(stall(self.address, self.per_second, self.there.clone()));
                sleep(BETWEEN).await;
            }
            let all = u32::try_from(2 * (self.viewers + self.stalled)).unwrap_or(u32::MAX);
            if timeout(GATHERED, self.there.acquire_many(all)).await.is_ok() {
                // Whoever waits may have gone.
                let _ = ready.send(());
            }
            let Ok(signals) = ended.await else { return };
            let begun = Instant::now();
            while begun.elapsed() < PATIENCE && counts.borrow().signals.iter().any(|seen| *seen < signals) {
                sleep(LOOK).await;
            }
        });
        // The tasks share what they count.
        drop(local);
        let counted = Rc::try_unwrap(counts).map_err(|_| io::Error::other("a viewer has not ended"))?;
        Ok(counted.into_inner())
    }
}

impl Looked {
    fn of(counted: &Counted, signals: u64) -> Self {
        let sum = |part: fn(u64, u64) -> u64| counted.signals.iter().map(|seen| part(signals, *seen)).sum();
        Self {
            signals,
            lost: sum(|signals, seen| signals.saturating_sub(seen)),
            twice: sum(|signals, seen| seen.saturating_sub(signals)),
            quotes: counted.quotes,
            cut: counted.cut,
            from_commit: Duration::from_micros(counted.from_commit.value_at_quantile(0.99)),
            from_published: Duration::from_micros(counted.from_published.value_at_quantile(0.99)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_by_one_is_not_made_up_for_by_another_who_has_it_twice() {
        let mut counted = Counted::new(3);
        counted.signals = vec![10, 8, 11];
        let looked = Looked::of(&counted, 10);
        assert_eq!((looked.lost, looked.twice), (2, 1));
    }
}
