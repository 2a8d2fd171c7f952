//! The end of the log, as this process has written it: whoever follows the log here need not ask the server for what
//! was committed a moment ago.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::store::{LARGEST_READ, LogPage, StoredEvent};

/// So many events are kept at most, the last ones.
pub(super) const MOST_EVENTS: usize = 2_000;
/// So many bytes of their messages are.
const MOST_BYTES: usize = 4 << 20;

/// Events that are committed, without a gap in their positions. What others have written after them, the server says.
#[derive(Default)]
pub(super) struct Tail(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    events: VecDeque<StoredEvent>,
    bytes: usize,
}

impl Tail {
    /// Events that are committed now, in order. Threads may come in another order than their commits: what does not
    /// go on where the last one ended, or ends where the first one begins, is kept alone.
    pub(super) fn push(&self, events: Vec<StoredEvent>) {
        let mut kept = self.lock();
        let is_before = |last: &StoredEvent, first: &StoredEvent| last.position + 1 == first.position;
        match (events.last(), kept.events.front()) {
            (Some(last), Some(first)) if is_before(last, first) => {
                kept.bytes += events.iter().map(|event| event.body.len()).sum::<usize>();
                events.into_iter().rev().for_each(|event| kept.events.push_front(event));
            }
            (Some(last), Some(first)) if last.position < first.position => return,
            _ => {
                for event in events {
                    if kept.events.back().is_some_and(|last| !is_before(last, &event)) {
                        *kept = Kept::default();
                    }
                    kept.bytes += event.body.len();
                    kept.events.push_back(event);
                }
            }
        }
        while kept.events.len() > MOST_EVENTS || kept.bytes > MOST_BYTES {
            let Some(first) = kept.events.pop_front() else { break };
            kept.bytes -= first.body.len();
        }
    }

    /// Forgets all: some of them may have been removed from the log.
    pub(super) fn clear(&self) {
        *self.lock() = Kept::default();
    }

    /// As [`Store::look`](crate::store::Store::look); `None` where the server has to be asked.
    pub(super) fn look(&self, position: u64, limit: usize, names: Option<&[&str]>) -> Option<LogPage> {
        let kept = self.lock();
        let first = kept.events.front()?.position;
        let skipped = usize::try_from((position + 1).checked_sub(first)?).ok()?;
        if skipped >= kept.events.len() || limit == 0 {
            return None;
        }
        let mut page = LogPage { events: Vec::new(), looked_to: position };
        let mut bytes = 0;
        for event in kept.events.range(skipped..).take(limit) {
            if bytes >= LARGEST_READ {
                break;
            }
            page.looked_to = event.position;
            if names.is_none_or(|names| names.contains(&event.name.as_str())) {
                bytes += event.body.len();
                page.events.push(event.clone());
            }
        }
        Some(page)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tick_sdk::contracts::MessageId;
    use uuid::Uuid;

    use super::*;

    fn events(positions: std::ops::RangeInclusive<u64>) -> Vec<StoredEvent> {
        let event = |position| StoredEvent {
            position,
            message_id: MessageId(Uuid::from_u128(position.into())),
            name: if position % 2 == 0 { "Even" } else { "Odd" }.to_owned(),
            version: 1,
            command_id: None,
            conversation_id: None,
            initiator_id: None,
            at_ms: 0,
            body: "{}".to_owned(),
        };
        positions.map(event).collect()
    }

    /// The positions of a page, and how far was looked.
    fn looked(tail: &Tail, position: u64, names: Option<&[&str]>) -> Option<(Vec<u64>, u64)> {
        let page = tail.look(position, 3, names)?;
        Some((page.events.iter().map(|event| event.position).collect(), page.looked_to))
    }

    #[test]
    fn what_follows_a_position_without_a_gap_is_there_and_for_all_else_the_server_is_asked() {
        let tail = Tail::default();
        assert_eq!(looked(&tail, 0, None), None);
        tail.push(events(4..=6));
        assert_eq!(looked(&tail, 2, None), None);
        assert_eq!(looked(&tail, 3, None), Some((vec![4, 5, 6], 6)));
        assert_eq!(looked(&tail, 5, None), Some((vec![6], 6)));
        assert_eq!(looked(&tail, 6, None), None, "others may have written more");
        // The thread that had committed before comes after.
        tail.push(events(2..=3));
        assert_eq!(looked(&tail, 1, Some(&["Even"])), Some((vec![2, 4], 4)));
        assert_eq!(looked(&tail, 1, Some(&[])), Some((vec![], 4)));
        // Another process has 7.
        tail.push(events(8..=9));
        assert_eq!(looked(&tail, 5, None), None);
        assert_eq!(looked(&tail, 7, None), Some((vec![8, 9], 9)));
        tail.push(events(1..=1));
        assert_eq!(looked(&tail, 0, None), None);
        tail.clear();
        assert_eq!(looked(&tail, 7, None), None);
    }

    #[test]
    fn what_is_kept_has_an_end() {
        let tail = Tail::default();
        let last = 3 * MOST_EVENTS as u64;
        (1..=last).for_each(|position| tail.push(events(position..=position)));
        let first = last - MOST_EVENTS as u64;
        assert_eq!(looked(&tail, first - 1, None), None);
        assert_eq!(looked(&tail, first, None), Some(((first + 1..=first + 3).collect(), first + 3)));
        let mut large = events(last + 1..=last + 2);
        large.iter_mut().for_each(|event| event.body = "x".repeat(MOST_BYTES - 1));
        tail.push(large);
        assert_eq!(looked(&tail, last, None), None);
        assert_eq!(looked(&tail, last + 1, None), Some((vec![last + 2], last + 2)));
    }
}
