//! Documents that were read lately, in memory.

use std::collections::HashMap;

use super::Collection;
use super::served::{PARTS, Text};

/// So many bytes of bodies and ids are kept in memory, in two halves of each part.
const KEPT_BYTES: usize = 64 << 20;

/// Documents in memory: when the younger half is full, the older one is forgotten.
#[derive(Default)]
pub(super) struct Recent {
    young: Kept,
    old: Kept,
    /// Committed changes so far: what was read before one is not kept after it.
    pub(super) commits: u64,
    /// Changes that are being committed: what is read meanwhile is not kept.
    pending: u64,
}

#[derive(Default)]
struct Kept {
    documents: HashMap<&'static str, HashMap<String, Text>>,
    bytes: usize,
}

impl Recent {
    pub(super) fn get(&mut self, collection: &'static Collection, id: &str) -> Option<Text> {
        if let Some(text) = self.young.get(collection, id) {
            return Some(text);
        }
        let text = self.old.get(collection, id)?;
        self.insert(collection, id.to_owned(), text.clone());
        Some(text)
    }

    pub(super) fn insert_unless_changed(
        &mut self,
        seen: u64,
        collection: &'static Collection,
        id: String,
        text: Text,
    ) {
        if seen == self.commits && self.pending == 0 {
            self.insert(collection, id, text);
        }
    }

    fn insert(&mut self, collection: &'static Collection, id: String, text: Text) {
        if self.young.bytes > KEPT_BYTES / 2 / PARTS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.bytes += id.len() + text.body.len();
        self.young.documents.entry(collection.name).or_default().insert(id, text);
    }

    /// Forgets the document, and keeps none until the change has ended. Whether it was kept.
    pub(super) fn begin_change(&mut self, collection: &'static Collection, id: &str) -> bool {
        self.pending += 1;
        self.young.forget(collection, id) | self.old.forget(collection, id)
    }

    /// Keeps the document again, where it has a text that is to be kept.
    pub(super) fn end_change(&mut self, collection: &'static Collection, id: &str, body: Option<&str>) {
        self.pending -= 1;
        self.commits += 1;
        if let Some(body) = body {
            self.insert(collection, id.to_owned(), Text::of(body));
        }
    }

    pub(super) fn clear(&mut self) {
        self.young = Kept::default();
        self.old = Kept::default();
        self.commits += 1;
    }
}

impl Kept {
    fn get(&self, collection: &Collection, id: &str) -> Option<Text> {
        self.documents.get(collection.name)?.get(id).cloned()
    }

    fn forget(&mut self, collection: &Collection, id: &str) -> bool {
        let forgotten = self.documents.get_mut(collection.name).and_then(|kept| kept.remove(id));
        self.bytes -= forgotten.as_ref().map_or(0, |text| id.len() + text.body.len());
        forgotten.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static NOTES: Collection = Collection { name: "notes", indexes: &[] };

    #[test]
    fn what_was_read_before_a_commit_is_not_kept_after_it() {
        let change = |recent: &mut Recent, body: &str| {
            let was_kept = recent.begin_change(&NOTES, "a");
            recent.end_change(&NOTES, "a", Some(body).filter(|_| was_kept));
        };
        let mut recent = Recent::default();
        let seen = recent.commits;
        change(&mut recent, "2");
        recent.insert_unless_changed(seen, &NOTES, "a".into(), Text::of("1"));
        assert_eq!(recent.get(&NOTES, "a"), None);
        recent.insert_unless_changed(recent.commits, &NOTES, "a".into(), Text::of("2"));
        assert_eq!(recent.get(&NOTES, "a"), Some(Text::of("2")));
        change(&mut recent, "3");
        assert_eq!(recent.get(&NOTES, "a"), Some(Text::of("3")));
    }

    #[test]
    fn memory_is_bounded() {
        let mut recent = Recent::default();
        let text = Text::of(&"x".repeat(1 << 15));
        for number in 0..200 {
            recent.insert(&NOTES, number.to_string(), text.clone());
        }
        assert!(recent.young.bytes + recent.old.bytes <= KEPT_BYTES / PARTS + (2 << 16));
        assert!(recent.get(&NOTES, "199").is_some());
        assert_eq!(recent.get(&NOTES, "0"), None);
    }
}
