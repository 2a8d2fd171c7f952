//! A context's own tables.

use super::*;
use crate::values;

/// The tables that the suite's stores are opened with.
pub(in crate::store) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS thing (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    name TEXT,
    size INTEGER,
    weight REAL,
    is_old INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS thing_of_size ON thing (size) WHERE is_old = 0;
CREATE TABLE IF NOT EXISTS counted (name TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

const ADD: &str = "INSERT INTO thing (id, name, size, weight) VALUES ($1, $2, $3, $4)";

fn things(store: &dyn Store) -> u64 {
    store.query("SELECT count(*) FROM thing", &[]).unwrap()[0].get(0).unwrap()
}

pub(in crate::store) fn values_come_back_as_they_were(store: &dyn Store) {
    let mut transaction = store.begin().unwrap();
    let tables = transaction.tables();
    let long = "ä€𝄞 \u{1}\n".repeat(1000);
    assert_eq!(tables.execute(ADD, &values![Uuid::from_u128(7), long.as_str(), -5_i64, 0.5]).unwrap(), 1);
    let nothing = [Value::Bytes(vec![0, 0xff]), Value::Null, Value::Null, Value::Null];
    assert_eq!(tables.execute(ADD, &nothing).unwrap(), 1);
    assert_eq!(tables.execute(ADD, &values![[1; 16], "", u64::MAX, 1e300]).unwrap(), 1);
    // A parameter may be named twice, and out of order.
    let sql = "UPDATE thing SET is_old = $2, name = name || $1 WHERE size = $3 AND size = $3";
    assert_eq!(tables.execute(sql, &values!["!", true, -5_i64]).unwrap(), 1);
    let sql = "SELECT id, name, size, weight, is_old, 1 FROM thing ORDER BY seq";
    let rows = tables.query(sql, &[]).unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].get::<Uuid>(0).unwrap(), Uuid::from_u128(7));
    assert_eq!(rows[0].get::<String>(1).unwrap(), long + "!");
    assert_eq!((rows[0].get::<i64>(2).unwrap(), rows[0].get::<f64>(3).unwrap()), (-5, 0.5));
    assert_eq!((rows[0].get::<bool>(4).unwrap(), rows[0].get::<u32>(5).unwrap()), (true, 1));
    assert_eq!(rows[1].get::<Vec<u8>>(0).unwrap(), [0, 0xff]);
    assert_eq!(rows[1].get::<Option<String>>(1).unwrap(), None);
    assert_eq!(rows[2].get::<Option<u64>>(2).unwrap(), Some(u64::MAX));
    assert_eq!(rows[2].get::<String>(1).unwrap(), "");
    for (column, expected) in [(1, "16 bytes"), (9, "16 bytes")] {
        let error = rows[0].get::<Uuid>(column).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("FROM thing"), "{error}");
    }
    assert!(
        rows[0].get::<String>(2).is_err()
            && rows[0].get::<u32>(2).is_err()
            && rows[1].get::<String>(1).is_err()
    );
    assert_eq!(things(store), 0, "nobody sees it before it is committed");
    transaction.commit().unwrap();
    assert_eq!(things(store), 3);
    let found =
        store.query("SELECT name FROM thing WHERE size = $1 LIMIT $2", &values![u64::MAX, 1_u64]).unwrap();
    assert_eq!(found[0].get::<String>(0).unwrap(), "");
}

pub(in crate::store) fn what_conflicts_is_counted(store: &dyn Store) {
    let count = "INSERT INTO counted (name, count) VALUES ($1, 1) \
                 ON CONFLICT (name) DO UPDATE SET count = counted.count + excluded.count WHERE counted.count < $2";
    let mut transaction = store.begin().unwrap();
    let changed = [9_u64, 9, 2].map(|most| transaction.tables().execute(count, &values!["a", most]).unwrap());
    assert_eq!(changed, [1, 1, 0]);
    let sql = "INSERT INTO counted (name, count) VALUES ($1, 7) ON CONFLICT DO NOTHING";
    assert_eq!(transaction.tables().execute(sql, &values!["a"]).unwrap(), 0);
    transaction.commit().unwrap();
    let rows = store.query("SELECT name, count FROM counted", &[]).unwrap();
    assert_eq!((rows.len(), rows[0].get::<u64>(1).unwrap()), (1, 2));
}

/// Whatever store it is, nothing follows a statement that failed.
pub(in crate::store) fn a_statement_that_fails_ends_its_transaction(store: &dyn Store) {
    let unique = "INSERT INTO counted (name, count) VALUES ('a', 1)";
    for wrong in ["INSERT INTO nowhere VALUES (1)", "this is no SQL", unique] {
        let mut transaction = store.begin().unwrap();
        transaction.append(&[event("X")], NOW).unwrap();
        transaction.tables().execute(unique, &[]).unwrap();
        let error = transaction.tables().execute(wrong, &[]).unwrap_err();
        assert!(error.to_string().contains(wrong), "{error}");
        assert_eq!(matches!(error, TablesError::UniqueViolation { .. }), wrong == unique, "{error}");
        let after = transaction.tables().query("SELECT 1", &[]).unwrap_err();
        assert!(matches!(after, TablesError::AfterError { .. }), "{after}");
        assert!(transaction.is_open(), "it is the handler's failure, not the store's");
        let error = transaction.commit().unwrap_err();
        assert!(!error.may_pass(), "{error}");
    }
    let error = store.query("SELECT nothing FROM nowhere", &[]).unwrap_err().to_string();
    assert!(error.contains("SELECT nothing FROM nowhere"), "{error}");
    assert_eq!(store.head().unwrap(), 0);
    assert_eq!(store.query("SELECT 1 FROM counted", &[]).unwrap().len(), 0);
    append(store, &["X"]);
    assert_eq!(positions(store), [1]);
}
