//! The store that reads are answered from: with documents that were read lately kept in memory, and somebody
//! to wake when one changes. It can be replaced while it serves.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::recent::Recent;
use super::{
    Change, Closed, Collection, Commit, Cursor, Document, DocumentError, DocumentStore, Found, IndexQuery,
    Sharing, Stop, Stored,
};

/// What is kept in memory is in so many parts by id, so that reads at the same time seldom meet.
pub(super) const PARTS: usize = 32;

/// A document's text as it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// JSON, which is UTF-8.
    pub body: Bytes,
    /// What identifies the text, in quotes: the same text has the same tag, whoever serves it.
    pub tag: Bytes,
}

impl Text {
    /// With the tag of this text.
    pub(crate) fn of(body: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let tag = format!("\"{:016x}\"", hasher.finish());
        Self { body: Bytes::copy_from_slice(body.as_bytes()), tag: tag.into() }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // It was made of a `str`.
        std::str::from_utf8(&self.body).unwrap_or_default()
    }
}

/// The documents that are served.
pub struct Documents {
    store: RwLock<Box<dyn DocumentStore>>,
    sharing: Option<Arc<dyn Sharing>>,
    recent: [Mutex<Recent>; PARTS],
    watched: Mutex<HashMap<String, Arc<Notify>>>,
    commits: watch::Sender<u64>,
}

impl Documents {
    /// Serves from this store.
    pub fn new(store: Box<dyn DocumentStore>) -> Self {
        Self::of(store, None)
    }

    /// Serves from a store that other processes share. Nothing is kept in memory: what was read may have changed
    /// before anybody here knows, and whoever reads after a command is to see what it made.
    pub fn shared<S: DocumentStore + Sharing + Clone + 'static>(store: S) -> Arc<Self> {
        let sharing = Arc::new(store.clone());
        let documents = Arc::new(Self::of(Box::new(store), Some(sharing.clone())));
        let woken: Weak<Self> = Arc::downgrade(&documents);
        sharing.watch(Box::new(move |ids| {
            if let Some(documents) = woken.upgrade() {
                documents.changed_elsewhere(ids);
            }
        }));
        documents
    }

    fn of(store: Box<dyn DocumentStore>, sharing: Option<Arc<dyn Sharing>>) -> Self {
        let (commits, _) = watch::channel(0);
        let store = RwLock::new(store);
        Self { store, sharing, recent: Default::default(), watched: Mutex::default(), commits }
    }

    /// What the store has where other processes share it.
    pub(crate) fn sharing(&self) -> Option<&dyn Sharing> {
        self.sharing.as_deref()
    }

    /// One document, from memory where it was read lately.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn read(
        self: &Arc<Self>,
        collection: &'static Collection,
        id: &str,
    ) -> Result<Option<Text>, DocumentError> {
        if self.sharing.is_some() {
            let id = id.to_owned();
            let read =
                move |documents: &Self| Ok(documents.get(collection, &id)?.map(|body| Text::of(&body)));
            return self.blocking(read).await;
        }
        if let Some(text) = self.recent(id).get(collection, id) {
            return Ok(Some(text));
        }
        let id = id.to_owned();
        self.blocking(move |documents| {
            let seen = documents.recent(&id).commits;
            let text = documents.get(collection, &id)?.map(|body| Text::of(&body));
            if let Some(text) = &text {
                documents.recent(&id).insert_unless_changed(seen, collection, id.clone(), text.clone());
            }
            Ok(text)
        })
        .await
    }

    /// Does what blocks on a thread for it.
    ///
    /// # Panics
    /// As `operation` does.
    pub async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        operation: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let documents = self.clone();
        match tokio::task::spawn_blocking(move || operation(&documents)).await {
            Ok(done) => done,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    /// Wakes whoever waits for a document with this id, in whatever collection, at each commit that changes it.
    pub fn watch(self: &Arc<Self>, id: &str) -> Watch {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let notify = watched.entry(id.to_owned()).or_default().clone();
        Watch { documents: self.clone(), id: id.to_owned(), notify }
    }

    /// Changes at each commit.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Closes the store and serves from the one that `replace` gives. Reads wait meanwhile.
    ///
    /// # Errors
    /// As `replace`, which then was to have given the old store back.
    pub fn replace<E>(
        &self,
        replace: impl FnOnce(Box<dyn DocumentStore>) -> (Box<dyn DocumentStore>, Result<(), E>),
    ) -> Result<(), E> {
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *store, Box::new(Closed));
        let (new, done) = replace(old);
        *store = new;
        self.forget_all();
        drop(store);
        self.wake_all();
        done
    }

    /// The part that has a document of this id.
    fn recent(&self, id: &str) -> MutexGuard<'_, Recent> {
        let sum = id.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        self.recent[sum % PARTS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is in memory any more.
    pub(crate) fn forget_all(&self) {
        for part in &self.recent {
            part.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn with_store<T>(&self, operation: impl FnOnce(&dyn DocumentStore) -> T) -> T {
        operation(self.store.read().unwrap_or_else(PoisonError::into_inner).as_ref())
    }

    /// Commits, and meanwhile has nothing in memory of what changes: whoever has read a new document from the store is not
    /// to find an older one here.
    fn change(
        &self,
        changes: &[(&'static Collection, String, Change)],
        commit: impl FnOnce() -> Result<(), DocumentError>,
    ) -> Result<(), DocumentError> {
        let kept = if self.sharing.is_none() { changes } else { &[] };
        let mut were_kept = Vec::with_capacity(kept.len());
        for (collection, id, _) in kept {
            were_kept.push(self.recent(id).begin_change(collection, id));
        }
        let done = commit();
        for ((collection, id, change), was_kept) in kept.iter().zip(were_kept) {
            let body = change.body().filter(|_| was_kept && done.is_ok());
            self.recent(id).end_change(collection, id, body);
        }
        done
    }

    fn wake(&self, commit: &Commit) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if !watched.is_empty() {
            let changed = commit.changes.iter().filter_map(|(_, id, _)| watched.get(id));
            changed.for_each(|notify| notify.notify_waiters());
        }
        drop(watched);
        self.commits.send_modify(|commits| *commits += 1);
    }

    fn changed_elsewhere(&self, ids: Option<&[&str]>) {
        let Some(ids) = ids else { return self.wake_all() };
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().filter_map(|id| watched.get(*id)).for_each(|notify| notify.notify_waiters());
        drop(watched);
        self.commits.send_modify(|commits| *commits += 1);
    }

    fn wake_all(&self) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.values().for_each(|notify| notify.notify_waiters());
        drop(watched);
        self.commits.send_modify(|commits| *commits += 1);
    }
}

impl DocumentStore for Documents {
    fn get(&self, collection: &'static Collection, id: &str) -> Result<Option<Arc<str>>, DocumentError> {
        self.with_store(|store| store.get(collection, id))
    }

    fn stored(&self, collection: &'static Collection, id: &str) -> Result<Option<Stored>, DocumentError> {
        self.with_store(|store| store.stored(collection, id))
    }

    fn page(&self, collection: &'static Collection, query: &IndexQuery) -> Result<Vec<Found>, DocumentError> {
        self.with_store(|store| store.page(collection, query))
    }

    fn count(&self, collection: &'static Collection, query: &IndexQuery) -> Result<u64, DocumentError> {
        self.with_store(|store| store.count(collection, query))
    }

    fn scan(
        &self,
        collection: &'static Collection,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Document>, DocumentError> {
        self.with_store(|store| store.scan(collection, after, limit))
    }

    fn commit(&self, commit: &Commit) -> Result<(), DocumentError> {
        self.change(&commit.changes, || self.with_store(|store| store.commit(commit)))?;
        self.wake(commit);
        Ok(())
    }

    fn cursors(&self) -> Result<Vec<Cursor>, DocumentError> {
        self.with_store(|store| store.cursors())
    }

    fn stops(&self) -> Result<Vec<Stop>, DocumentError> {
        self.with_store(|store| store.stops())
    }

    fn prepare(
        &self,
        projection: &str,
        version: u32,
        collections: &[&'static Collection],
    ) -> Result<(), DocumentError> {
        self.with_store(|store| store.prepare(projection, version, collections))
    }

    fn clear(&self, projection: &str, collections: &[&'static Collection]) -> Result<(), DocumentError> {
        self.with_store(|store| store.clear(projection, collections))?;
        self.forget_all();
        Ok(())
    }
}

/// Somebody waits for a document.
pub struct Watch {
    documents: Arc<Documents>,
    id: String,
    notify: Arc<Notify>,
}

impl Watch {
    /// Ends at the next commit that changes the document. Made before a read, it misses no later commit.
    pub fn changed(&self) -> std::pin::Pin<Box<tokio::sync::futures::Notified<'_>>> {
        let mut changed = Box::pin(self.notify.notified());
        changed.as_mut().enable();
        changed
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.documents.watched.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that of two that end together the second finds that nobody else waits.
        drop(std::mem::take(&mut self.notify));
        // The map's own is left.
        if watched.get(&self.id).is_some_and(|notify| Arc::strong_count(notify) == 1) {
            watched.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Durability, SqliteDocuments};
    use super::*;

    static NOTES: Collection = Collection { name: "notes", indexes: &[] };

    fn put(id: &str, body: &str) -> Commit {
        let change = Change::Put { body: body.into(), keys: vec![] };
        Commit { changes: vec![(&NOTES, id.into(), change)], ..Commit::default() }
    }

    #[tokio::test]
    async fn a_commit_wakes_who_waits_for_its_documents_only() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteDocuments::open(&folder.path().join("read"), Durability::None).unwrap();
        store.prepare("noting", 1, &[&NOTES]).unwrap();
        let documents = Arc::new(Documents::new(Box::new(store)));
        let (one, other, second) = (documents.watch("a"), documents.watch("b"), documents.watch("a"));
        let (one_changed, other_changed) = (one.changed(), other.changed());
        documents.commit(&put("a", "1")).unwrap();
        one_changed.await;
        let pending = std::future::poll_fn(|context| {
            let mut other_changed = Box::pin(other.notify.notified());
            std::task::Poll::Ready(other_changed.as_mut().poll(context).is_pending())
        });
        assert!(pending.await);
        drop(other_changed);
        drop((one, other));
        assert_eq!(documents.watched.lock().unwrap().len(), 1);
        drop(second);
        assert!(documents.watched.lock().unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_has_read_a_new_document_finds_no_older_one_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteDocuments::open(&folder.path().join("read"), Durability::None).unwrap();
        store.prepare("noting", 1, &[&NOTES]).unwrap();
        let documents = Arc::new(Documents::new(Box::new(store)));
        let both = |body: &str| {
            let changes = [put("a", body), put("b", body)].into_iter().flat_map(|commit| commit.changes);
            Commit { changes: changes.collect(), ..Commit::default() }
        };
        let read = |id: &str| {
            let reading = documents.read(&NOTES, id);
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(reading))
        };
        documents.commit(&both("1")).unwrap();
        // It is in memory from now on.
        assert_eq!(read("a").unwrap(), Some(Text::of("1")));
        let next = both("2");
        let done = documents.change(&next.changes, || {
            documents.with_store(|store| store.commit(&next))?;
            let new = Some(Text::of("2"));
            assert_eq!((read("b")?, read("a")?), (new.clone(), new));
            Ok(())
        });
        done.unwrap();
        assert_eq!(documents.recent("a").get(&NOTES, "a"), Some(Text::of("2")));
        assert_eq!(documents.recent("b").get(&NOTES, "b"), None, "it was read before the commit had ended");
    }
}
