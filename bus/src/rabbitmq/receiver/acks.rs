//! Which deliveries of a channel may be acknowledged. No I/O.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A channel's deliveries that are not acknowledged yet, in order. Their tags count from 1.
#[derive(Debug, Default)]
pub(super) struct Acks {
    /// How many came before the first of these.
    before: u64,
    states: VecDeque<State>,
    /// Since when the first of them is waited for.
    since: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Done,
    /// Acknowledged by itself already.
    Gone,
}

impl Acks {
    /// The next was delivered.
    pub(super) fn note_delivered(&mut self) {
        self.states.push_back(State::Waiting);
        self.since.get_or_insert_with(Instant::now);
    }

    /// It may be acknowledged.
    pub(super) fn note_done(&mut self, tag: u64) {
        let place = tag.checked_sub(self.before + 1);
        let state = place.and_then(|place| self.states.get_mut(usize::try_from(place).ok()?));
        if let Some(state) = state.filter(|state| **state == State::Waiting) {
            *state = State::Done;
        }
    }

    /// The tag up to which all may be acknowledged together, once.
    pub(super) fn take_up_to(&mut self) -> Option<u64> {
        let mut up_to = None;
        let before = self.before;
        while let Some(state) = self.states.pop_front_if(|state| *state != State::Waiting) {
            self.before += 1;
            if state == State::Done {
                // A tag that was acknowledged before must not be named again.
                up_to = Some(self.before);
            }
        }
        if self.before > before {
            self.since = (!self.states.is_empty()).then(Instant::now);
        }
        up_to
    }

    /// Those that may be acknowledged behind one that has been waited for so long, once.
    pub(super) fn take_behind(&mut self, patience: Duration) -> Vec<u64> {
        let is_stuck = self.since.is_some_and(|since| since.elapsed() >= patience);
        let mut tags = Vec::new();
        if is_stuck {
            for (state, tag) in self.states.iter_mut().zip(self.before + 1..) {
                if *state == State::Done {
                    *state = State::Gone;
                    tags.push(tag);
                }
            }
        }
        tags
    }

    /// Whether all were acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_in_order_is_acknowledged_together_and_the_rest_by_itself_once() {
        let mut acks = Acks::default();
        (0..6).for_each(|_| acks.note_delivered());
        assert_eq!(acks.take_up_to(), None);
        [2, 1, 4, 5].into_iter().for_each(|tag| acks.note_done(tag));
        assert_eq!(acks.take_up_to(), Some(2));
        assert_eq!(acks.take_up_to(), None);
        assert!(acks.take_behind(Duration::from_secs(60)).is_empty());
        assert_eq!(acks.take_behind(Duration::ZERO), [4, 5]);
        assert!(acks.take_behind(Duration::ZERO).is_empty());
        // What is done twice, or was never delivered, is nothing.
        [4, 1, 9, 3].into_iter().for_each(|tag| acks.note_done(tag));
        assert_eq!(acks.take_up_to(), Some(3));
        acks.note_done(6);
        assert_eq!(acks.take_up_to(), Some(6));
        assert!(acks.is_empty());
    }
}
