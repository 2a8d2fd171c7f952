//! The ledger for a host, whose threads block: the async store lives on a thread of its own.

use std::pin::Pin;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use database::no_answer;
use tick_feed::NewInstrument;
use tick_feed::run::Manifest;
use tick_sdk::names::{RunId, StrategyName};
use tokio::runtime::Builder;

use super::lane::CommitRows;
use super::store::{OPEN_TIMEOUT, PostgresStore};
use crate::ledger::{
    Claim, Commit, Identity, LaneId, LaneRow, Ledger, LedgerError, MEMBER_CALL_TIMEOUT, MemberRow, OpenedRun,
    RunRow, StoredBatch, report_fenced,
};

/// The ledger in a PostgreSQL database, in the schema `orchard`, with a face that blocks.
///
/// A thread holds the [`PostgresStore`] and the runtime that it needs; calls go to it one by one, and
/// each is waited for a little longer than the store itself may take. The thread ends when this is
/// dropped and the call under way, if any, has come to its deadline.
#[derive(Debug)]
pub struct PostgresLedger {
    calls: Sender<Call>,
    id: String,
    place: String,
    call_timeout: Duration,
}

/// A call, which replies by itself.
type Call = Box<dyn for<'a> FnOnce(&'a mut PostgresStore) -> Done<'a, ()> + Send>;
type Done<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// So much longer than the store may take is waited for its thread.
const GRACE: Duration = Duration::from_millis(500);

impl PostgresLedger {
    /// Opens the ledger, as [`PostgresStore::open`] does.
    ///
    /// # Errors
    /// The URL cannot be read, the server is not there within 5 s or refuses, or the tables are of
    /// another version.
    pub fn open(url: &str) -> Result<Self, LedgerError> {
        // One caller waits for each of its calls, so one place is enough.
        let (calls, inbox) = bounded(1);
        let (opened, opening) = bounded(1);
        let url = url.to_owned();
        let thread = std::thread::Builder::new().name("ledger-postgres".to_owned());
        let io = |source| LedgerError::Io { place: "on PostgreSQL".to_owned(), source };
        thread.spawn(move || serve(&url, &opened, &inbox)).map_err(io)?;
        let reply = opening.recv_timeout(OPEN_TIMEOUT + GRACE);
        let (id, place) = reply.unwrap_or_else(|lost| Err(no_reply("on PostgreSQL", lost)))?;
        Ok(Self { calls, id, place, call_timeout: PostgresStore::LONGEST_AWAY })
    }

    /// Has the store's thread carry out an operation that takes at most `longest`.
    fn call<T: Send + 'static>(
        &self,
        longest: Duration,
        operation: impl for<'a> FnOnce(&'a mut PostgresStore) -> Done<'a, Result<T, LedgerError>> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (reply_to, reply) = bounded(1);
        let call: Call = Box::new(move |store| {
            store.set_call_timeout(longest);
            Box::pin(async move {
                // A caller that has gone does not wait for its reply.
                let _ = reply_to.send(operation(store).await);
            })
        });
        let unsent = |error: crossbeam_channel::SendTimeoutError<_>| match error {
            crossbeam_channel::SendTimeoutError::Timeout(_) => RecvTimeoutError::Timeout,
            crossbeam_channel::SendTimeoutError::Disconnected(_) => RecvTimeoutError::Disconnected,
        };
        self.calls.send_timeout(call, longest).map_err(|error| no_reply(&self.place, unsent(error)))?;
        reply.recv_timeout(longest + GRACE).unwrap_or_else(|lost| Err(no_reply(&self.place, lost)))
    }

    /// As long as any call may take.
    fn run<T: Send + 'static>(
        &self,
        operation: impl for<'a> FnOnce(&'a mut PostgresStore) -> Done<'a, Result<T, LedgerError>> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.call(self.call_timeout, operation)
    }

    /// As long as a call of a member may take.
    fn run_for_member<T: Send + 'static>(
        &self,
        operation: impl for<'a> FnOnce(&'a mut PostgresStore) -> Done<'a, Result<T, LedgerError>> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.call(self.call_timeout.min(MEMBER_CALL_TIMEOUT), operation)
    }

    /// Makes the members' last beats older.
    #[cfg(test)]
    pub(in crate::ledger) fn put_beats_back(&mut self, time: Duration) {
        self.run(move |store| Box::pin(store.put_beats_back(time))).expect("the server answers");
    }
}

/// The store's thread: opens it, and carries out calls until nobody can make one.
fn serve(url: &str, opened: &Sender<Result<(String, String), LedgerError>>, inbox: &Receiver<Call>) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => {
            let _ = opened.send(Err(LedgerError::Io { place: "on PostgreSQL".to_owned(), source }));
            return;
        }
    };
    match runtime.block_on(PostgresStore::open(url)) {
        Ok(mut store) => {
            let _ = opened.send(Ok((store.id().to_owned(), store.place().to_owned())));
            while let Ok(call) = inbox.recv() {
                runtime.block_on(call(&mut store));
            }
        }
        Err(error) => {
            let _ = opened.send(Err(error));
        }
    }
    // Looking a host's name up cannot be cancelled; it is not waited for.
    runtime.shutdown_background();
}

/// The thread that did not reply in time, or is no more.
fn no_reply(place: &str, lost: RecvTimeoutError) -> LedgerError {
    let source = match lost {
        RecvTimeoutError::Timeout => no_answer(),
        RecvTimeoutError::Disconnected => sqlx::Error::WorkerCrashed,
    };
    LedgerError::Postgres { place: place.to_owned(), source }
}

impl Ledger for PostgresLedger {
    fn id(&self) -> &str {
        &self.id
    }

    fn product(&self) -> Result<String, LedgerError> {
        self.run(|store| Box::pin(store.product()))
    }

    fn open_run(&mut self, manifest: &Manifest) -> Result<OpenedRun, LedgerError> {
        let manifest = manifest.clone();
        self.run(|store| Box::pin(async move { store.open_run(&manifest).await }))
    }

    fn record_run(&mut self, run: RunId, feed: &str, manifest: &Manifest) -> Result<(), LedgerError> {
        let (feed, manifest) = (feed.to_owned(), manifest.clone());
        self.run(move |store| Box::pin(async move { store.record_run(run, &feed, &manifest).await }))
    }

    fn runs(&self, feed: &str) -> Result<Vec<RunRow>, LedgerError> {
        let feed = feed.to_owned();
        self.run(|store| Box::pin(async move { store.runs(&feed).await }))
    }

    fn identify(&mut self, run: RunId, identity: &Identity) -> Result<(), LedgerError> {
        let identity = identity.clone();
        self.run(move |store| Box::pin(async move { store.identify(run, &identity).await }))
    }

    fn claim(&mut self, lane: &LaneId, begins_at: u64) -> Result<Claim, LedgerError> {
        let lane = lane.clone();
        self.run(move |store| Box::pin(async move { store.claim(&lane, begins_at).await }))
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<Vec<usize>, LedgerError> {
        let rows = CommitRows::new(commits);
        let fenced = self.run(|store| Box::pin(store.commit_rows(rows)))?;
        report_fenced(commits, &fenced);
        Ok(fenced)
    }

    fn lanes(&self, run: RunId) -> Result<Vec<LaneRow>, LedgerError> {
        self.run(move |store| Box::pin(store.lanes(run)))
    }

    fn batches(&self, lane: &LaneId, from_seq: u64, limit: usize) -> Result<Vec<StoredBatch>, LedgerError> {
        let lane = lane.clone();
        self.run(move |store| Box::pin(async move { store.batches(&lane, from_seq, limit).await }))
    }

    fn batch_at(&self, lane: &LaneId, seq: u64) -> Result<Option<u64>, LedgerError> {
        let lane = lane.clone();
        self.run(move |store| Box::pin(async move { store.batch_at(&lane, seq).await }))
    }

    fn dictionary(&self, run: RunId, shard: u16) -> Result<Vec<NewInstrument>, LedgerError> {
        self.run(move |store| Box::pin(store.dictionary(run, shard)))
    }

    fn beat(
        &mut self,
        run: RunId,
        strategy: &StrategyName,
        member: &str,
    ) -> Result<Vec<String>, LedgerError> {
        let (strategy, member) = (strategy.clone(), member.to_owned());
        self.run_for_member(move |store| Box::pin(async move { store.beat(run, &strategy, &member).await }))
    }

    fn leave(&mut self, run: RunId, strategy: &StrategyName, member: &str) -> Result<(), LedgerError> {
        let (strategy, member) = (strategy.clone(), member.to_owned());
        self.run_for_member(move |store| Box::pin(async move { store.leave(run, &strategy, &member).await }))
    }

    fn members(&self, run: RunId) -> Result<Vec<MemberRow>, LedgerError> {
        self.run(move |store| Box::pin(store.members(run)))
    }

    fn forget_run(&mut self, run: RunId) -> Result<bool, LedgerError> {
        self.run(move |store| Box::pin(store.forget_run(run)))
    }

    fn set_call_timeout(&mut self, longest: Duration) {
        self.call_timeout = longest;
    }
}
