//! What has come from a broker for one handler, and stands in no inbox yet.
//!
//! A lane handles it in the very transaction that accepts it, and says then that it may be acknowledged. What it
//! cannot end at once goes back to whoever received it, which puts it into the inbox.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use crate::bell::Bell;
use crate::store::DueCommand;

/// A command with the delivery that brought it.
pub(crate) struct Arrival {
    pub(crate) due: Box<DueCommand>,
    pub(crate) ticket: Ticket,
    pub(crate) at: Instant,
}

/// A delivery that waits for its acknowledgement. Dropped without a word it stays unacknowledged until its channel
/// ends, and comes again.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) tag: u64,
    /// It holds as many as are delivered and not acknowledged at most.
    pub(crate) to: UnboundedSender<Settled>,
}

/// What a lane says of deliveries.
pub(crate) enum Settled {
    /// What they brought is stored for ever.
    Done(Vec<u64>),
    /// It is to be put into the inbox.
    Back(u64, Box<DueCommand>),
}

/// The queue between who receives and the lanes of one handler.
pub(crate) struct Intake {
    /// So many wait at most.
    most: usize,
    state: Mutex<State>,
    /// Wakes lanes that only take from here.
    pushed: Condvar,
    /// Wakes the lane that looks into the inbox, too.
    pub(crate) bell: Arc<Bell>,
    /// Wakes who receives.
    taken: Notify,
}

struct State {
    waiting: VecDeque<Arrival>,
    /// When a lane came by last.
    visited: Instant,
    /// Something was put into the inbox beside it.
    is_due: bool,
    is_closed: bool,
}

impl Intake {
    pub(crate) fn new(most: usize) -> Self {
        let state =
            State { waiting: VecDeque::new(), visited: Instant::now(), is_due: false, is_closed: false };
        Self {
            most,
            state: Mutex::new(state),
            pushed: Condvar::new(),
            bell: Arc::default(),
            taken: Notify::new(),
        }
    }

    /// Puts one behind those that wait, or gives it back where there is no room.
    pub(crate) fn push(&self, arrival: Arrival) -> Result<(), Arrival> {
        let mut state = self.lock();
        if state.is_closed || state.waiting.len() >= self.most {
            return Err(arrival);
        }
        let was_empty = state.waiting.is_empty();
        state.waiting.push_back(arrival);
        drop(state);
        self.pushed.notify_one();
        if was_empty {
            self.bell.ring();
        }
        Ok(())
    }

    /// Waits so long until there may be room.
    pub(crate) async fn wait_for_room(&self, timeout: Duration) {
        // Whichever comes first: it is tried again then.
        let _ = tokio::time::timeout(timeout, self.taken.notified()).await;
    }

    /// What has come by this channel, and has waited for so long while no lane came by. What a lane has put back of a
    /// channel before it is dropped: it comes again, and its tag is another delivery's here.
    pub(crate) fn overdue(&self, patience: Duration, to: &UnboundedSender<Settled>) -> Vec<Arrival> {
        let mut state = self.lock();
        let is_overdue = state.visited.elapsed() > patience
            && state.waiting.front().is_some_and(|first| first.at.elapsed() > patience);
        if !is_overdue {
            return Vec::new();
        }
        state.waiting.drain(..).filter(|arrival| arrival.ticket.to.same_channel(to)).collect()
    }

    /// Drops what waits: its channel is gone.
    pub(crate) fn clear(&self) {
        self.lock().waiting.clear();
    }

    /// Lanes get nothing more.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.pushed.notify_all();
    }

    /// The first that wait, so many at most.
    pub(crate) fn take(&self, most: usize) -> Vec<Arrival> {
        let mut state = self.lock();
        state.visited = Instant::now();
        let count = if state.is_closed { 0 } else { most.min(state.waiting.len()) };
        let taken: Vec<_> = state.waiting.drain(..count).collect();
        drop(state);
        if !taken.is_empty() {
            self.taken.notify_one();
        }
        taken
    }

    /// As [`Intake::take`], waited for so long.
    pub(crate) fn wait_and_take(&self, most: usize, timeout: Duration) -> Vec<Arrival> {
        let state = self.lock();
        let is_idle = |state: &mut State| state.waiting.is_empty() && !state.is_closed;
        let waited = self.pushed.wait_timeout_while(state, timeout, is_idle);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.take(most)
    }

    /// The lane that looks into the inbox is to do so.
    pub(crate) fn note_due(&self) {
        self.lock().is_due = true;
        self.bell.ring();
    }

    /// Whether something was put into the inbox since this was asked before.
    pub(crate) fn take_due(&self) -> bool {
        std::mem::take(&mut self.lock().is_due)
    }

    /// Puts back what could not be handled as the store is away, before all others.
    pub(crate) fn put_back(&self, arrivals: Vec<Arrival>) {
        let mut state = self.lock();
        arrivals.into_iter().rev().for_each(|arrival| state.waiting.push_front(arrival));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that these deliveries may be acknowledged. Where nobody receives any more they come again, and are known.
pub(crate) fn settle(tickets: &[Ticket]) {
    // After a loss deliveries of several channels may stand in one batch.
    for same in tickets.chunk_by(|one, other| one.to.same_channel(&other.to)) {
        let _ = same[0].to.send(Settled::Done(same.iter().map(|ticket| ticket.tag).collect()));
    }
}

/// Gives them back, for the inbox.
pub(crate) fn give_back(arrivals: Vec<Arrival>) {
    for Arrival { due, ticket, .. } in arrivals {
        let _ = ticket.to.send(Settled::Back(ticket.tag, due));
    }
}

#[cfg(test)]
mod tests {
    use tick_sdk::contracts::{CommandId, ConversationId};
    use tokio::sync::mpsc::unbounded_channel;
    use uuid::Uuid;

    use super::*;
    use crate::store::NewCommand;

    fn arrival(tag: u64, to: &UnboundedSender<Settled>, at: Instant) -> Arrival {
        let command = NewCommand {
            command_id: CommandId(Uuid::new_v4()),
            conversation_id: ConversationId(Uuid::new_v4()),
            initiator_id: None,
            name: "Do".to_owned(),
            version: 1,
            endpoint: "tests".to_owned(),
            caller: "test".to_owned(),
            body: "{}".to_owned(),
            original: None,
        };
        let due = DueCommand { command, attempts: 0, accepted_ms: 0, is_suspect: false };
        Arrival { due: Box::new(due), ticket: Ticket { tag, to: to.clone() }, at }
    }

    #[test]
    fn deliveries_of_a_lost_channel_are_not_taken_for_those_of_the_next_one() {
        let intake = Intake::new(9);
        let long_ago = Instant::now().checked_sub(Duration::from_millis(1)).unwrap();
        let ((lost, _), (to, _settled)) = (unbounded_channel(), unbounded_channel());
        // The channel is lost, the next one brings its first delivery, and then a lane's store is away.
        intake.clear();
        assert!(intake.push(arrival(1, &to, long_ago)).is_ok());
        intake.put_back([1, 2, 3].map(|tag| arrival(tag, &lost, long_ago)).into());
        intake.lock().visited = long_ago;
        let overdue = intake.overdue(Duration::ZERO, &to);
        assert_eq!(overdue.iter().map(|one| one.ticket.tag).collect::<Vec<_>>(), [1]);
        assert!(overdue[0].ticket.to.same_channel(&to));
        // Nothing of the lost one stays, either.
        assert!(intake.take(9).is_empty());
    }
}
