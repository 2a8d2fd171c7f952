//! What every ledger promises; each implementation runs the suite.

use tick_sdk::run::Manifest;
use tick_sdk::{NewInstrument, RunId};

use super::*;

fn manifest(shards: &str) -> Manifest {
    Manifest::new([("shards", shards), ("source 1", "a.gz")])
}

fn commit(lane: &LaneId, epoch: u64, from_seq: u64, to_seq: u64) -> Commit {
    Commit {
        lane: lane.clone(),
        epoch,
        from_seq,
        to_seq,
        signals: vec![from_seq as u8, to_seq as u8],
        new_instruments: Vec::new(),
        states: None,
        ended: false,
    }
}

fn instrument(id: u32) -> NewInstrument {
    NewInstrument { id, symbol: format!("S{id}"), key: "k".to_owned() }
}

fn opened(ledger: &mut dyn Ledger) -> LaneId {
    let run = ledger.open_run(&manifest("1")).unwrap().run;
    LaneId { run, strategy: "apple".to_owned(), shard: 0 }
}

fn identity(params: &str) -> Identity {
    Identity { name: "fast".to_owned(), strategy: "apple".to_owned(), version: 1, params: params.to_owned() }
}

macro_rules! conformance {
    ($name:ident, $make:expr) => {
        mod $name {
            use super::*;

            #[test]
            fn a_run_is_found_again_and_another_refused() {
                let (mut ledger, _guard) = $make;
                let first = ledger.open_run(&manifest("1")).unwrap();
                let again = ledger.open_run(&manifest("1")).unwrap();
                assert_eq!((first.resumed, again.resumed, again.run), (false, true, first.run));
                let error = ledger.open_run(&manifest("3")).unwrap_err().to_string();
                assert!(error.contains("shards was 1, and is now 3"), "{error}");
            }

            #[test]
            fn another_identity_is_refused_with_the_difference() {
                let (mut ledger, _guard) = $make;
                let run = opened(&mut ledger).run;
                ledger.identify(run, &identity("fast=8")).unwrap();
                ledger.identify(run, &identity("fast=8")).unwrap();
                let error = ledger.identify(run, &identity("fast=9")).unwrap_err().to_string();
                assert!(error.contains("parameters fast=8, and now has fast=9"), "{error}");
            }

            #[test]
            fn what_was_committed_is_claimed() {
                let (mut ledger, _guard) = $make;
                let lane = opened(&mut ledger);
                let claim = ledger.claim(&lane).unwrap();
                assert_eq!((claim.epoch, claim.cursor, claim.state_seq, claim.ended), (1, 0, 0, false));
                let state = |byte| ("S0".to_owned(), vec![byte]);
                let first = Commit {
                    new_instruments: vec![instrument(0), instrument(1)],
                    states: Some(vec![state(1), ("S1".to_owned(), vec![9])]),
                    ..commit(&lane, 1, 0, 10)
                };
                // The second stores no state, the third only the key that changed.
                let third = Commit { states: Some(vec![state(3)]), ..commit(&lane, 1, 20, 30) };
                let fourth = Commit { signals: Vec::new(), ..commit(&lane, 1, 30, 40) };
                for one in [first, commit(&lane, 1, 10, 20), third, fourth] {
                    assert!(ledger.commit(&[one]).unwrap().is_empty());
                }
                let claim = ledger.claim(&lane).unwrap();
                assert_eq!((claim.epoch, claim.cursor, claim.state_seq), (2, 40, 30));
                assert_eq!(claim.states, [state(3), ("S1".to_owned(), vec![9])]);
                assert_eq!(claim.dictionary, [instrument(0), instrument(1)]);
                let begins = |from, limit| -> Vec<u64> {
                    ledger.batches(&lane, from, limit).unwrap().iter().map(|batch| batch.from_seq).collect()
                };
                assert_eq!(begins(0, 9), [0, 10, 20]);
                assert_eq!(begins(1, 1), [10]);
            }

            #[test]
            fn a_lost_claim_commits_nothing_and_others_go_on() {
                let (mut ledger, _guard) = $make;
                let lane = opened(&mut ledger);
                let other = LaneId { shard: 1, ..lane.clone() };
                let zombie = ledger.claim(&lane).unwrap().epoch;
                let owner = ledger.claim(&lane).unwrap().epoch;
                let epoch = ledger.claim(&other).unwrap().epoch;
                let fenced =
                    ledger.commit(&[commit(&lane, zombie, 0, 5), commit(&other, epoch, 0, 7)]).unwrap();
                assert_eq!(fenced, [0]);
                assert!(ledger.commit(&[commit(&lane, owner, 0, 6)]).unwrap().is_empty());
                assert_eq!(ledger.claim(&lane).unwrap().cursor, 6);
                assert_eq!(ledger.claim(&other).unwrap().cursor, 7);
                assert_eq!(ledger.batches(&lane, 0, 9).unwrap().len(), 1);
            }

            #[test]
            fn a_commit_that_does_not_follow_is_fenced() {
                let (mut ledger, _guard) = $make;
                let lane = opened(&mut ledger);
                let epoch = ledger.claim(&lane).unwrap().epoch;
                assert!(ledger.commit(&[commit(&lane, epoch, 0, 5)]).unwrap().is_empty());
                for from in [0, 4, 6] {
                    assert_eq!(ledger.commit(&[commit(&lane, epoch, from, 9)]).unwrap(), [0], "from {from}");
                }
                let end = Commit { ended: true, ..commit(&lane, epoch, 5, 5) };
                assert!(ledger.commit(&[end]).unwrap().is_empty());
                assert_eq!(ledger.commit(&[commit(&lane, epoch, 5, 6)]).unwrap(), [0], "the run has ended");
                let claim = ledger.claim(&lane).unwrap();
                assert!(claim.ended && claim.cursor == 5);
            }

            #[test]
            fn a_lane_never_claimed_has_nothing() {
                let (mut ledger, _guard) = $make;
                let lane = opened(&mut ledger);
                assert_eq!(ledger.commit(&[commit(&lane, 1, 0, 5)]).unwrap(), [0]);
                assert!(ledger.batches(&lane, 0, 9).unwrap().is_empty());
                assert!(ledger.dictionary(RunId([0; 16]), 3).unwrap().is_empty());
            }
        }
    };
}

conformance!(memory, (MemoryLedger::default(), ()));
conformance!(sqlite, {
    let folder = tempfile::tempdir().unwrap();
    (SqliteLedger::open(folder.path()).unwrap(), folder)
});

#[test]
fn a_sqlite_ledger_outlives_its_process_and_a_foreign_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lane = {
        let mut ledger = SqliteLedger::open(folder.path()).unwrap();
        let lane = opened(&mut ledger);
        let epoch = ledger.claim(&lane).unwrap().epoch;
        ledger.commit(&[commit(&lane, epoch, 0, 5)]).unwrap();
        lane
    };
    let mut ledger = SqliteLedger::open(folder.path()).unwrap();
    assert_eq!(ledger.claim(&lane).unwrap().cursor, 5);
    drop(ledger);
    let connection = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let error = SqliteLedger::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("has schema 99"), "{error}");
}
