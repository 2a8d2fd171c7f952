//! What a projection has made of a batch of events, before it is committed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Change, Collection, DocumentError, DocumentStore, IndexQuery, Key, Stored};

/// So many documents are read at once where all are.
const SCANNED: usize = 1000;

type Place = (&'static str, String);

/// Documents as they are after the events of a batch so far: reads see its own writes, and what an event
/// has done can be undone when it turns out that it cannot be applied.
pub struct Batch<'a> {
    store: &'a dyn DocumentStore,
    changes: BTreeMap<Place, (&'static Collection, Change)>,
    /// The keys of stored documents that were read: those that stay need not be written.
    stored_keys: RefCell<BTreeMap<Place, Vec<Option<Key>>>>,
    /// How to get back to the last mark, the newest last.
    undo: Vec<(Place, Undo)>,
}

enum Undo {
    /// The document's change was this, or none.
    Restore(Option<(&'static Collection, Change)>),
    /// The body had so many bytes, and this behind them.
    Tail { kept: usize, tail: String },
}

impl<'a> Batch<'a> {
    /// Nothing has changed yet.
    pub fn new(store: &'a dyn DocumentStore) -> Self {
        Self { store, changes: BTreeMap::new(), stored_keys: RefCell::default(), undo: Vec::new() }
    }

    /// A document's text.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn text(&self, collection: &'static Collection, id: &str) -> Result<Option<String>, DocumentError> {
        match self.changes.get(&(collection.name, id.to_owned())) {
            Some((_, change)) => Ok(change.body().map(str::to_owned)),
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
        let parsed = match self.changes.get(&(collection.name, id.to_owned())) {
            Some((_, change)) => change.body().map(serde_json::from_str),
            None => self.stored(collection, id)?.map(|body| serde_json::from_str(&body)),
        };
        parsed.transpose().map_err(|error| damaged(collection, id, &error.to_string()))
    }

    fn stored(&self, collection: &'static Collection, id: &str) -> Result<Option<String>, DocumentError> {
        let Some(Stored { body, keys }) = self.store.stored(collection, id)? else { return Ok(None) };
        self.stored_keys.borrow_mut().insert((collection.name, id.to_owned()), keys);
        Ok(Some(body))
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
        let place = (collection.name, id.to_owned());
        if !self.changes.contains_key(&place) {
            let body = self.stored(collection, id)?;
            let body = body.ok_or_else(|| damaged(collection, id, "it is missing"))?;
            self.change(collection, id, Change::Put { body, keys: load() });
        }
        let Some((_, Change::Put { body, .. })) = self.changes.get_mut(&place) else {
            return Err(damaged(collection, id, "it was deleted"));
        };
        let kept = body.len().checked_sub(cut).filter(|&at| body.is_char_boundary(at));
        let kept = kept.ok_or_else(|| damaged(collection, id, "it is too short"))?;
        let before = body.split_off(kept);
        body.push_str(tail);
        self.undo.push((place, Undo::Tail { kept, tail: before }));
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

    /// What this batch has done to a collection's documents, in order of id.
    fn changed(&self, collection: &'static Collection) -> impl Iterator<Item = (&str, &Change)> {
        let first = (collection.name, String::new());
        let changed = self.changes.range(first..).take_while(|((name, _), _)| *name == collection.name);
        changed.map(|((_, id), (_, change))| (id.as_str(), change))
    }

    /// What has been done so far stays.
    pub(crate) fn mark(&mut self) {
        self.undo.clear();
    }

    /// Undoes everything since the last mark.
    pub(crate) fn revert(&mut self) {
        while let Some((place, undo)) = self.undo.pop() {
            match undo {
                Undo::Restore(Some(change)) => drop(self.changes.insert(place, change)),
                Undo::Restore(None) => drop(self.changes.remove(&place)),
                Undo::Tail { kept, tail } => {
                    if let Some((_, Change::Put { body, .. })) = self.changes.get_mut(&place) {
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
        self.changes.into_iter().map(move |(place, (collection, change))| {
            let change = match (change, stored_keys.remove(&place)) {
                (Change::Put { body, keys }, Some(before)) => {
                    let keys = keys.into_iter().zip(before).enumerate();
                    let keys = keys.filter(|(_, (key, before))| key != before);
                    Change::Replace { body, keys: keys.map(|(index, (key, _))| (index, key)).collect() }
                }
                (change, _) => change,
            };
            (collection, place.1, change)
        })
    }

    fn change(&mut self, collection: &'static Collection, id: &str, change: Change) {
        let place = (collection.name, id.to_owned());
        let before = match self.changes.entry(place.clone()) {
            Entry::Occupied(mut entry) => Some(entry.insert((collection, change))),
            Entry::Vacant(entry) => {
                entry.insert((collection, change));
                None
            }
        };
        self.undo.push((place, Undo::Restore(before)));
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
