//! Against a real server.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use database::testing::Database;

use super::super::{Change, conformance};
use super::*;

static NOTES: Collection = Collection { name: "notes", indexes: &["by_time"] };
const PATIENCE: Duration = Duration::from_secs(60);

fn open(database: &Database) -> PostgresDocuments {
    PostgresDocuments::open(&database.url()).unwrap()
}

fn kept(database: &Database) -> PostgresDocuments {
    let store = open(database);
    assert_eq!(store.hold().unwrap(), Hold::Begun);
    store
}

fn put(id: &str, body: &str, key: u64) -> Commit {
    let change = Change::Put { body: body.to_owned(), keys: vec![Some(Key::new().number(key))] };
    Commit { changes: vec![(&NOTES, id.to_owned(), change)], ..Commit::default() }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn it_conforms() {
    conformance::run(|| {
        let database = Database::create();
        (kept(&database), database)
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn one_process_keeps_the_documents_and_is_taken_over() {
    let database = Database::create();
    let (first, second) = (open(&database), open(&database));
    assert_eq!(second.keeper().unwrap(), Keeper::Never);
    assert!(matches!(first.get(&NOTES, "a"), Err(DocumentError::Unmade { .. })));
    assert_eq!((first.hold().unwrap(), first.hold().unwrap()), (Hold::Begun, Hold::GoesOn));
    first.prepare("noting", 2, &[&NOTES]).unwrap();
    first.commit(&put("a", "1", 1)).unwrap();
    assert_eq!(second.keeper().unwrap(), Keeper::There);
    assert_eq!(second.hold().unwrap(), Hold::Elsewhere);
    assert!(matches!(second.commit(&put("a", "2", 1)), Err(DocumentError::KeptElsewhere)));
    assert!(matches!(second.clear("noting", &[&NOTES]), Err(DocumentError::KeptElsewhere)));
    assert_eq!(second.get(&NOTES, "a").unwrap().as_deref(), Some("1"));
    // It is as slow as if it had been stopped for long.
    database.execute("UPDATE documents.keeper SET until = clock_timestamp() - interval '7 seconds'");
    assert!(matches!(second.keeper().unwrap(), Keeper::AwayFor(7..)));
    assert_eq!(second.hold().unwrap(), Hold::Begun);
    assert!(matches!(first.commit(&put("a", "3", 1)), Err(DocumentError::KeptElsewhere)));
    second.commit(&put("a", "4", 1)).unwrap();
    assert_eq!(first.hold().unwrap(), Hold::Elsewhere);
    second.release();
    assert_eq!(first.hold().unwrap(), Hold::Begun);
    // What a newer program has made is not made anew by an older one.
    let newer = first.prepare("noting", 1, &[&NOTES]).unwrap_err().to_string();
    assert!(newer.contains("version 2") && newer.contains("noting"), "{newer}");
    assert_eq!(first.get(&NOTES, "a").unwrap().as_deref(), Some("4"));
}

/// What was announced, as ids.
fn watched(store: &PostgresDocuments) -> Receiver<Option<Vec<String>>> {
    let (sender, receiver) = channel();
    let sender = std::sync::Mutex::new(sender);
    store.watch(Box::new(move |ids| {
        let ids = ids.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect());
        // The test may have ended.
        let _ = sender.lock().unwrap().send(ids);
    }));
    receiver
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn others_learn_which_documents_have_changed() {
    let database = Database::create();
    let store = kept(&database);
    store.prepare("noting", 1, &[&NOTES]).unwrap();
    let reader = open(&database);
    let announced = watched(&reader);
    // As soon as it listens, whatever it knew may be old.
    while announced.recv_timeout(PATIENCE).unwrap().is_some() {}
    let ids: Vec<_> = (0..500).map(|_| Uuid::new_v4().to_string()).collect();
    let changes = ids.iter().flat_map(|id| put(id, "1", 1).changes);
    let changes = changes.chain(put("r1/apple/BTC", "1", 1).changes).collect();
    store.commit(&Commit { changes, ..Commit::default() }).unwrap();
    let mut heard = Vec::new();
    while heard.len() < ids.len() {
        // A look may be quicker than the announcement, which comes all the same.
        heard.extend(announced.recv_timeout(PATIENCE).unwrap().unwrap_or_default());
    }
    assert_eq!(heard, ids, "those that are named by an id");
    database.cut_connections();
    while announced.recv_timeout(PATIENCE).unwrap().is_some() {}
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn documents_are_exchanged_while_they_are_read() {
    let database = Database::create();
    let store = kept(&database);
    store.prepare("noting", 1, &[&NOTES]).unwrap();
    store.commit(&put("a", "old", 1)).unwrap();
    let reader = open(&database);
    assert_eq!(reader.get(&NOTES, "a").unwrap().as_deref(), Some("old"));
    let next = NextDocuments::begin(&database.url()).unwrap();
    assert!(matches!(NextDocuments::begin(&database.url()), Err(DocumentError::Rebuilding)));
    next.store().prepare("noting", 1, &[&NOTES]).unwrap();
    next.store().commit(&put("a", "new", 1)).unwrap();
    store.commit(&put("b", "late", 2)).unwrap();
    let added = next.store().clone();
    let reading = reader.clone();
    let replaced: Result<(), DocumentError> = next.replace(&store, || {
        assert_eq!(reading.get(&NOTES, "a")?.as_deref(), Some("old"));
        added.commit(&put("b", "late", 2))
    });
    replaced.unwrap();
    for (id, body) in [("a", "new"), ("b", "late")] {
        assert_eq!(reader.get(&NOTES, id).unwrap().as_deref(), Some(body));
    }
    // Whoever kept the old ones begins again.
    assert!(matches!(store.commit(&put("a", "older", 1)), Err(DocumentError::KeptElsewhere)));
    assert_eq!(store.hold().unwrap(), Hold::Begun);
    store.commit(&put("a", "newer", 1)).unwrap();
    assert_eq!(reader.get(&NOTES, "a").unwrap().as_deref(), Some("newer"));
    let left = database.query("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'documents\\_%'");
    assert!(left.is_empty());
}

/// Any page costs what the first one does.
#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_page_is_sought_in_its_index() {
    let database = Database::create();
    let store = kept(&database);
    store.prepare("noting", 1, &[&NOTES]).unwrap();
    let changes = (0..20_000).flat_map(|number| put(&format!("{number:05}"), "{}", number).changes).collect();
    store.commit(&Commit { changes, ..Commit::default() }).unwrap();
    for (is_descending, first) in [(false, 18_001), (true, 17_999)] {
        let after = Some((Key::new().number(18_000), "18000".to_owned()));
        let query = IndexQuery { index: 0, from: None, to: None, is_descending, after, limit: 5 };
        let found = store.page(&NOTES, &query).unwrap();
        assert_eq!((found.len(), found[0].document.id.clone()), (5, format!("{first:05}")));
        let sql = schema::page_sql(&NOTES, &query);
        let sql = sql.replace("$1", "''").replace("$2", "'\\x0000000000004650'").replace("$3", "'18000'");
        let plan = format!("EXPLAIN {}", sql.replace("$4", "5"));
        let plan = store.run(async |connection| {
            let lines = sqlx::query_scalar(AssertSqlSafe(plan.as_str())).fetch_all(connection).await?;
            Ok(lines.into_iter().collect::<Vec<String>>().join("\n"))
        });
        let plan = plan.unwrap();
        assert!(plan.contains("using doc_notes_by_time") && !plan.contains("Sort"), "{plan}");
    }
}
