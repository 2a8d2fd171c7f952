//! What holds for every store of documents.

use super::{Change, Collection, Commit, Cursor, DocumentStore, IndexQuery, Key, Stop, Stored};

static NOTES: Collection = Collection { name: "notes", indexes: &["by_time", "by_author"] };

/// Runs every case against a new store; what comes beside it lives as long.
pub(crate) fn run<S: DocumentStore, Place>(open: impl Fn() -> (S, Place)) {
    let cases: [fn(&dyn DocumentStore); 6] = [
        puts_replace_and_deletes_delete,
        a_replaced_document_stays_in_other_indexes,
        pages_follow_an_index,
        any_text_is_an_id,
        another_version_begins_anew,
        a_commit_is_whole,
    ];
    for case in cases {
        let (store, place) = open();
        store.prepare("noting", 1, &[&NOTES]).unwrap();
        case(&store);
        drop(store);
        drop(place);
    }
}

fn put(id: &str, body: &str, time: u64, author: Option<&str>) -> (&'static Collection, String, Change) {
    let keys = vec![Some(Key::new().number(time)), author.map(|author| Key::new().text(author))];
    (&NOTES, id.to_owned(), Change::Put { body: body.to_owned(), keys })
}

fn commit(store: &dyn DocumentStore, changes: Vec<(&'static Collection, String, Change)>) {
    store.commit(&Commit { changes, ..Commit::default() }).unwrap();
}

fn all(index: usize) -> IndexQuery {
    IndexQuery { index, from: None, to: None, is_descending: false, after: None, limit: 100 }
}

fn ids(store: &dyn DocumentStore, query: &IndexQuery) -> Vec<String> {
    store.page(&NOTES, query).unwrap().into_iter().map(|found| found.document.id).collect()
}

fn puts_replace_and_deletes_delete(store: &dyn DocumentStore) {
    commit(store, vec![put("a", "1", 1, Some("x")), put("b", "2", 2, None)]);
    assert_eq!(store.get(&NOTES, "a").unwrap().as_deref(), Some("1"));
    assert_eq!(store.get(&NOTES, "c").unwrap(), None);
    commit(store, vec![put("a", "3", 3, None), (&NOTES, "b".into(), Change::Delete)]);
    assert_eq!(store.get(&NOTES, "a").unwrap().as_deref(), Some("3"));
    assert_eq!(store.get(&NOTES, "b").unwrap(), None);
    assert_eq!(ids(store, &all(0)), ["a"]);
    assert!(ids(store, &all(1)).is_empty(), "the old key of a replaced document finds nothing");
    let scanned = store.scan(&NOTES, "", 10).unwrap();
    assert_eq!(scanned.len(), 1);
    assert!(store.scan(&NOTES, "a", 10).unwrap().is_empty());
}

fn a_replaced_document_stays_in_other_indexes(store: &dyn DocumentStore) {
    commit(store, vec![put("a", "1", 1, Some("x")), put("b", "1", 2, None)]);
    assert_eq!(store.stored(&NOTES, "c").unwrap(), None);
    let keys = vec![Some(Key::new().number(1)), Some(Key::new().text("x"))];
    assert_eq!(store.stored(&NOTES, "a").unwrap(), Some(Stored { body: "1".into(), keys }));
    // Who reads only does not wait for whoever has begun to write.
    assert_eq!(store.get(&NOTES, "a").unwrap().as_deref(), Some("1"));
    let replace =
        |id: &str, body: &str, keys| (&NOTES, id.to_owned(), Change::Replace { body: body.into(), keys });
    let author = Some(Key::new().text("y"));
    commit(store, vec![replace("a", "2", vec![(1, None)]), replace("b", "2", vec![(1, author.clone())])]);
    assert_eq!(store.get(&NOTES, "a").unwrap().as_deref(), Some("2"));
    assert_eq!(ids(store, &all(0)), ["a", "b"]);
    assert_eq!(ids(store, &all(1)), ["b"]);
    commit(store, vec![replace("b", "3", vec![(0, Some(Key::new().number(0))), (1, None)])]);
    assert_eq!(ids(store, &all(0)), ["b", "a"]);
    assert!(ids(store, &all(1)).is_empty());
    let changes = vec![replace("a", "4", vec![]), replace("c", "4", vec![])];
    store.commit(&Commit { changes, ..Commit::default() }).unwrap_err();
    assert_eq!(store.stored(&NOTES, "a").unwrap().map(|stored| stored.body).as_deref(), Some("2"));
}

fn pages_follow_an_index(store: &dyn DocumentStore) {
    commit(store, (0..10).map(|n| put(&format!("n{n}"), "{}", n / 2, Some("x"))).collect());
    let mut query = IndexQuery { limit: 3, ..all(0) };
    let mut seen = Vec::new();
    loop {
        let page = store.page(&NOTES, &query).unwrap();
        let Some(last) = page.last() else { break };
        query.after = Some((last.key.clone(), last.document.id.clone()));
        seen.extend(page.into_iter().map(|found| found.document.id));
    }
    let mut expected: Vec<_> = (0..10).map(|n| format!("n{n}")).collect();
    assert_eq!(seen, expected);
    expected.reverse();
    assert_eq!(ids(store, &IndexQuery { is_descending: true, ..all(0) }), expected);
    let after = Some((Key::new().number(2), "n4".to_owned()));
    let descending = IndexQuery { is_descending: true, after, limit: 2, ..all(0) };
    assert_eq!(ids(store, &descending), ["n3", "n2"]);
    let bounded = IndexQuery { from: Some(Key::new().number(1)), to: Some(Key::new().number(2)), ..all(0) };
    assert_eq!(ids(store, &bounded), ["n2", "n3"]);
    let count = |query: &IndexQuery| store.count(&NOTES, query).unwrap();
    assert_eq!((count(&all(0)), count(&bounded)), (10, 2));
    assert_eq!(count(&IndexQuery { limit: 3, ..all(0) }), 3);
    assert_eq!(count(&IndexQuery { from: Some(Key::new().text("y")), ..all(1) }), 0);
}

/// Ids sort by their bytes, whatever language the store thinks they are in.
fn any_text_is_an_id(store: &dyn DocumentStore) {
    let ids = ["\0", "\0a", " ", "A", "Z", "a", "a\0", "a/b", "b", "é", "\u{fffd}", "\u{10ffff}"];
    commit(store, ids.iter().map(|id| put(id, "\"\\u0000 é\"", 1, Some(id))).collect());
    let scanned: Vec<_> = store.scan(&NOTES, "", 100).unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(scanned, ids);
    assert_eq!(self::ids(store, &all(0)), ids);
    for id in ids {
        assert_eq!(store.get(&NOTES, id).unwrap().as_deref(), Some("\"\\u0000 é\""), "{id:?}");
    }
}

fn another_version_begins_anew(store: &dyn DocumentStore) {
    let cursor = Cursor { projection: "noting".into(), context: "ticks".into(), position: 7 };
    let changes = vec![put("a", "1", 1, None)];
    store.commit(&Commit { changes, cursors: vec![cursor.clone()], ..Commit::default() }).unwrap();
    store.prepare("noting", 1, &[&NOTES]).unwrap();
    assert_eq!(store.cursors().unwrap(), [cursor]);
    store.prepare("noting", 2, &[&NOTES]).unwrap();
    assert_eq!(store.cursors().unwrap(), []);
    assert_eq!(store.get(&NOTES, "a").unwrap(), None);
    commit(store, vec![put("a", "1", 1, None)]);
    store.clear("noting", &[&NOTES]).unwrap();
    assert_eq!(store.get(&NOTES, "a").unwrap(), None);
    assert!(ids(store, &all(0)).is_empty());
}

fn a_commit_is_whole(store: &dyn DocumentStore) {
    static MISSING: Collection = Collection { name: "missing", indexes: &[] };
    let cursor = Cursor { projection: "noting".into(), context: "ticks".into(), position: 1 };
    let stop = Stop {
        projection: "noting".into(),
        context: "ticks".into(),
        position: 2,
        event: "E".into(),
        reason: "why".into(),
        is_skipped: false,
    };
    let missing = (&MISSING, "x".to_owned(), Change::Put { body: "{}".into(), keys: vec![] });
    let whole = |changes| {
        let (cursors, stops) = (vec![cursor.clone()], vec![stop.clone()]);
        Commit { changes, cursors, stops, ..Commit::default() }
    };
    store.commit(&whole(vec![put("a", "1", 1, None), missing])).unwrap_err();
    assert_eq!(store.get(&NOTES, "a").unwrap(), None);
    assert!(store.cursors().unwrap().is_empty() && store.stops().unwrap().is_empty());
    store.commit(&whole(vec![put("a", "1", 1, None)])).unwrap();
    assert_eq!(store.cursors().unwrap(), std::slice::from_ref(&cursor));
    assert_eq!(store.stops().unwrap(), std::slice::from_ref(&stop));
    let skipped = Stop { is_skipped: true, ..stop };
    store.commit(&Commit { stops: vec![skipped.clone()], ..Commit::default() }).unwrap();
    assert_eq!(store.stops().unwrap(), [skipped]);
}
