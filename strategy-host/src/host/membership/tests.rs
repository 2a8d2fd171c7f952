//! A membership whose ledger a test takes away and brings back.

use crossbeam_channel::unbounded;

use super::*;

/// What is expected comes within this time.
const SOON: Duration = Duration::from_secs(20);

/// Answers a beat when the test lets it.
struct HeldRoll {
    began: Sender<()>,
    answers: Receiver<Result<(), LedgerError>>,
    left: Sender<()>,
    /// What comes of leaving.
    leaving: Result<(), LedgerError>,
}

impl Roll for HeldRoll {
    fn beat(&mut self) -> Result<Beat, LedgerError> {
        let _ = self.began.send(());
        // Where the test has ended, the member leaves next.
        self.answers.recv().unwrap_or(Ok(()))?;
        let members = vec!["me".to_owned()];
        Ok(Beat { shards: assigned(&members, "me", 2), members, lanes: Vec::new(), ended: false })
    }

    fn leave(&mut self) -> Result<(), LedgerError> {
        let _ = self.left.send(());
        std::mem::replace(&mut self.leaving, Ok(()))
    }
}

struct Stage {
    membership: Membership,
    answers: Sender<Result<(), LedgerError>>,
    began: Receiver<()>,
    events: Receiver<MembershipEvent>,
    left: Receiver<()>,
}

impl Stage {
    fn new() -> Self {
        Self::leaving_with(Ok(()))
    }

    fn leaving_with(leaving: Result<(), LedgerError>) -> Self {
        let (answers, held) = unbounded();
        let (sender, events) = unbounded();
        let (leaves, left) = unbounded();
        let (begins, began) = unbounded();
        let roll = HeldRoll { began: begins, answers: held, left: leaves, leaving };
        let on_event = move |event| drop(sender.send(event));
        let membership = Membership::start_with(roll, waker(), on_event, tracing::Span::none());
        Self { membership, answers, began, events, left }
    }

    fn event(&self) -> MembershipEvent {
        self.events.recv_timeout(SOON).expect("an event comes")
    }
}

#[test]
fn a_lease_is_lost_in_time_while_the_beat_hangs_and_comes_back_when_beats_have_settled() {
    let stage = Stage::new();
    stage.answers.send(Ok(())).unwrap();
    assert!(matches!(stage.event(), MembershipEvent::Beat(beat) if beat.shards.len() == 2));
    let answered = Instant::now();
    // The next beat hangs in the ledger, as where a network is cut.
    assert!(matches!(stage.event(), MembershipEvent::LeaseLost { silent } if silent > MEMBER_LIVES));
    assert!(answered.elapsed() < MEMBER_LIVES + BEAT, "{:?}", answered.elapsed());
    // The answer to the beat that hung comes too late to count; then beats succeed, and settle.
    for _ in 0..5 {
        stage.answers.send(Ok(())).unwrap();
    }
    assert!(matches!(stage.event(), MembershipEvent::Beat(_)));
    drop(stage.answers);
    stage.membership.leave().unwrap();
    stage.left.recv_timeout(SOON).unwrap();
}

#[test]
fn leaving_does_not_wait_for_a_ledger_that_hangs() {
    let stage = Stage::new();
    stage.began.recv_timeout(SOON).unwrap();
    let began = Instant::now();
    stage.membership.leave().unwrap();
    assert!(began.elapsed() < LEAVE_TIMEOUT * 2);
    // The ledger answers at last, and the member is taken out.
    stage.answers.send(Ok(())).unwrap();
    stage.left.recv_timeout(SOON).unwrap();
}

#[test]
fn a_ledger_that_fails_for_good_ends_the_membership_with_its_error() {
    let stage = Stage::new();
    stage.answers.send(Err(LedgerError::Damaged("x".to_owned()))).unwrap();
    let ended = Instant::now() + SOON;
    while !stage.membership.has_ended() && Instant::now() < ended {
        std::thread::yield_now();
    }
    assert!(matches!(stage.membership.leave(), Err(LedgerError::Damaged(_))));
}

#[test]
fn a_ledger_that_is_away_while_a_member_leaves_is_no_failure() {
    let busy = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None);
    let stage = Stage::leaving_with(Err(LedgerError::Sqlite { place: "x".to_owned(), source: busy }));
    drop(stage.answers);
    stage.membership.leave().unwrap();
    stage.left.recv_timeout(SOON).unwrap();
    let stage = Stage::leaving_with(Err(LedgerError::Damaged("x".to_owned())));
    drop(stage.answers);
    assert!(matches!(stage.membership.leave(), Err(LedgerError::Damaged(_))));
}
