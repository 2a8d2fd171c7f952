//! What only files can show: other processes, folders and readers.

use std::path::Path;
use std::time::{Duration, Instant};

use super::SqliteLedger;
use crate::ledger::conformance::{commit, manifest, opened};
use crate::ledger::{Ledger, LedgerError, MEMBER_CALL_TIMEOUT, open, open_to_read};

#[test]
fn a_sqlite_ledger_outlives_its_process_and_a_foreign_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lane = {
        let mut ledger = SqliteLedger::open(folder.path()).unwrap();
        let lane = opened(&mut ledger);
        let epoch = ledger.claim(&lane, 0).unwrap().epoch;
        ledger.commit(&[commit(&lane, epoch, 0, 5)]).unwrap();
        lane
    };
    let mut ledger = SqliteLedger::open(folder.path()).unwrap();
    // Another member of the strategy has the same ledger open at once.
    let mut other = SqliteLedger::open(folder.path()).unwrap();
    assert_eq!(ledger.id(), other.id());
    let zombie = ledger.claim(&lane, 0).unwrap();
    assert_eq!(zombie.cursor, 5);
    let epoch = other.claim(&lane, 0).unwrap().epoch;
    assert_eq!(ledger.commit(&[commit(&lane, zombie.epoch, 5, 6)]).unwrap(), [0]);
    assert!(other.commit(&[commit(&lane, epoch, 5, 6)]).unwrap().is_empty());
    drop((ledger, other));
    let connection = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let error = SqliteLedger::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("has schema 99"), "{error}");
}

#[test]
fn a_sqlite_member_waits_a_second_at_most_for_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = SqliteLedger::open(folder.path()).unwrap();
    let lane = opened(&mut ledger);
    let other = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    assert!(ledger.beat(lane.run, &lane.strategy, "a").unwrap_err().is_temporary());
    assert!(ledger.leave(lane.run, &lane.strategy, "a").unwrap_err().is_temporary());
    ledger.set_call_timeout(Duration::from_millis(10));
    assert!(ledger.claim(&lane, 0).unwrap_err().is_temporary());
    assert!(began.elapsed() < 3 * MEMBER_CALL_TIMEOUT, "{:?}", began.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(ledger.beat(lane.run, &lane.strategy, "a").unwrap(), ["a"]);
}

#[test]
fn a_folder_has_one_replay_or_several_members_and_any_number_of_readers() {
    let folder = tempfile::tempdir().unwrap();
    let missing = SqliteLedger::open_to_read(folder.path()).unwrap_err();
    assert!(matches!(missing, LedgerError::Missing { .. }), "{missing}");
    let mut replay = SqliteLedger::open_exclusive(folder.path()).unwrap();
    let run = opened(&mut replay).run;
    let own = format!("in use by process {}:", std::process::id());
    for refused in [SqliteLedger::open_exclusive(folder.path()), SqliteLedger::open(folder.path())] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains(&own), "{error}");
    }
    let mut reader = SqliteLedger::open_to_read(folder.path()).unwrap();
    assert!(reader.lanes(run).unwrap().is_empty() && reader.id() == replay.id());
    assert!(reader.open_run(&manifest("2")).is_err(), "it only reads");
    drop(replay);

    let members = [SqliteLedger::open(folder.path()).unwrap(), SqliteLedger::open(folder.path()).unwrap()];
    let error = SqliteLedger::open_exclusive(folder.path()).unwrap_err().to_string();
    assert!(error.contains(&own), "{error}");
    drop(members);
    SqliteLedger::open_exclusive(folder.path()).unwrap();
}

#[test]
fn what_is_neither_a_folder_nor_a_known_url_is_refused() {
    for text in ["postgre://localhost/orchard", "mysql://localhost/orchard"] {
        let scheme = text.split_once(':').unwrap().0;
        for error in [open(text).map(drop), open_to_read(text).map(drop)] {
            let error = error.unwrap_err().to_string();
            assert!(error.contains(&format!("{scheme}://…")) && error.contains("postgres://USER"), "{error}");
        }
        let error = SqliteLedger::open_exclusive(Path::new(text)).unwrap_err().to_string();
        assert!(error.contains("give a folder"), "{error}");
        assert!(!Path::new(&format!("{scheme}:")).exists());
    }
}
