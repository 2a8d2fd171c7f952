//! Workers on a bus that runs.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, EventSource, SendOptions, Store};
use tick_sdk::contracts::bus::{CommandCancelled, CommandCompleted, CommandFailed, CommandProcessing};
use tick_sdk::contracts::ticks::{ReplayCompleted, ReplayFailed, ReplayOutcome, ReplayProgressed};
use tick_sdk::contracts::{CommandId, Contract};

use super::super::pages::{store_within, stored_page};
use super::super::{ClaimedReplay, QueueError, ReplayEnd, ReplayQueue, Standing, open};
use super::*;

struct Running {
    bus: Arc<Bus>,
    store: Arc<dyn Store>,
    queue: ReplayQueue,
    runtime: tokio::runtime::Runtime,
    _folders: [TempDir; 2],
}

/// The context in a process of its own, with leases that last or that end at once.
fn running(lease: Duration) -> Running {
    let state = tempfile::tempdir().unwrap();
    let folder = captures();
    let store: Arc<dyn Store> = Arc::new(open(&state.path().join("ticks.sqlite")).unwrap());
    let captures = Captures::open(folder.path()).unwrap();
    let builder = Bus::builder().shared_context(TICKS, store.clone());
    let bus = Arc::new(builder.resource(captures).resource(ACCOUNT).start().unwrap());
    let queue = ReplayQueue::new(bus.clone(), store.clone(), lease);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Running { bus, store, queue, runtime, _folders: [state, folder] }
}

const LONG: Duration = Duration::from_secs(600);
/// What is waited for in these tests happens within milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

impl Running {
    fn send<C: tick_sdk::contracts::Command>(&self, command: &C) -> CommandId {
        self.runtime.block_on(self.bus.send(command, SendOptions::default())).unwrap().command_id
    }

    /// The event of this name that a command has caused, once it is there.
    fn event<M: serde::de::DeserializeOwned>(&self, command: CommandId, name: &str) -> M {
        let mut position = 0;
        loop {
            assert!(self.bus.wait_beyond(TICKS, position, PATIENCE), "{name} of {command} did not come");
            for event in self.bus.events_after(TICKS, position, 1000).unwrap() {
                position = event.position;
                if event.command_id == Some(command) && event.name == name {
                    return serde_json::from_str(&event.body).unwrap();
                }
            }
        }
    }

    fn page(&self, replay: uuid::Uuid) -> Option<Vec<u8>> {
        stored_page(&*self.store, replay).unwrap()
    }

    fn count(&self, name: &str) -> usize {
        let events = self.bus.events_after(TICKS, 0, 100_000).unwrap();
        events.iter().filter(|event| event.name == name).count()
    }

    /// A replay that is recorded and that this worker has.
    fn claimed(&self) -> ClaimedReplay {
        let sent = self.send(&plan(&["a.csv"]));
        self.event::<CommandProcessing>(sent, CommandProcessing::NAME);
        let claimed = self.queue.claim().unwrap().expect("there is one");
        assert_eq!(claimed.replay_id, sent.0);
        claimed
    }
}

fn completed(run: &str) -> ReplayEnd {
    let outcome = ReplayOutcome { ticks: 7, ..ReplayOutcome::default() };
    let report = Some(format!("the page of {run}").into_bytes());
    ReplayEnd::Completed { run: run.to_owned(), outcome, report, readable_at: Vec::new() }
}

#[test]
fn a_worker_ends_a_replay_and_its_command_in_one_commit() {
    let running = running(LONG);
    assert!(running.queue.claim().unwrap().is_none());
    let claimed = running.claimed();
    assert!(running.queue.claim().unwrap().is_none(), "it is leased");
    assert_eq!(claimed.plan.files, ["a.csv"]);
    running.queue.started(&claimed, "run1", false, None).unwrap();
    let progress =
        ReplayProgressed { replay_id: claimed.replay_id, ticks: 3, share: None, ticks_per_second: 9 };
    running.queue.progressed(&claimed, &progress).unwrap();
    running.queue.progressed(&claimed, &progress).unwrap();
    assert_eq!(running.count(ReplayProgressed::NAME), 1, "the last one takes the place of the one before");
    assert!(!running.queue.is_done_with(claimed.replay_id).unwrap());
    running.queue.end(&claimed, completed("run1")).unwrap();
    assert!(running.queue.is_done_with(claimed.replay_id).unwrap());

    let command = claimed.command.command_id;
    let end: CommandCompleted = running.event(command, CommandCompleted::NAME);
    assert_eq!(end.result["run"], "run1");
    let event: ReplayCompleted = running.event(command, ReplayCompleted::NAME);
    assert_eq!((event.run.as_str(), event.outcome.ticks), ("run1", 7));
    let again = running.queue.end(&claimed, completed("run2"));
    assert!(matches!(again, Err(QueueError::Lost { .. })), "{again:?}");
    assert_eq!(running.page(claimed.replay_id).as_deref(), Some(b"the page of run1".as_slice()));
    assert_eq!(running.count(ReplayCompleted::NAME), 1);
    assert_eq!(running.count(CommandCompleted::NAME), 1);
    assert_eq!(running.count(ReplayProgressed::NAME), 0, "it is where it ended");
}

#[test]
fn pages_go_with_their_replays_and_the_oldest_where_all_are_too_large() {
    let running = running(LONG);
    let claimed = running.claimed();
    running.queue.end(&claimed, completed("run1")).unwrap();
    let store = |replay: u128, bytes: usize| {
        let stored = running.bus.transaction(TICKS, |work| {
            // Those of one millisecond would be in the order of their ids.
            work.tables()?.execute("UPDATE replay_page SET stored_at_ms = stored_at_ms - 1", &[])?;
            store_within(work, uuid::Uuid::from_u128(replay), vec![0; bytes], 1_000)?;
            Ok::<_, QueueError>(())
        });
        stored.unwrap();
    };
    let kept = || [1, 2, 3].map(|replay| running.page(uuid::Uuid::from_u128(replay)).map(|page| page.len()));
    store(3, 400);
    store(2, 400);
    assert!(running.page(claimed.replay_id).is_some());
    store(1, 200);
    assert_eq!(kept(), [Some(200), Some(400), Some(400)]);
    assert_eq!(running.page(claimed.replay_id), None);
    store(2, 700);
    assert_eq!(kept(), [Some(200), Some(700), None], "it takes the place of the one before");
    store(1, 1_001);
    assert_eq!(kept(), [None, None, None]);

    let claimed = running.claimed();
    running.queue.end(&claimed, completed("run2")).unwrap();
    let forget = running.send(&ForgetReplay { replay_id: claimed.replay_id });
    running.event::<CommandCompleted>(forget, CommandCompleted::NAME);
    assert_eq!(running.page(claimed.replay_id), None);
}

#[test]
fn who_has_lost_the_lease_writes_nothing() {
    // Leases that end at once: each claim takes over.
    let running = running(Duration::ZERO);
    let first = running.claimed();
    running.queue.started(&first, "run1", false, None).unwrap();
    let second = running.queue.claim().unwrap().expect("its lease has ended");
    assert_eq!(second.run.as_deref(), Some("run1"));
    assert_eq!(running.queue.standing(&first).unwrap(), Standing::Lost);
    assert_eq!(running.queue.standing(&second).unwrap(), Standing::GoOn);
    let before = running.bus.head(TICKS).unwrap();
    assert!(matches!(running.queue.renew(&first), Err(QueueError::Lost { .. })));
    assert!(matches!(running.queue.end(&first, completed("run1")), Err(QueueError::Lost { .. })));
    assert_eq!(running.bus.head(TICKS).unwrap(), before);
    running.queue.end(&second, completed("run1")).unwrap();
    assert!(running.queue.claim().unwrap().is_none());
}

#[test]
fn a_replay_that_ends_its_worker_each_time_fails_in_the_end() {
    // Leases that end at once: each claim takes over from a worker that said nothing more.
    let running = running(Duration::ZERO);
    let mut claimed = running.claimed();
    let at = |share| ReplayProgressed {
        replay_id: claimed.replay_id,
        ticks: 3,
        share: Some(share),
        ticks_per_second: 9,
    };
    let (half, as_far) = (at(0.5), at(0.5));
    for _ in 0..9 {
        claimed = running.queue.claim().unwrap().expect("it is taken over");
    }
    running.queue.progressed(&claimed, &half).unwrap();
    for _ in 0..10 {
        claimed =
            running.queue.claim().unwrap().expect("one got further, so that it is tried as often again");
        running.queue.progressed(&claimed, &as_far).unwrap();
    }
    claimed = running.queue.claim().unwrap().expect("it has not been half an hour");
    let half_an_hour_ago = "UPDATE replay SET furthest_at_ms = furthest_at_ms - 1800000";
    let earlier = running.bus.transaction(TICKS, |work| {
        work.tables()?.execute(half_an_hour_ago, &[])?;
        Ok::<_, QueueError>(())
    });
    earlier.unwrap();
    assert!(running.queue.claim().unwrap().is_none());
    let failed: CommandFailed = running.event(claimed.command.command_id, CommandFailed::NAME);
    assert!(failed.reason.starts_with("ten workers in a row ended"), "{}", failed.reason);
    running.event::<ReplayFailed>(claimed.command.command_id, ReplayFailed::NAME);
}

#[test]
fn a_replay_that_is_given_back_is_tried_for_ever() {
    let running = running(LONG);
    let mut claimed = running.claimed();
    for _ in 0..30 {
        running.queue.release(&claimed).unwrap();
        claimed = running.queue.claim().unwrap().expect("it was given back");
    }
}

#[test]
fn leases_of_an_earlier_process_are_free_at_the_start() {
    let running = running(LONG);
    let first = running.claimed();
    assert_eq!(running.queue.free_leases().unwrap(), 1);
    let second = running.queue.claim().unwrap().expect("it is free");
    assert_eq!(second.replay_id, first.replay_id);
    running.queue.release(&second).unwrap();
    assert!(running.queue.claim().unwrap().is_some());
}

#[test]
fn a_worker_sees_that_its_replay_is_cancelled() {
    let running = running(LONG);
    let claimed = running.claimed();
    let cancel = running.send(&CancelReplay { replay_id: claimed.replay_id });
    running.event::<CommandCompleted>(cancel, CommandCompleted::NAME);
    assert_eq!(running.queue.standing(&claimed).unwrap(), Standing::CancelWanted);
    let end = ReplayEnd::Cancelled { run: None, outcome: None, report: None, readable_at: Vec::new() };
    running.queue.end(&claimed, end).unwrap();
    running.event::<CommandCancelled>(claimed.command.command_id, CommandCancelled::NAME);
    running.event::<ReplayCancelled>(claimed.command.command_id, ReplayCancelled::NAME);
}

#[test]
fn a_failed_replay_that_is_requeued_waits_for_a_worker_again() {
    let running = running(LONG);
    let claimed = running.claimed();
    let command = claimed.command.command_id;
    running.queue.started(&claimed, "run1", false, None).unwrap();
    let reason = "a.csv, line 3: no number".to_owned();
    running
        .queue
        .end(&claimed, ReplayEnd::Failed { run: Some("run1".to_owned()), reason: reason.clone() })
        .unwrap();
    let failed: CommandFailed = running.event(command, CommandFailed::NAME);
    assert_eq!(failed.reason, reason);
    running.event::<ReplayFailed>(command, ReplayFailed::NAME);
    assert!(running.queue.claim().unwrap().is_none());

    let requeue = running.bus.requeue(TICKS, command, SendOptions::default());
    running.runtime.block_on(requeue).unwrap();
    let mut position = 0;
    let again = loop {
        if let Some(again) = running.queue.claim().unwrap() {
            break again;
        }
        assert!(running.bus.wait_beyond(TICKS, position, PATIENCE), "it is not recorded again");
        position = running.bus.head(TICKS).unwrap();
    };
    assert_eq!((again.replay_id, again.run.as_deref()), (claimed.replay_id, Some("run1")));
    assert_eq!((claimed.requeued, again.requeued), (0, 1));
    running.queue.end(&again, completed("run1")).unwrap();
    running.event::<CommandCompleted>(command, CommandCompleted::NAME);
}
