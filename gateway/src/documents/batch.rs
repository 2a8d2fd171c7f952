//! What a projection has made of a batch of events, before it is committed.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Change, Collection, DocumentError, DocumentStore, IndexQuery, Key, Stored};

/// So many documents are read at once where all are.
const SCANNED: usize = 1000;

/// By collection, of which there are few, then by id.
type ById<T> = Vec<(&'static Collection, HashMap<String, T>)>;

/// Documents as they are after the events of a batch so far: reads see its own writes, and what an event
/// has done can be undone when it turns out that it cannot be applied.
pub struct Batch<'a> {
    store: &'a dyn DocumentStore,
    changes: ById<Change>,
    /// The keys of stored documents that were read: those that stay need not be written.
    stored_keys: RefCell<ById<Vec<Option<Key>>>>,
    /// How to get back to the last mark, the newest last: of a collection and an id.
    undo: Vec<(&'static Collection, String, Undo)>,
}

enum Undo {
    /// The document's change was this, or none.
    Restore(Option<Change>),
    /// The body had so many bytes, and this behind them.
    Tail { kept: usize, tail: String },
}

impl<'a> Batch<'a> {
    /// Nothing has changed yet.
    pub fn new(store: &'a dyn DocumentStore) -> Self {
        Self { store, changes: Vec::new(), stored_keys: RefCell::default(), undo: Vec::new() }
    }

    /// A document's text.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn text(&self, collection: &'static Collection, id: &str) -> Result<Option<String>, DocumentError> {
        match self.change_of(collection, id) {
            Some(change) => Ok(change.body().map(str::to_owned)),
            None => self.stored(collection, id),
        }
    }

    /// A document.
    ///
    /// # Errors
    /// The store cannot be read, or the document is not a `T`.
    pub fn get<T: DeserializeOwned>(
        &self,
        collection: &'static Collection,
        id: &str,
    ) -> Result<Option<T>, DocumentError> {
        let parsed = match self.change_of(collection, id) {
            Some(change) => change.body().map(serde_json::from_str),
            None => self.stored(collection, id)?.map(|body| serde_json::from_str(&body)),
        };
        parsed.transpose().map_err(|error| damaged(collection, id, &error.to_string()))
    }

    /// Changes a document's text, and its keys, without reading it as a value, where `edit` can. Whether it has:
    /// otherwise there is no such document, or `edit` gave nothing.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn edit(
        &mut self,
        collection: &'static Collection,
        id: &str,
        edit: impl FnOnce(&str, &mut [Option<Key>]) -> Option<String>,
    ) -> Result<bool, DocumentError> {
        let (edited, mut keys);
        match self.change_of(collection, id) {
            Some(Change::Put { body, keys: before }) => {
                keys = before.clone();
                edited = edit(body, &mut keys);
            }
            Some(_) => return Ok(false),
            None => {
                let Some(stored) = self.store.stored(collection, id)? else { return Ok(false) };
                keys = stored.keys.clone();
                edited = edit(&stored.body, &mut keys);
                self.keep_keys(collection, id, stored.keys);
            }
        }
        let Some(body) = edited else { return Ok(false) };
        self.change(collection, id, Change::Put { body, keys });
        Ok(true)
    }

    fn stored(&self, collection: &'static Collection, id: &str) -> Result<Option<String>, DocumentError> {
        let Some(Stored { body, keys }) = self.store.stored(collection, id)? else { return Ok(None) };
        self.keep_keys(collection, id, keys);
        Ok(Some(body))
    }

    fn keep_keys(&self, collection: &'static Collection, id: &str, keys: Vec<Option<Key>>) {
        of_collection(&mut self.stored_keys.borrow_mut(), collection).insert(id.to_owned(), keys);
    }

    fn change_of(&self, collection: &'static Collection, id: &str) -> Option<&Change> {
        self.changes.iter().find(|(known, _)| known.name == collection.name)?.1.get(id)
    }

    /// Puts a document, under one key for each index of its collection.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn put<T: Serialize>(
        &mut self,
        collection: &'static Collection,
        id: &str,
        keys: Vec<Option<Key>>,
        document: &T,
    ) -> Result<(), DocumentError> {
        let body = serde_json::to_string(document);
        let body = body.map_err(|error| damaged(collection, id, &error.to_string()))?;
        self.put_text(collection, id, keys, body);
        Ok(())
    }

    /// As [`Batch::put`], of a text that is JSON.
    pub fn put_text(
        &mut self,
        collection: &'static Collection,
        id: &str,
        keys: Vec<Option<Key>>,
        body: String,
    ) {
        debug_assert_eq!(keys.len(), collection.indexes.len(), "{} has other indexes", collection.name);
        self.change(collection, id, Change::Put { body, keys });
    }

    /// Deletes a document, or does nothing where there is none.
    pub fn delete(&mut self, collection: &'static Collection, id: &str) {
        self.change(collection, id, Change::Delete);
    }

    /// Replaces the last `cut` bytes of a document's text, so that appending to a long one costs what is
    /// appended; `load` gives the keys where this batch has not touched it yet.
    ///
    /// # Errors
    /// The store cannot be read, or there is no such document.
    pub fn replace_tail(
        &mut self,
        collection: &'static Collection,
        id: &str,
        cut: usize,
        tail: &str,
        load: impl FnOnce() -> Vec<Option<Key>>,
    ) -> Result<(), DocumentError> {
        if self.change_of(collection, id).is_none() {
            let body = self.stored(collection, id)?;
            let body = body.ok_or_else(|| damaged(collection, id, "it is missing"))?;
            self.change(collection, id, Change::Put { body, keys: load() });
        }
        let Some(Change::Put { body, .. }) = of_collection(&mut self.changes, collection).get_mut(id) else {
            return Err(damaged(collection, id, "it was deleted"));
        };
        let kept = body.len().checked_sub(cut).filter(|&at| body.is_char_boundary(at));
        let kept = kept.ok_or_else(|| damaged(collection, id, "it is too short"))?;
        let before = body.split_off(kept);
        body.push_str(tail);
        self.undo.push((collection, id.to_owned(), Undo::Tail { kept, tail: before }));
        Ok(())
    }

    /// Every document of a small collection, in order of id.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn all(&self, collection: &'static Collection) -> Result<Vec<(String, String)>, DocumentError> {
        let mut all = BTreeMap::new();
        let mut after = String::new();
        loop {
            let stored = self.store.scan(collection, &after, SCANNED)?;
            let Some(last) = stored.last() else { break };
            after.clone_from(&last.id);
            let is_last = stored.len() < SCANNED;
            all.extend(stored.into_iter().map(|document| (document.id, document.body.as_ref().to_owned())));
            if is_last {
                break;
            }
        }
        for (id, change) in self.changed(collection) {
            match change.body() {
                Some(body) => drop(all.insert(id.to_owned(), body.to_owned())),
                None => drop(all.remove(id)),
            }
        }
        Ok(all.into_iter().collect())
    }

    /// The documents whose keys in an index begin with this one, in order of id; few enough to be held at once.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn under(
        &self,
        collection: &'static Collection,
        index: usize,
        key: &Key,
    ) -> Result<Vec<(String, String)>, DocumentError> {
        let mut under = BTreeMap::new();
        let mut after = None;
        loop {
            let (from, to) = (Some(key.clone()), key.after_all());
            let query = IndexQuery { index, from, to, is_descending: false, after, limit: SCANNED };
            let stored = self.store.page(collection, &query)?;
            after = stored.last().map(|last| (last.key.clone(), last.document.id.clone()));
            let is_last = stored.len() < SCANNED;
            let documents = stored.into_iter().map(|found| found.document);
            under.extend(documents.map(|document| (document.id, document.body.as_ref().to_owned())));
            if is_last {
                break;
            }
        }
        for (id, change) in self.changed(collection) {
            under.remove(id);
            if let Change::Put { body, keys } = change
                && keys[index].as_ref().is_some_and(|own| own.0.starts_with(&key.0))
            {
                under.insert(id.to_owned(), body.clone());
            }
        }
        Ok(under.into_iter().collect())
    }

    /// What this batch has done to a collection's documents.
    fn changed(&self, collection: &'static Collection) -> impl Iterator<Item = (&str, &Change)> {
        let changed = self.changes.iter().filter(|(known, _)| known.name == collection.name);
        changed.flat_map(|(_, changes)| changes.iter().map(|(id, change)| (id.as_str(), change)))
    }

    /// What has been done so far stays.
    pub(crate) fn mark(&mut self) {
        self.undo.clear();
    }

    /// Undoes everything since the last mark.
    pub(crate) fn revert(&mut self) {
        while let Some((collection, id, undo)) = self.undo.pop() {
            let changes = of_collection(&mut self.changes, collection);
            match undo {
                Undo::Restore(Some(change)) => drop(changes.insert(id, change)),
                Undo::Restore(None) => drop(changes.remove(&id)),
                Undo::Tail { kept, tail } => {
                    if let Some(Change::Put { body, .. }) = changes.get_mut(&id) {
                        body.truncate(kept);
                        body.push_str(&tail);
                    }
                }
            }
        }
    }

    /// Every change, in order of collection and id.
    pub(crate) fn into_changes(self) -> impl Iterator<Item = (&'static Collection, String, Change)> {
        let mut stored_keys = self.stored_keys.into_inner();
        let mut collections = self.changes;
        collections.sort_by_key(|(collection, _)| collection.name);
        let mut all = Vec::with_capacity(collections.iter().map(|(_, changes)| changes.len()).sum());
        for (collection, changes) in collections {
            let stored_keys = of_collection(&mut stored_keys, collection);
            let begin = all.len();
            all.extend(changes.into_iter().map(|(id, change)| {
                let before = stored_keys.remove(&id);
                (collection, id, with_new_keys_only(change, before))
            }));
            all[begin..].sort_unstable_by(|(_, one, _), (_, other, _)| one.cmp(other));
        }
        all.into_iter()
    }

    fn change(&mut self, collection: &'static Collection, id: &str, change: Change) {
        let before = of_collection(&mut self.changes, collection).insert(id.to_owned(), change);
        self.undo.push((collection, id.to_owned(), Undo::Restore(before)));
    }
}

fn of_collection<'a, T>(all: &'a mut ById<T>, collection: &'static Collection) -> &'a mut HashMap<String, T> {
    let place = all.iter().position(|(known, _)| known.name == collection.name);
    let place = place.unwrap_or_else(|| {
        all.push((collection, HashMap::new()));
        all.len() - 1
    });
    &mut all[place].1
}

/// Of a document that is stored under these keys, what is to be written.
fn with_new_keys_only(change: Change, before: Option<Vec<Option<Key>>>) -> Change {
    match (change, before) {
        (Change::Put { body, keys }, Some(before)) => {
            let keys = keys.into_iter().zip(before).enumerate();
            let keys = keys.filter(|(_, (key, before))| key != before);
            Change::Replace { body, keys: keys.map(|(index, (key, _))| (index, key)).collect() }
        }
        (change, _) => change,
    }
}

fn damaged(collection: &'static Collection, id: &str, reason: &str) -> DocumentError {
    DocumentError::Damaged { collection: collection.name, id: id.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::{Durability, SqliteDocuments};
    use super::*;

    static NOTES: Collection = Collection { name: "notes", indexes: &[] };

    #[test]
    fn what_an_event_did_can_be_undone() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteDocuments::open(&folder.path().join("read"), Durability::None).unwrap();
        store.prepare("noting", 1, &[&NOTES]).unwrap();
        let mut batch = Batch::new(&store);
        batch.put_text(&NOTES, "a", vec![], "[1]".into());
        batch.put_text(&NOTES, "b", vec![], "[1]".into());
        batch.mark();
        batch.replace_tail(&NOTES, "a", 1, ",2]", Vec::new).unwrap();
        batch.replace_tail(&NOTES, "a", 1, ",3]", Vec::new).unwrap();
        batch.delete(&NOTES, "b");
        batch.put_text(&NOTES, "c", vec![], "[]".into());
        assert_eq!(batch.text(&NOTES, "a").unwrap().as_deref(), Some("[1,2,3]"));
        assert_eq!(batch.text(&NOTES, "b").unwrap(), None);
        batch.revert();
        let expected = [("a".to_owned(), "[1]".to_owned()), ("b".to_owned(), "[1]".to_owned())];
        assert_eq!(batch.all(&NOTES).unwrap(), expected);
        batch.replace_tail(&NOTES, "missing", 1, "]", Vec::new).unwrap_err();
    }

    #[test]
    fn a_text_is_edited_where_it_can_be_and_keys_that_stay_are_not_written() {
        static RUNS: Collection = Collection { name: "runs", indexes: &["by_run", "by_time"] };
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteDocuments::open(&folder.path().join("read"), Durability::None).unwrap();
        store.prepare("running", 1, &[&RUNS]).unwrap();
        let keys = |run: &str| vec![Some(Key::new().text(run)), Some(Key::new().number(7))];
        let edit = |batch: &mut Batch<'_>, id: &str, to: Option<&str>| {
            let edited = batch.edit(&RUNS, id, |body, keys| {
                keys[0] = Some(Key::new().text(to?));
                Some(format!("[{body}]"))
            });
            edited.unwrap()
        };
        let mut batch = Batch::new(&store);
        batch.put_text(&RUNS, "a", keys("a"), "1".into());
        assert!(edit(&mut batch, "a", Some("b")));
        assert!(!edit(&mut batch, "a", None) && !edit(&mut batch, "missing", Some("b")));
        let changes: Vec<_> = batch.into_changes().collect();
        assert_eq!(changes[0].2, Change::Put { body: "[1]".into(), keys: keys("b") });
        store.commit(&super::super::Commit { changes, ..Default::default() }).unwrap();

        let mut batch = Batch::new(&store);
        assert!(!edit(&mut batch, "a", None) && edit(&mut batch, "a", Some("c")));
        batch.mark();
        batch.delete(&RUNS, "a");
        assert!(!edit(&mut batch, "a", Some("d")));
        batch.revert();
        let changes: Vec<_> = batch.into_changes().collect();
        let replace = Change::Replace { body: "[[1]]".into(), keys: vec![(0, Some(Key::new().text("c")))] };
        assert_eq!((changes.len(), &changes[0].2), (1, &replace));
    }

    #[test]
    fn documents_under_a_key_are_those_stored_and_those_of_the_batch() {
        static RUNS: Collection = Collection { name: "runs", indexes: &["by_run"] };
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteDocuments::open(&folder.path().join("read"), Durability::None).unwrap();
        store.prepare("running", 1, &[&RUNS]).unwrap();
        let keys = |run: &str| vec![Some(Key::new().text(run).number(7))];
        let mut batch = Batch::new(&store);
        // More than are read at once.
        for number in 0..=SCANNED {
            batch.put_text(&RUNS, &format!("a{number:04}"), keys("a"), "1".into());
            batch.put_text(&RUNS, &format!("b{number:04}"), keys("b"), "1".into());
        }
        batch.put_text(&RUNS, "aa", keys("aa"), "1".into());
        let changes = batch.into_changes().collect();
        store.commit(&super::super::Commit { changes, ..Default::default() }).unwrap();

        let mut batch = Batch::new(&store);
        let of_a = |batch: &Batch<'_>| batch.under(&RUNS, 0, &Key::new().text("a")).unwrap();
        assert_eq!(of_a(&batch).len(), SCANNED + 1);
        (1..=SCANNED).for_each(|number| batch.delete(&RUNS, &format!("a{number:04}")));
        batch.put_text(&RUNS, "a0000", keys("b"), "2".into());
        batch.put_text(&RUNS, "b0000", keys("a"), "2".into());
        batch.put_text(&RUNS, "b0001", vec![None], "2".into());
        assert_eq!(of_a(&batch), [("b0000".to_owned(), "2".to_owned())]);
    }
}
