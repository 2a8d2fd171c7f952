//! Documents of a gateway, as its file has them.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::Value;

use crate::server::Server;

/// Waits until every projection has taken every event; none has stopped.
pub(crate) fn wait_at_head(server: &Server) {
    let is_at_head = |projection: &Value| {
        assert_eq!(projection["state"], "running", "{projection}");
        let mut cursors = projection["cursors"].as_array().unwrap().iter();
        cursors.all(|cursor| cursor["position"] == cursor["head"])
    };
    server.until(|| {
        let answer = server.get("/api/projections").json();
        let projections = answer.as_array().or(answer["items"].as_array()).unwrap().clone();
        assert!(!projections.is_empty());
        projections.iter().all(is_at_head).then_some(())
    });
}

/// Copies the files of the state, of a server that has ended.
pub(crate) fn copy_state(state: &Path, copy: &Path) {
    std::fs::create_dir(copy).unwrap();
    for entry in std::fs::read_dir(state).unwrap().map(Result::unwrap) {
        if entry.file_name().to_str().unwrap().contains(".sqlite") {
            std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
    }
}

/// Opens a file of a copied state.
pub(crate) fn open(copy: &Path, name: &str) -> Connection {
    let connection = Connection::open(copy.join(format!("{name}.sqlite"))).unwrap();
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok", "{name}");
    connection
}

/// The documents: tables by name, their rows in order as text.
fn documents(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let connection = open(folder, "read");
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
    let mut names = connection.prepare(sql).unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
    let rows = |table: &str| {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let text = |row: &rusqlite::Row<'_>| {
            (0..columns).map(|column| Ok(shown(row.get_ref(column)?))).collect::<Result<Vec<_>, _>>()
        };
        let rows = statement.query_map([], |row| text(row).map(|row| row.join(" "))).unwrap();
        let mut rows: Vec<_> = rows.map(Result::unwrap).collect();
        rows.sort();
        rows
    };
    names.map(|table| (table.clone(), rows(&table))).collect()
}

fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    }
}

/// The same documents, of which there are some.
pub(crate) fn assert_same_documents(live: &Path, rebuilt: &Path) {
    let (live, rebuilt) = (documents(live), documents(rebuilt));
    assert!(live.values().map(Vec::len).sum::<usize>() > 100);
    assert!(live.keys().eq(rebuilt.keys()));
    for (table, rows) in &live {
        let others = &rebuilt[table];
        for (one, other) in rows.iter().zip(others) {
            assert_eq!(one, other, "{table}");
        }
        assert_eq!(rows.len(), others.len(), "{table}");
    }
}
