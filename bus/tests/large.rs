//! Millions of rows in inbox, outbox and log cost nobody anything: starting, accepting, handling, sending on and
//! sweeping read as much of the file as they do of a small one.

#![cfg(target_os = "linux")]

use std::path::Path;

use bus::store::{NewCommand, Sweep};
use bus::{SqliteStore, Store};
use rusqlite::Connection;
use tick_sdk::contracts::{CommandId, ConversationId};

/// Rows of the short form and of the long one (`ORCHARD_TEST_LONG=1`).
const SHORT: u64 = 1_000_000;
const LONG: u64 = 10_000_000;

/// All of it ended long ago, but for every thousandth command, which waits for a handler that this program has not.
const FILL: &str = "
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
BEGIN;
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :rows)
INSERT INTO command SELECT n, CAST(printf('%016d', n) AS BLOB), zeroblob(16), NULL, 'Old', 1, 'tests', '', 1,
    zeroblob(16), '{}', NULL FROM n;
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :rows)
INSERT INTO inbox SELECT n, 'Old', CASE WHEN n % 1000 = 0 THEN 0 ELSE 2 END, 1, 1, n, :position, NULL FROM n;
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :rows)
INSERT INTO event SELECT n, zeroblob(16), 'CommandAccepted', 1, zeroblob(16), NULL, NULL, 1, '{}' FROM n;
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :rows)
INSERT INTO outgoing SELECT n, CAST(printf('%016d', n) AS BLOB), zeroblob(16), NULL, 'Old', 1, 'tests', '', '{}', NULL
    FROM n;
COMMIT;
";

fn filled(file: &Path, rows: u64) -> SqliteStore {
    drop(SqliteStore::open(file, "").unwrap());
    let connection = Connection::open(file).unwrap();
    // Each command's status event is the one of its own number, in 8 bytes.
    connection
        .execute_batch(&FILL.replace(":rows", &rows.to_string()).replace(
            ":position",
            "unhex(printf('%02x%02x%02x%02x00000000', n & 255, n >> 8 & 255, n >> 16 & 255, n >> 24 & 255))",
        ))
        .unwrap();
    drop(connection);
    SqliteStore::open(file, "").unwrap()
}

/// Bytes that this thread has read from files so far, by the kernel's count.
fn bytes_read() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap();
    line.parse().unwrap()
}

fn command(number: u128) -> NewCommand {
    let command_id = CommandId(uuid::Uuid::from_u128(number));
    NewCommand {
        command_id,
        conversation_id: ConversationId(command_id.0),
        initiator_id: None,
        name: "New".to_owned(),
        version: 1,
        endpoint: "tests".to_owned(),
        caller: String::new(),
        body: "{}".to_owned(),
        original: None,
    }
}

/// What each step reads.
fn costs(folder: &Path, rows: u64) -> Vec<(&'static str, u64)> {
    let file = folder.join(format!("{rows}.sqlite"));
    drop(filled(&file, rows));
    let mut costs = Vec::new();
    let mut before = bytes_read();
    let mut note = |what| {
        let now = bytes_read();
        costs.push((what, now - before));
        before = bytes_read();
    };
    let store = SqliteStore::open(&file, "").unwrap();
    note("start");
    assert_eq!(store.head().unwrap(), rows);
    note("head");
    store.accept(&[command(1), command(2)], 5).unwrap();
    note("accept");
    assert_eq!(store.due("New", 5, 100).unwrap().len(), 2);
    assert_eq!(store.due("Other", 5, 100).unwrap(), []);
    assert_eq!(store.next_due("Other").unwrap(), None);
    assert_eq!(store.next_due("Old").unwrap(), Some(1));
    note("due");
    assert_eq!(store.due("Old", 5, 100).unwrap().len() as u64, (rows / 1000).min(100));
    note("a hundred that are due");
    assert_eq!(store.events_after(rows / 2, 100).unwrap().len(), 100);
    assert_eq!(store.events_after(rows, 100).unwrap().len(), 2);
    note("events");
    let outgoing = store.outgoing(256).unwrap();
    store.forget_outgoing(outgoing.last().unwrap().0).unwrap();
    note("outgoing");
    let sweep = |ended_before_ms| Sweep { ended_before_ms, known_before_ms: ended_before_ms, limit: 500 };
    assert_eq!(store.ended_beyond(1000).unwrap(), Some(rows - 1002));
    assert_eq!(store.ended_beyond(rows + 2).unwrap(), None);
    note("too many");
    assert_eq!(store.sweep(&sweep(rows), 9).unwrap(), 500);
    note("sweep");
    assert_eq!(store.sweep(&sweep(rows), 9).unwrap(), 500);
    note("sweep again");
    assert_eq!(store.sweep(&sweep(0), 9).unwrap(), 0);
    note("nothing to sweep");
    drop(store);
    let store = SqliteStore::open(&file, "").unwrap();
    assert_eq!(store.head().unwrap(), rows + 4);
    assert_eq!(
        store.events_after(0, 1).unwrap()[0].position,
        1_000,
        "the first that waits is the first that is kept"
    );
    costs
}

#[test]
fn what_is_done_again_and_again_costs_the_same_with_millions_of_rows() {
    let rows = if std::env::var_os("ORCHARD_TEST_LONG").is_some() { LONG } else { SHORT };
    // The short form fits into memory, and need not wait for a disk.
    let memory = Path::new("/dev/shm");
    let folder =
        if rows == SHORT && memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.unwrap();
    let (small, large) = (costs(folder.path(), 100_000), costs(folder.path(), rows));
    let size = std::fs::metadata(folder.path().join(format!("{rows}.sqlite"))).unwrap().len();
    for ((what, few), (_, many)) in small.into_iter().zip(large) {
        println!("{what}: {few} bytes of 100000 rows, {many} of {rows}");
        // A tree of ten times as many rows is a page deeper here and there.
        assert!(
            many <= few + few / 2 + 64 * 4096,
            "{what} reads {many} bytes, and {few} where there are few rows"
        );
        assert!(many < size / 100, "{what} reads {many} bytes of {size}");
    }
}
