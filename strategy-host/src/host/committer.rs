//! The committing thread: one transaction after the other, each of all that has come meanwhile.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::HostError;
use crate::ledger::{Claim, Commit, LaneId, Ledger, LedgerError};

/// Gets every commit once it is durable, on the committing thread.
pub trait CommitObserver: Send {
    /// What was just committed, and how far lanes are.
    fn committed(&mut self, commits: &[Commit], progress: &[LaneProgress]);

    /// So long after a worker had taken the oldest tick of a commit, that is durable.
    fn delayed(&mut self, delay: Duration) {
        let _ = delay;
    }
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
    under_way: Option<UnderWay>,
    outcome: Option<Outcome>,
    rest_until: Instant,
    /// Whether anybody observes how far lanes are.
    pub(super) observed: bool,
}

/// A request that has no reply yet.
struct UnderWay {
    replies: Receiver<Reply>,
    stored: Vec<Stored>,
}

/// What a lane has in its stored state once the commit that carries it is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) shard: u16,
    /// The ticks before it; [`u64::MAX`] where the run's end is committed.
    pub(super) before: u64,
}

/// What a request came to.
#[derive(Default)]
pub(super) struct Outcome {
    /// The lanes that were fenced off: nothing of them is stored.
    pub(super) fenced: Vec<LaneId>,
    /// What else is stored now.
    pub(super) stored: Vec<Stored>,
}

enum Request {
    Commit(CommitRequest),
    Claim { lane: LaneId, begins_at: u64, reply_to: Sender<Claim> },
}

struct CommitRequest {
    commits: Vec<Commit>,
    progress: Vec<LaneProgress>,
    /// When the oldest of their ticks was taken.
    taken: Option<Instant>,
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

impl Committer {
    pub(super) fn start(mut ledger: Box<dyn Ledger>, mut observer: Option<Box<dyn CommitObserver>>) -> Self {
        let observed = observer.is_some();
        // Each worker has at most one request under way, so this is never what bounds them.
        let (requests, inbox) = bounded::<Request>(64);
        let thread = std::thread::Builder::new().name("ledger".to_owned());
        let thread = thread.spawn(move || {
            let mut transactions = 0;
            while let Ok(first) = inbox.recv() {
                let group = std::iter::once(first).chain(inbox.try_iter());
                match serve(&mut *ledger, group, observer.as_deref_mut()) {
                    Ok(committed) => transactions += u64::from(committed),
                    Err(error) => return (ledger, Some(error), transactions),
                }
            }
            (ledger, None, transactions)
        });
        Self { requests, observed, thread: thread.expect("the system starts a thread") }
    }

    pub(super) fn handle(&self) -> CommitHandle {
        CommitHandle {
            requests: self.requests.clone(),
            under_way: None,
            outcome: None,
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

/// Serves all requests; gives whether that took a transaction of commits.
fn serve(
    ledger: &mut dyn Ledger,
    requests: impl Iterator<Item = Request>,
    observer: Option<&mut (dyn CommitObserver + 'static)>,
) -> Result<bool, LedgerError> {
    let mut group = Vec::new();
    let mut claims = Vec::new();
    for request in requests {
        match request {
            Request::Commit(request) => group.push(request),
            Request::Claim { lane, begins_at, reply_to } => claims.push((lane, begins_at, reply_to)),
        }
    }
    let committed = !group.is_empty();
    if committed {
        commit_group(ledger, group, observer)?;
    }
    for (lane, begins_at, reply_to) in claims {
        // A worker that has gone does not wait for its reply.
        let _ = reply_to.send(ledger.claim(&lane, begins_at)?);
    }
    Ok(committed)
}

fn commit_group(
    ledger: &mut dyn Ledger,
    group: Vec<CommitRequest>,
    observer: Option<&mut (dyn CommitObserver + 'static)>,
) -> Result<(), LedgerError> {
    let mut commits = Vec::new();
    let mut progress = Vec::new();
    let mut replies = Vec::new();
    let mut taken = Vec::new();
    for mut request in group {
        taken.extend(request.taken);
        let start = commits.len();
        commits.append(&mut request.commits);
        progress.append(&mut request.progress);
        replies.push((start..commits.len(), request.reply_to));
    }
    let started = Instant::now();
    let fenced = ledger.commit(&commits)?;
    let durable = Instant::now();
    let took = durable - started;
    for (part, reply_to) in replies {
        let lanes =
            fenced.iter().filter(|place| part.contains(place)).map(|&place| commits[place].lane.clone());
        // A worker that has gone does not wait for its reply.
        let _ = reply_to.send(Reply { fenced: lanes.collect(), took });
    }
    if let Some(observer) = observer {
        // What was fenced off is left out: a stored commit stands where its fence would.
        let mut place = 0..;
        commits.retain(|_| place.next().is_some_and(|place| !fenced.contains(&place)));
        observer.committed(&commits, &progress);
        taken.into_iter().for_each(|taken| observer.delayed(durable - taken));
    }
    Ok(())
}

impl CommitHandle {
    /// Whether the last request is done: another may be made.
    ///
    /// # Errors
    /// The ledger has stopped.
    #[inline]
    pub(super) fn is_free(&mut self, now: Instant) -> Result<bool, HostError> {
        let Some(under_way) = &self.under_way else { return Ok(true) };
        match under_way.replies.try_recv() {
            Ok(reply) => self.settle(reply, now),
            Err(TryRecvError::Empty) => return Ok(false),
            Err(TryRecvError::Disconnected) => return Err(HostError::LedgerStopped),
        }
        Ok(true)
    }

    /// Whether the rest after the last request is over.
    #[inline]
    pub(super) fn is_rested(&self, now: Instant) -> bool {
        now >= self.rest_until
    }

    /// How long to wait for frames, while something waits to be committed, before asking again.
    pub(super) fn wait_for_frames(&self, now: Instant) -> Duration {
        let rest = self.rest_until.saturating_duration_since(now);
        rest.max(Duration::from_micros(100))
    }

    /// Waits until the last request is done, for as long as the ledger's thread lives: the ledger
    /// itself limits how long it tries, and a process that is stopped meanwhile goes on afterwards.
    ///
    /// # Errors
    /// The ledger has stopped.
    pub(super) fn wait(&mut self) -> Result<(), HostError> {
        let Some(under_way) = &self.under_way else { return Ok(()) };
        // A ledger that has failed drops its requests, and with them the replies' channels.
        let reply = under_way.replies.recv().map_err(|_| HostError::LedgerStopped)?;
        self.settle(reply, Instant::now());
        Ok(())
    }

    /// Hands over commits, how far lanes are, and when the oldest tick was taken; the last request must be done, and
    /// what it came to taken away.
    pub(super) fn request(
        &mut self,
        commits: Vec<Commit>,
        progress: Vec<LaneProgress>,
        taken: Option<Instant>,
    ) -> Result<(), HostError> {
        let (reply_to, replies) = bounded(1);
        let stored = commits.iter().filter_map(|commit| {
            let before = if commit.ended { u64::MAX } else { commit.to_seq };
            (commit.ended || commit.states.is_some()).then_some(Stored { shard: commit.lane.shard, before })
        });
        let stored = stored.collect();
        self.send(Request::Commit(CommitRequest { commits, progress, taken, reply_to }))?;
        self.under_way = Some(UnderWay { replies, stored });
        Ok(())
    }

    /// Claims a lane, after whatever is under way.
    ///
    /// # Errors
    /// The ledger has stopped.
    pub(super) fn claim(&mut self, lane: LaneId, begins_at: u64) -> Result<Claim, HostError> {
        let (reply_to, replies) = bounded(1);
        self.send(Request::Claim { lane, begins_at, reply_to })?;
        replies.recv().map_err(|_| HostError::LedgerStopped)
    }

    /// What the last request came to, once.
    #[inline]
    pub(super) fn take_outcome(&mut self) -> Option<Outcome> {
        self.outcome.take()
    }

    fn send(&self, request: Request) -> Result<(), HostError> {
        self.requests.send(request).map_err(|_| HostError::LedgerStopped)
    }

    fn settle(&mut self, reply: Reply, now: Instant) {
        self.rest_until = now + (reply.took * REST).min(LONGEST_REST);
        let mut stored = self.under_way.take().map_or_else(Vec::new, |under_way| under_way.stored);
        stored.retain(|stored| !reply.fenced.iter().any(|lane| lane.shard == stored.shard));
        self.outcome = Some(Outcome { fenced: reply.fenced, stored });
    }
}
