//! What every ledger promises; each implementation runs the suite.

use tick_feed::NewInstrument;
use tick_feed::run::Manifest;
use tick_sdk::names::{RunId, StrategyName};

use super::*;
#[cfg(feature = "postgres")]
use database::testing::Database;

pub(super) fn manifest(shards: &str) -> Manifest {
    Manifest::new([("shards", shards), ("source 1", "a.gz")])
}

pub(super) fn commit(lane: &LaneId, epoch: u64, from_seq: u64, to_seq: u64) -> Commit {
    Commit {
        lane: lane.clone(),
        epoch,
        from_seq,
        to_seq,
        signals: vec![from_seq as u8, to_seq as u8],
        new_instruments: Vec::new(),
        states: None,
        ended: false,
        skipped: 0,
    }
}

fn instrument(id: u32) -> NewInstrument {
    NewInstrument { id, symbol: format!("S{id}"), key: "k".to_owned() }
}

pub(super) fn opened(ledger: &mut dyn Ledger) -> LaneId {
    let run = ledger.open_run(&manifest("1")).unwrap().run;
    LaneId { run, strategy: "apple".parse().unwrap(), shard: 0 }
}

fn name(text: &str) -> StrategyName {
    text.parse().unwrap()
}

fn identity(params: &str) -> Identity {
    Identity {
        name: "fast".parse().unwrap(),
        strategy: "apple".to_owned(),
        version: 1,
        params: params.to_owned(),
    }
}

/// Makes the members' last beats older.
trait LetTimePass {
    fn let_time_pass(&mut self, time: Duration);
}

impl LetTimePass for MemoryLedger {
    fn let_time_pass(&mut self, time: Duration) {
        self.pass(time);
    }
}

impl LetTimePass for SqliteLedger {
    fn let_time_pass(&mut self, time: Duration) {
        self.connection().execute("UPDATE member SET beat = beat - ?1", [time.as_millis() as i64]).unwrap();
    }
}

#[cfg(feature = "postgres")]
impl LetTimePass for PostgresLedger {
    fn let_time_pass(&mut self, time: Duration) {
        self.put_beats_back(time);
    }
}

macro_rules! conformance {
    ($name:ident, $make:expr $(, $attribute:meta)?) => {
        mod $name {
            use super::*;

            #[test]
            $(#[$attribute])?
            fn a_run_is_found_again_and_another_refused() {
                let (mut ledger, _guard) = $make;
                let first = ledger.open_run(&manifest("1")).unwrap();
                let again = ledger.open_run(&manifest("1")).unwrap();
                assert_eq!((first.resumed, again.resumed, again.run), (false, true, first.run));
                let error = ledger.open_run(&manifest("3")).unwrap_err().to_string();
                assert!(error.contains("shards was 1, and is now 3"), "{error}");
            }

            #[test]
            $(#[$attribute])?
            fn another_identity_is_refused_with_the_difference() {
                let (mut ledger, _guard) = $make;
                let run = opened(&mut ledger).run;
                ledger.identify(run, &identity("fast=8")).unwrap();
                ledger.identify(run, &identity("fast=8")).unwrap();
                let error = ledger.identify(run, &identity("fast=9")).unwrap_err().to_string();
                assert!(error.contains("parameters fast=8, and now has fast=9"), "{error}");
            }

            #[test]
            $(#[$attribute])?
            fn what_was_committed_is_claimed() {
                let (mut ledger, _guard) = $make;
                let lane = opened(&mut ledger);
                let claim = ledger.claim(&lane, 0).unwrap();
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
                let claim = ledger.claim(&lane, 0).unwrap();
                assert_eq!((claim.epoch, claim.cursor, claim.state_seq), (2, 40, 30));
                assert_eq!(claim.states, [state(3), ("S1".to_owned(), vec![9])]);
                assert_eq!(claim.dictionary, [instrument(0), instrument(1)]);
                let begins = |from, limit| -> Vec<u64> {
                    ledger.batches(&lane, from, limit).unwrap().iter().map(|batch| batch.from_seq).collect()
                };
                assert_eq!(begins(0, 9), [0, 10, 20]);
                assert_eq!(begins(1, 1), [10]);
                let at = [0, 9, 10, 25, u64::MAX >> 1].map(|seq| ledger.batch_at(&lane, seq).unwrap());
                assert_eq!(at, [Some(0), Some(0), Some(10), Some(20), Some(20)]);
                let other = LaneId { shard: 9, ..lane.clone() };
                assert_eq!(ledger.batch_at(&other, 5).unwrap(), None);
            }

            #[test]
            $(#[$attribute])?
            fn many_large_checkpoints_add_up() {
                let (mut ledger, _guard) = $make;
                let lane = opened(&mut ledger);
                let epoch = ledger.claim(&lane, 0).unwrap().epoch;
                // A key a checkpoint in turn, large enough that implementations tidy up on the way.
                let state = |seq: u64| (format!("S{}", seq % 7), vec![seq as u8; 300_000]);
                for seq in 0..40 {
                    let states = Some(vec![state(seq)]);
                    let commit = Commit { states, ..commit(&lane, epoch, seq, seq + 1) };
                    assert!(ledger.commit(&[commit]).unwrap().is_empty());
                }
                let claim = ledger.claim(&lane, 0).unwrap();
                let mut expected: Vec<_> = (33..40).map(state).collect();
                expected.sort();
                assert!(claim.states == expected);
                assert_eq!((claim.state_seq, claim.cursor), (40, 40));
            }

            #[test]
            $(#[$attribute])?
            fn a_lost_claim_commits_nothing_and_others_go_on() {
                let (mut ledger, _guard) = $make;
                let lane = opened(&mut ledger);
                let other = LaneId { shard: 1, ..lane.clone() };
                let zombie = ledger.claim(&lane, 0).unwrap().epoch;
                let owner = ledger.claim(&lane, 0).unwrap().epoch;
                let epoch = ledger.claim(&other, 0).unwrap().epoch;
                let fenced =
                    ledger.commit(&[commit(&lane, zombie, 0, 5), commit(&other, epoch, 0, 7)]).unwrap();
                assert_eq!(fenced, [0]);
                assert!(ledger.commit(&[commit(&lane, owner, 0, 6)]).unwrap().is_empty());
                assert_eq!(ledger.claim(&lane, 0).unwrap().cursor, 6);
                assert_eq!(ledger.claim(&other, 0).unwrap().cursor, 7);
                assert_eq!(ledger.batches(&lane, 0, 9).unwrap().len(), 1);
            }

            #[test]
            $(#[$attribute])?
            fn a_commit_that_does_not_follow_is_fenced() {
                let (mut ledger, _guard) = $make;
                let lane = opened(&mut ledger);
                let epoch = ledger.claim(&lane, 0).unwrap().epoch;
                assert!(ledger.commit(&[commit(&lane, epoch, 0, 5)]).unwrap().is_empty());
                for from in [0, 4, 6] {
                    assert_eq!(ledger.commit(&[commit(&lane, epoch, from, 9)]).unwrap(), [0], "from {from}");
                }
                let end = Commit { ended: true, ..commit(&lane, epoch, 5, 5) };
                assert!(ledger.commit(&[end]).unwrap().is_empty());
                assert_eq!(ledger.commit(&[commit(&lane, epoch, 5, 6)]).unwrap(), [0], "the run has ended");
                let claim = ledger.claim(&lane, 0).unwrap();
                assert!(claim.ended && claim.cursor == 5);
            }

            #[test]
            $(#[$attribute])?
            fn a_lane_never_claimed_has_nothing() {
                let (mut ledger, _guard) = $make;
                let lane = opened(&mut ledger);
                assert_eq!(ledger.commit(&[commit(&lane, 1, 0, 5)]).unwrap(), [0]);
                assert!(ledger.batches(&lane, 0, 9).unwrap().is_empty());
                assert!(ledger.dictionary(RunId([0; 16]), 3).unwrap().is_empty());
                assert!(ledger.lanes(lane.run).unwrap().is_empty());
            }

            #[test]
            $(#[$attribute])?
            fn a_feeds_runs_are_recorded_and_compared() {
                let (mut ledger, _guard) = $make;
                let local = opened(&mut ledger).run;
                let [first, second] = [RunId::random(), RunId::random()];
                for run in [first, second, first] {
                    ledger.record_run(run, "market", &manifest("4")).unwrap();
                }
                let runs: Vec<_> = ledger.runs("market").unwrap().into_iter().map(|row| row.run).collect();
                assert_eq!(runs, [second, first]);
                assert_eq!(ledger.runs("market").unwrap()[0].manifest, manifest("4"));
                assert!(ledger.runs("other").unwrap().is_empty());
                let error = ledger.record_run(first, "market", &manifest("3")).unwrap_err().to_string();
                assert!(error.contains("shards was 4, and is now 3"), "{error}");
                let error = ledger.record_run(first, "other", &manifest("4")).unwrap_err().to_string();
                assert!(error.contains("feed was market, and is now other"), "{error}");
                assert_eq!(ledger.open_run(&manifest("1")).unwrap().run, local, "it is found beside them");
            }

            #[test]
            $(#[$attribute])?
            fn a_late_lane_begins_where_it_shall_and_counts_what_it_skipped() {
                let (mut ledger, _guard) = $make;
                let lane = opened(&mut ledger);
                let claim = ledger.claim(&lane, 100).unwrap();
                assert_eq!((claim.epoch, claim.cursor, claim.state_seq), (1, 100, 100));
                let skipping = |from, to, skipped| Commit { skipped, ..commit(&lane, 1, from, to) };
                assert!(ledger.commit(&[skipping(100, 120, 5)]).unwrap().is_empty());
                assert!(ledger.commit(&[skipping(120, 130, 2)]).unwrap().is_empty());
                assert_eq!(ledger.commit(&[skipping(120, 150, 9)]).unwrap(), [0]);
                let claim = ledger.claim(&lane, 7).unwrap();
                assert_eq!((claim.epoch, claim.cursor, claim.state_seq), (2, 130, 100));
                let row = LaneRow {
                    lane: lane.clone(),
                    epoch: 2,
                    cursor: 130,
                    state_seq: 100,
                    skipped: 7,
                    ended: false,
                };
                let others = [("pear", 0), ("apple", 1)].map(|(strategy, shard)| LaneId {
                    strategy: strategy.parse().unwrap(),
                    shard,
                    ..lane.clone()
                });
                others.iter().for_each(|lane| drop(ledger.claim(lane, 0).unwrap()));
                let rows = ledger.lanes(lane.run).unwrap();
                assert_eq!(rows[0], row);
                let order: Vec<_> = rows.iter().map(|row| &row.lane).collect();
                assert_eq!(order, [&lane, &others[1], &others[0]]);
                assert!(ledger.lanes(RunId([0; 16])).unwrap().is_empty());
            }

            #[test]
            $(#[$attribute])?
            fn members_live_while_they_beat() {
                let (mut ledger, _guard) = $make;
                let run = opened(&mut ledger).run;
                assert_eq!(ledger.beat(run, &name("apple"), "b").unwrap(), ["b"]);
                assert_eq!(ledger.beat(run, &name("apple"), "a").unwrap(), ["a", "b"]);
                assert_eq!(ledger.beat(run, &name("pear"), "c").unwrap(), ["c"]);
                assert_eq!(ledger.beat(RunId([0; 16]), &name("apple"), "d").unwrap(), ["d"]);
                ledger.let_time_pass(MEMBER_LIVES + Duration::from_millis(1));
                assert_eq!(ledger.beat(run, &name("apple"), "a").unwrap(), ["a"], "b is dead");
                let rows = ledger.members(run).unwrap();
                let names: Vec<_> = rows.iter().map(|row| (row.strategy.as_str(), &*row.member)).collect();
                assert_eq!(names, [("apple", "a"), ("apple", "b"), ("pear", "c")]);
                assert!(rows[1].silent > MEMBER_LIVES && rows[0].silent < MEMBER_LIVES, "{rows:?}");
                assert_eq!(ledger.beat(run, &name("apple"), "b").unwrap(), ["a", "b"], "b is back");
                ledger.leave(run, &name("apple"), "a").unwrap();
                assert_eq!(ledger.beat(run, &name("apple"), "b").unwrap(), ["b"]);
                ledger.let_time_pass(MEMBER_FORGOTTEN + Duration::from_millis(1));
                assert_eq!(ledger.beat(run, &name("pear"), "c").unwrap(), ["c"]);
                assert_eq!(ledger.members(run).unwrap().len(), 1, "the dead are forgotten");
            }

            #[test]
            $(#[$attribute])?
            fn a_run_is_forgotten_in_steps_and_no_other() {
                let (mut ledger, _guard) = $make;
                let kept = opened(&mut ledger);
                let run = RunId::random();
                ledger.record_run(run, "f", &manifest("1")).unwrap();
                let gone = LaneId { run, ..kept.clone() };
                for (lane, batches) in [(&kept, 1), (&gone, 2 * FORGOTTEN_AT_ONCE as u64 + 1)] {
                    ledger.identify(lane.run, &identity("fast=8")).unwrap();
                    ledger.claim(lane, 0).unwrap();
                    ledger.beat(lane.run, &lane.strategy, "a").unwrap();
                    let one = |seq| Commit {
                        new_instruments: vec![instrument(0)],
                        states: Some(vec![("S0".to_owned(), vec![1])]),
                        ..commit(lane, 1, seq, seq + 1)
                    };
                    let all: Vec<_> = (0..batches).map(one).collect();
                    assert!(ledger.commit(&all).unwrap().is_empty());
                }
                while ledger.forget_run(run).unwrap() {}
                assert!(ledger.runs("f").unwrap().is_empty() && ledger.lanes(run).unwrap().is_empty());
                assert!(ledger.batches(&gone, 0, 10).unwrap().is_empty());
                assert!(ledger.dictionary(run, 0).unwrap().is_empty());
                assert!(ledger.members(run).unwrap().is_empty());
                // Whoever was late commits nothing, and one of its name may be another.
                let late = commit(&gone, 1, 5000, 5001);
                assert_eq!(ledger.commit(&[late]).unwrap(), [0]);
                ledger.identify(run, &identity("fast=9")).unwrap();
                let claim = ledger.claim(&gone, 0).unwrap();
                assert_eq!((claim.epoch, claim.cursor, claim.states), (1, 0, Vec::new()));
                assert_eq!(ledger.batches(&kept, 0, 10).unwrap().len(), 1);
                assert_eq!(ledger.claim(&kept, 0).unwrap().states.len(), 1);
                assert_eq!(ledger.members(kept.run).unwrap().len(), 1);
                assert!(ledger.open_run(&manifest("1")).unwrap().resumed);
            }

            #[test]
            $(#[$attribute])?
            fn ledgers_have_ids_of_their_own() {
                let (ledger, _guard) = $make;
                let (other, _other_guard) = $make;
                assert!(ledger.id().len() == 32 && ledger.id() != other.id());
            }
        }
    };
}

conformance!(memory, (MemoryLedger::default(), ()));
conformance!(sqlite, {
    let folder = tempfile::tempdir().unwrap();
    (SqliteLedger::open(folder.path()).unwrap(), folder)
});

#[cfg(feature = "postgres")]
conformance!(
    postgres,
    {
        let database = Database::create();
        (PostgresLedger::open(&database.url()).unwrap(), database)
    },
    ignore = "needs servers: run scripts/test"
);
