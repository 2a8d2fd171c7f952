//! The committing thread: one transaction after the other, each of all that has come meanwhile.

use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

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
    reply_to: Sender<Reply>,
    replies: Receiver<Reply>,
    under_way: bool,
    /// Whether anybody wants to know how far lanes are.
    pub(super) observed: bool,
}

struct Request {
    commits: Vec<Commit>,
    progress: Vec<LaneProgress>,
    reply_to: Sender<Reply>,
}

/// The lanes that were fenced off.
type Reply = Vec<LaneId>;

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
        let (reply_to, replies) = bounded(1);
        CommitHandle {
            requests: self.requests.clone(),
            reply_to,
            replies,
            under_way: false,
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
    let fenced = ledger.commit(&commits)?;
    for (part, reply_to) in replies {
        let lanes =
            fenced.iter().filter(|place| part.contains(place)).map(|&place| commits[place].lane.clone());
        // A worker that has gone does not wait for its reply.
        let _ = reply_to.send(lanes.collect());
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
    /// Whether the last request is done, so that another can be made.
    ///
    /// # Errors
    /// A lane was fenced off, or the ledger has stopped.
    #[inline]
    pub(super) fn is_free(&mut self) -> Result<bool, HostError> {
        if self.under_way
            && let Ok(fenced) = self.replies.try_recv()
        {
            self.settle(&fenced)?;
        }
        Ok(!self.under_way)
    }

    /// Waits until the last request is done.
    ///
    /// # Errors
    /// As [`CommitHandle::is_free`].
    pub(super) fn wait(&mut self) -> Result<(), HostError> {
        if self.under_way {
            // The reply channel never closes, as this end holds its sender too: a ledger that has
            // failed is noticed by its closed inbox.
            let started = std::time::Instant::now();
            let fenced = loop {
                match self.replies.recv_timeout(Duration::from_millis(100)) {
                    Ok(fenced) => break fenced,
                    Err(_) if started.elapsed() > COMMIT_TIMEOUT || self.has_stopped() => {
                        return Err(HostError::LedgerStopped);
                    }
                    Err(_) => {}
                }
            };
            self.settle(&fenced)?;
        }
        Ok(())
    }

    /// Hands over commits and how far lanes are; the last request must be done.
    pub(super) fn request(
        &mut self,
        commits: Vec<Commit>,
        progress: Vec<LaneProgress>,
    ) -> Result<(), HostError> {
        let request = Request { commits, progress, reply_to: self.reply_to.clone() };
        self.requests.send_timeout(request, COMMIT_TIMEOUT).map_err(|_| HostError::LedgerStopped)?;
        self.under_way = true;
        Ok(())
    }

    fn has_stopped(&self) -> bool {
        let probe = Request { commits: Vec::new(), progress: Vec::new(), reply_to: bounded(1).0 };
        matches!(self.requests.try_send(probe), Err(crossbeam_channel::TrySendError::Disconnected(_)))
    }

    fn settle(&mut self, fenced: &[LaneId]) -> Result<(), HostError> {
        self.under_way = false;
        match fenced.first() {
            Some(lane) => Err(HostError::Fenced { strategy: lane.strategy.clone(), shard: lane.shard }),
            None => Ok(()),
        }
    }
}
