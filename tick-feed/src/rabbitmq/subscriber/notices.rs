//! What the broker's thread has for the strategy's thread beside frames. Adding to it never waits: the
//! strategy's thread may itself be waiting for the broker's thread to take a command.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::rabbitmq::FeedState;
use tick_sdk::names::RunId;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// A released shard is back with the broker.
    Closed { shard: u16 },
    /// The shard is to be released, as it belongs to another member from now on.
    Revoked { shard: u16 },
    /// A poison message is stored as a dead letter, and acknowledged.
    DeadLettered { shard: u16, link: u32, tag: u64 },
    /// The ingester's newest announcement.
    State(Arc<FeedState>),
    /// The ingester cannot send these ticks again.
    Gone { run: RunId, shard: u16, from_seq: u64, reason: String },
}

/// The notices that wait for the strategy's thread.
///
/// There is no limit in the type, and one in fact: a notice takes the place of an earlier one about the
/// same, so that there are at most three a shard and one state; and of dead letters no more are
/// reported than the strategy's thread has handed over, whose number it limits.
#[derive(Default)]
pub(super) struct Notices {
    waiting: Mutex<VecDeque<Notice>>,
    /// Whether any wait: looked at for each frame, so that it has to cost nothing.
    is_any: AtomicBool,
}

impl Notices {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Notice>> {
        self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Adds one behind those that wait.
    pub(super) fn add(&self, notice: Notice) {
        let mut waiting = self.lock();
        waiting.retain(|earlier| !notice.replaces(earlier));
        waiting.push_back(notice);
        self.is_any.store(true, Ordering::Release);
    }

    /// Takes the oldest one.
    #[inline]
    pub(super) fn next(&self) -> Option<Notice> {
        if !self.is_any.load(Ordering::Acquire) {
            return None;
        }
        let mut waiting = self.lock();
        let next = waiting.pop_front();
        self.is_any.store(!waiting.is_empty(), Ordering::Release);
        next
    }
}

impl Notice {
    fn replaces(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::State(_), Self::State(_)) => true,
            (Self::Gone { shard, .. }, Self::Gone { shard: of, .. }) => shard == of,
            _ => self == earlier,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_in_order_and_one_about_the_same_comes_once() {
        let notices = Notices::default();
        assert_eq!(notices.next(), None);
        for round in 0..1_000 {
            for shard in 0..2 {
                notices.add(Notice::Revoked { shard });
                notices.add(Notice::Closed { shard });
                let gone =
                    Notice::Gone { run: RunId([1; 16]), shard, from_seq: round, reason: String::new() };
                notices.add(gone);
            }
        }
        let all: Vec<_> = std::iter::from_fn(|| notices.next()).collect();
        assert_eq!(all.len(), 6);
        assert_eq!(all[0], Notice::Revoked { shard: 0 });
        assert!(matches!(all[5], Notice::Gone { shard: 1, from_seq: 999, .. }));
    }
}
