//! The committing thread: one transaction after the other, each of all that has come meanwhile.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::HostError;
use crate::ledger::{Commit, LaneId, Ledger, LedgerError};

/// Is told of every commit once it is durable, on the committing thread.
pub trait CommitObserver: Send {
    /// What was just committed, and how far lanes are.
    fn committed(&mut self, commits: &[Commit], progress: &[LaneProgress]);
}

/// How far a lane is.
#[derive(Clone, Debug)]
pub struct LaneProgress {
    /// The lane.
    pub lane: LaneId,
    /// Every signal of this lane that is still to come has a `ts_recv` of at least this.
    pub watermark: u64,
    /// Nothing follows.
    pub ended: bool,
}

/// The thread that owns the ledger.
pub(super) struct Committer {
    requests: Sender<Request>,
    observed: bool,
    thread: JoinHandle<(Box<dyn Ledger>, Option<LedgerError>, u64)>,
}

/// A worker's access to the committer; at most one of its requests is under way.
pub(super) struct CommitHandle {
    requests: Sender<Request>,
    /// Where the reply to the request under way comes.
    under_way: Option<Receiver<Reply>>,
    rest_until: Instant,
    /// Whether anybody wants to know how far lanes are.
    pub(super) observed: bool,
}

struct Request {
    commits: Vec<Commit>,
    progress: Vec<LaneProgress>,
    reply_to: Sender<Reply>,
}

/// What a commit came to.
struct Reply {
    /// The lanes that were fenced off.
    fenced: Vec<LaneId>,
    /// How long the transaction took.
    took: Duration,
}

/// After a commit a worker rests this many times as long as it took, so that at full speed commits
/// take at most a fortieth of a core, and at a low rate each follows its ticks at once.
const REST: u32 = 39;
/// Nor longer than this.
const LONGEST_REST: Duration = Duration::from_millis(250);

/// A commit that takes longer than this has failed.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(60);

impl Committer {
    pub(super) fn start(mut ledger: Box<dyn Ledger>, mut observer: Option<Box<dyn CommitObserver>>) -> Self {
        let observed = observer.is_some();
        // Each worker has at most one request under way, so this is never what bounds them.
        let (requests, inbox) = bounded::<Request>(64);
        let thread = std::thread::Builder::new().name("ledger".to_owned());
        let thread = thread.spawn(move || {
            let mut transactions = 0;
            while let Ok(first) = inbox.recv() {
                let group: Vec<_> = std::iter::once(first).chain(inbox.try_iter()).collect();
                if let Err(error) = commit_group(&mut *ledger, group, observer.as_deref_mut()) {
                    return (ledger, Some(error), transactions);
                }
                transactions += 1;
            }
            (ledger, None, transactions)
        });
        Self { requests, observed, thread: thread.expect("the system starts a thread") }
    }

    pub(super) fn handle(&self) -> CommitHandle {
        CommitHandle {
            requests: self.requests.clone(),
            under_way: None,
            rest_until: Instant::now(),
            observed: self.observed,
        }
    }

    /// The ledger or its error, and how many transactions were made.
    pub(super) fn finish(self) -> (Result<Box<dyn Ledger>, HostError>, u64) {
        drop(self.requests);
        match self.thread.join() {
            Ok((ledger, None, transactions)) => (Ok(ledger), transactions),
            Ok((_, Some(error), transactions)) => (Err(error.into()), transactions),
            Err(panic) => (Err(HostError::Panicked(super::panic_text(&*panic))), 0),
        }
    }
}

fn commit_group(
    ledger: &mut dyn Ledger,
    group: Vec<Request>,
    observer: Option<&mut (dyn CommitObserver + 'static)>,
) -> Result<(), LedgerError> {
    let mut commits = Vec::new();
    let mut progress = Vec::new();
    let mut replies = Vec::new();
    for mut request in group {
        let start = commits.len();
        commits.append(&mut request.commits);
        progress.append(&mut request.progress);
        replies.push((start..commits.len(), request.reply_to));
    }
    let started = Instant::now();
    let fenced = ledger.commit(&commits)?;
    let took = started.elapsed();
    for (part, reply_to) in replies {
        let lanes =
            fenced.iter().filter(|place| part.contains(place)).map(|&place| commits[place].lane.clone());
        // A worker that has gone does not wait for its reply.
        let _ = reply_to.send(Reply { fenced: lanes.collect(), took });
    }
    if let Some(observer) = observer {
        // What was fenced off is not told: a stored commit stands where its fence would.
        let mut place = 0..;
        commits.retain(|_| place.next().is_some_and(|place| !fenced.contains(&place)));
        observer.committed(&commits, &progress);
    }
    Ok(())
}

impl CommitHandle {
    /// Whether another request may be made: the last one is done, and its rest is over.
    ///
    /// # Errors
    /// A lane was fenced off, or the ledger has stopped.
    #[inline]
    pub(super) fn is_due(&mut self, now: Instant) -> Result<bool, HostError> {
        if let Some(replies) = &self.under_way {
            match replies.try_recv() {
                Ok(reply) => self.settle(&reply, now)?,
                Err(TryRecvError::Empty) => return Ok(false),
                Err(TryRecvError::Disconnected) => return Err(HostError::LedgerStopped),
            }
        }
        Ok(now >= self.rest_until)
    }

    /// How long to wait for frames, while something waits to be committed, before asking again.
    pub(super) fn patience(&self, now: Instant) -> Duration {
        let rest = self.rest_until.saturating_duration_since(now);
        rest.max(Duration::from_micros(100))
    }

    /// Waits until the last request is done.
    ///
    /// # Errors
    /// As [`CommitHandle::is_due`].
    pub(super) fn wait(&mut self) -> Result<(), HostError> {
        let Some(replies) = &self.under_way else { return Ok(()) };
        // A ledger that has failed drops its requests, and with them the replies' channels.
        let reply = replies.recv_timeout(COMMIT_TIMEOUT).map_err(|_| HostError::LedgerStopped)?;
        self.settle(&reply, Instant::now())
    }

    /// Hands over commits and how far lanes are; the last request must be done.
    pub(super) fn request(
        &mut self,
        commits: Vec<Commit>,
        progress: Vec<LaneProgress>,
    ) -> Result<(), HostError> {
        let (reply_to, replies) = bounded(1);
        let request = Request { commits, progress, reply_to };
        self.requests.send_timeout(request, COMMIT_TIMEOUT).map_err(|_| HostError::LedgerStopped)?;
        self.under_way = Some(replies);
        Ok(())
    }

    fn settle(&mut self, reply: &Reply, now: Instant) -> Result<(), HostError> {
        self.under_way = None;
        self.rest_until = now + (reply.took * REST).min(LONGEST_REST);
        match reply.fenced.first() {
            Some(lane) => Err(HostError::Fenced { strategy: lane.strategy.clone(), shard: lane.shard }),
            None => Ok(()),
        }
    }
}
