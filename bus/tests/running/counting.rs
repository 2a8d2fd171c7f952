//! Many tasks send at once: what waits is stored in one commit.

use std::sync::atomic::AtomicUsize;

use bus::store::{
    Acceptance, CommandState, DueCommand, LogPage, NewCommand, Note, OutgoingMessage, Store, StoreError,
    StoreTransaction, Sweep,
};

use super::*;

/// A store that counts the commits of what is accepted.
struct Counting {
    store: Arc<SqliteStore>,
    commits: Arc<AtomicUsize>,
}

impl Store for Counting {
    fn accept(&self, commands: &[NewCommand], now_ms: u64) -> Result<Vec<Acceptance>, StoreError> {
        self.commits.fetch_add(1, Ordering::AcqRel);
        self.store.accept(commands, now_ms)
    }
    fn due(&self, name: &str, now_ms: u64, limit: usize) -> Result<Vec<DueCommand>, StoreError> {
        self.store.due(name, now_ms, limit)
    }
    fn next_due(&self, name: &str) -> Result<Option<u64>, StoreError> {
        self.store.next_due(name)
    }
    fn state(&self, command: CommandId) -> Result<Option<CommandState>, StoreError> {
        self.store.state(command)
    }
    fn begin(&self) -> Result<Box<dyn StoreTransaction>, StoreError> {
        self.store.begin()
    }
    fn look(&self, position: u64, limit: usize, names: Option<&[&str]>) -> Result<LogPage, StoreError> {
        self.store.look(position, limit, names)
    }
    fn head(&self) -> Result<u64, StoreError> {
        self.store.head()
    }
    fn cursor(&self, consumer: &str, context: &str) -> Result<u64, StoreError> {
        self.store.cursor(consumer, context)
    }
    fn outgoing(&self, limit: usize) -> Result<Vec<(u64, NewCommand)>, StoreError> {
        self.store.outgoing(limit)
    }
    fn forget_outgoing(&self, up_to: u64) -> Result<(), StoreError> {
        self.store.forget_outgoing(up_to)
    }
    fn outgoing_messages(&self, limit: usize) -> Result<Vec<(u64, OutgoingMessage)>, StoreError> {
        self.store.outgoing_messages(limit)
    }
    fn forget_outgoing_messages(&self, up_to: u64) -> Result<(), StoreError> {
        self.store.forget_outgoing_messages(up_to)
    }
    fn lease(
        &self,
        name: &str,
        holder: uuid::Uuid,
        for_ms: u64,
        now_ms: u64,
    ) -> Result<Option<u64>, StoreError> {
        self.store.lease(name, holder, for_ms, now_ms)
    }
    fn query(&self, sql: &str, values: &[bus::Value]) -> Result<Vec<bus::Row>, bus::TablesError> {
        self.store.query(sql, values)
    }
    fn ended_beyond(&self, commands: u64) -> Result<Option<u64>, StoreError> {
        self.store.ended_beyond(commands)
    }
    fn sweep(&self, sweep: &Sweep, now_ms: u64) -> Result<usize, StoreError> {
        self.store.sweep(sweep, now_ms)
    }
    fn begin_serving(&self) -> Result<bool, StoreError> {
        self.store.begin_serving()
    }
    fn end_serving(&self) -> Result<(), StoreError> {
        self.store.end_serving()
    }
    fn note(&self, message: uuid::Uuid) -> Result<Note, StoreError> {
        self.store.note(message)
    }
    fn forget_note(&self, message: uuid::Uuid) -> Result<(), StoreError> {
        self.store.forget_note(message)
    }
    fn is_noted(&self, message: uuid::Uuid) -> Result<bool, StoreError> {
        self.store.is_noted(message)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_commits() {
    const TASKS: i64 = 500;
    let folder = tempfile::tempdir().unwrap();
    let (store, commits) = (Arc::new(open(folder.path(), "run")), Arc::new(AtomicUsize::new(0)));
    let repeats = Arc::new(AtomicUsize::new(0));
    let counting = Counting { store: store.clone(), commits: commits.clone() };
    let bus = Arc::new(Bus::builder().context("run", counting).start().unwrap());
    // Nothing can be stored until all of them wait.
    let held = store.begin().unwrap();
    let all_sent = Arc::new(tokio::sync::Barrier::new(TASKS as usize + 1));
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let (bus, all_sent, repeats) = (bus.clone(), all_sent.clone(), repeats.clone());
            tokio::spawn(async move {
                let (put, id) = (Put { number, fill: 0 }, CommandId::new());
                let mut sending = std::pin::pin!(bus.send(&put, with_id(id)));
                // The first poll hands it over.
                let first =
                    std::future::poll_fn(|context| std::task::Poll::Ready(sending.as_mut().poll(context)));
                assert!(first.await.is_pending());
                all_sent.wait().await;
                let mut sent = sending.await;
                // Where handing all of them over took longer than a transaction is waited for.
                while matches!(sent, Err(SendError::Unavailable { .. })) {
                    repeats.fetch_add(1, Ordering::AcqRel);
                    sent = bus.send(&put, with_id(id)).await;
                }
                sent.unwrap()
            })
        })
        .collect();
    all_sent.wait().await;
    drop(held);
    let mut ids = Vec::new();
    for task in tasks {
        let accepted = task.await.unwrap();
        assert!(!accepted.is_known || repeats.load(Ordering::Acquire) > 0);
        ids.push(accepted.command_id);
    }
    // One with the first of them, and one with the rest, where that began to be collected later.
    let most = 3 + 2 * repeats.load(Ordering::Acquire);
    assert!(commits.load(Ordering::Acquire) <= most, "{commits:?} commits for {TASKS} commands");
    for id in &ids {
        completed(&bus, "run", *id);
    }
    assert!(bus.stop(PATIENCE));
    assert_eq!(numbers(folder.path(), "run"), (0..TASKS).collect::<Vec<_>>());
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), TASKS as usize);
}
