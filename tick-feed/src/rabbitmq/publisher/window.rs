//! Go-back-N: what one shard has sent and not yet seen confirmed, and what it sends next.
//!
//! Pure: time is an argument, and nothing here knows a broker.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::{Frame, FrameFlags};
use broker::backoff::Backoff;

/// The unconfirmed and the unsent frames of one shard, in order.
///
/// Frames enter at the end, are sent in order and leave at the front once they are confirmed. A loss
/// sets the next frame to send back, and from there everything goes out again as a later attempt.
#[derive(Debug)]
pub struct Window {
    entries: VecDeque<Entry>,
    /// The place of the first entry; places count frames from 0 and are never used twice.
    first_place: u64,
    /// Entries before this one are sent.
    next: usize,
    attempt: u32,
    /// Where each attempt began, the oldest first; only those that no later one covers, so that both
    /// numbers grow. At most [`MAX_STARTS`].
    starts: VecDeque<(u32, u64)>,
    /// The first tick that has not entered.
    position: u64,
    /// Everything before it is confirmed.
    confirmed: u64,
    /// Whether the end of the run has entered.
    ended: bool,
    held_bytes: usize,
    unconfirmed_bytes: usize,
    pause: Pause,
    backoff: Backoff,
}

#[derive(Debug)]
struct Entry {
    frame: Arc<Frame>,
    bytes: usize,
    sent: bool,
    /// The attempt as which it was sent last, if it was.
    attempt: Option<u32>,
    confirmed: bool,
}

/// So many attempts are remembered. A request of before is answered once more than it had to be.
const MAX_STARTS: usize = 4096;

/// What a refusal of the broker leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// Nothing was refused.
    None,
    /// Nothing is sent before this time.
    Until(Duration),
    /// One frame is out to see whether the broker takes it; the place is that frame's.
    Probing(u64),
}

/// One sending of a frame: what its confirm has to bring back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    place: u64,
    attempt: u32,
}

#[cfg(test)]
impl Ticket {
    pub(super) fn numbered(place: u64) -> Self {
        Self { place, attempt: 0 }
    }
}

/// A frame to send now.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// To bring back with its confirm.
    pub ticket: Ticket,
    /// Goes into its header.
    pub attempt: u32,
    /// The frame.
    pub frame: Arc<Frame>,
    /// What it counts for in the window's bounds.
    pub bytes: usize,
    /// Whether it was sent before.
    pub is_repeated: bool,
}

/// What came of a request to send again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewound {
    /// It goes out again from there.
    InWindow,
    /// A later attempt than the one that showed the loss covers it, or it was not yet sent.
    AlreadyCovered,
    /// It has left the window: the window now begins there, and is empty until its frames enter again.
    BeyondWindow,
}

impl Window {
    /// An empty window whose first frame begins at `position`.
    pub fn new(position: u64, attempt: u32) -> Self {
        Self {
            entries: VecDeque::new(),
            first_place: 0,
            next: 0,
            attempt,
            starts: VecDeque::from([(attempt, position)]),
            position,
            confirmed: position,
            ended: false,
            held_bytes: 0,
            unconfirmed_bytes: 0,
            pause: Pause::None,
            backoff: Backoff::default(),
        }
    }

    /// Puts the next frame at the end; `bytes` is what it takes of the bounds. A second end of the
    /// run is left out, and so is what the window is past already.
    pub fn enter(&mut self, frame: Arc<Frame>, bytes: usize) {
        let is_end = frame.header.flags.contains(FrameFlags::END_OF_RUN);
        let is_next = frame.header.first_seq == self.position;
        debug_assert!(is_next || frame.end_seq() <= self.position, "frames enter without holes");
        if !is_next || (is_end && self.ended) || (!is_end && frame.ticks().is_empty()) {
            return;
        }
        self.position = frame.end_seq();
        self.ended |= is_end;
        self.held_bytes += bytes;
        self.entries.push_back(Entry { frame, bytes, sent: false, attempt: None, confirmed: false });
    }

    /// The next frame to send, if one may go at `now`.
    pub fn take_next(&mut self, now: Duration) -> Option<Outgoing> {
        match self.pause {
            Pause::Until(resume_at) if now < resume_at => return None,
            Pause::Probing(_) => return None,
            _ => {}
        }
        let place = self.first_place + self.next as u64;
        let entry = self.entries.get_mut(self.next)?;
        if let Pause::Until(_) = self.pause {
            self.pause = Pause::Probing(place);
        }
        entry.sent = true;
        let is_repeated = entry.attempt.replace(self.attempt).is_some();
        self.next += 1;
        self.unconfirmed_bytes += entry.bytes;
        let ticket = Ticket { place, attempt: self.attempt };
        let (frame, bytes) = (entry.frame.clone(), entry.bytes);
        Some(Outgoing { ticket, attempt: self.attempt, frame, bytes, is_repeated })
    }

    /// The broker has this sending. One that was rewound since then does not count.
    pub fn confirm(&mut self, ticket: Ticket) {
        let Some(entry) = self.sent_mut(ticket) else { return };
        if std::mem::replace(&mut entry.confirmed, true) {
            return;
        }
        let bytes = entry.bytes;
        self.unconfirmed_bytes -= bytes;
        if self.pause == Pause::Probing(ticket.place) {
            self.pause = Pause::None;
            self.backoff.reset();
        }
        while self.entries.front().is_some_and(|entry| entry.confirmed) {
            let Some(entry) = self.entries.pop_front() else { break };
            self.first_place += 1;
            self.next -= 1;
            self.held_bytes -= entry.bytes;
            self.confirmed = entry.frame.end_seq();
        }
    }

    /// The broker refused this sending: it goes out again after a pause, alone, then the others.
    /// False if it was confirmed or rewound before.
    pub fn refuse(&mut self, ticket: Ticket, now: Duration) -> bool {
        if self.sent_mut(ticket).is_none_or(|entry| entry.confirmed) {
            return false;
        }
        self.rewind_to((ticket.place - self.first_place) as usize);
        self.pause = Pause::Until(now + self.backoff.next_wait());
        true
    }

    /// Ticks from `seq` on are missing at the other end, as a frame of attempt `seen` showed.
    pub fn rewind(&mut self, seq: u64, seen: u32) -> Rewound {
        let covered = self.is_covered(seq, seen);
        if covered || seq >= self.published() {
            // The end of the run has no tick of its own, and can be missing alone.
            if covered || seq != self.position || !self.ended || self.next < self.entries.len() {
                return Rewound::AlreadyCovered;
            }
        }
        let holds = |entry: &Entry| {
            entry.frame.end_seq() > seq || entry.frame.header.flags.contains(FrameFlags::END_OF_RUN)
        };
        let index = self.entries.iter().position(holds);
        match index.filter(|index| self.entries[*index].frame.header.first_seq <= seq) {
            Some(index) => {
                self.rewind_to(index);
                Rewound::InWindow
            }
            None => {
                self.begin_at(seq);
                Rewound::BeyondWindow
            }
        }
    }

    /// The connection to the broker is lost, and with it every answer to come: what is not confirmed
    /// goes out again.
    pub fn on_connection_lost(&mut self) {
        self.pause = Pause::None;
        self.backoff.reset();
        if let Some(index) = self.entries.iter().position(|entry| entry.sent && !entry.confirmed) {
            self.rewind_to(index);
        }
    }

    /// What lies before `seq` is not to be had any more: the window goes on there, empty.
    pub fn skip_to(&mut self, seq: u64) {
        self.begin_at(seq);
    }

    fn begin_at(&mut self, seq: u64) {
        self.first_place += self.entries.len() as u64;
        self.entries.clear();
        self.next = 0;
        self.held_bytes = 0;
        self.unconfirmed_bytes = 0;
        self.position = seq;
        self.confirmed = seq;
        self.ended = false;
        if let Pause::Probing(_) = self.pause {
            self.pause = Pause::Until(Duration::ZERO);
        }
        self.begin_attempt(seq);
    }

    fn rewind_to(&mut self, index: usize) {
        for entry in self.entries.range_mut(index..self.next) {
            if !entry.confirmed {
                self.unconfirmed_bytes -= entry.bytes;
            }
            entry.sent = false;
            entry.confirmed = false;
        }
        self.next = index;
        if let Pause::Probing(place) = self.pause
            && place >= self.first_place + index as u64
        {
            self.pause = Pause::Until(Duration::ZERO);
        }
        self.begin_attempt(self.published());
    }

    fn begin_attempt(&mut self, from: u64) {
        self.attempt += 1;
        while self.starts.back().is_some_and(|(_, start)| *start >= from) {
            self.starts.pop_back();
        }
        if self.starts.len() == MAX_STARTS {
            self.starts.pop_front();
        }
        self.starts.push_back((self.attempt, from));
    }

    /// Whether some attempt after `seen` began at or before `seq`. It need not be the last one: a host
    /// that is far behind comes to the gap when others have begun behind it.
    fn is_covered(&self, seq: u64, seen: u32) -> bool {
        let later = self.starts.partition_point(|(attempt, _)| *attempt <= seen);
        self.starts.get(later).is_some_and(|(_, start)| *start <= seq)
    }

    /// The entry of a ticket, unless it was rewound since.
    fn sent_mut(&mut self, ticket: Ticket) -> Option<&mut Entry> {
        let index = usize::try_from(ticket.place.checked_sub(self.first_place)?).ok()?;
        self.entries.get_mut(index).filter(|entry| entry.sent && entry.attempt == Some(ticket.attempt))
    }

    /// The first tick that has not entered: what the feed has to send next.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Everything before it is confirmed.
    pub fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// Everything before it was sent in the current attempt.
    pub fn published(&self) -> u64 {
        self.entries.get(self.next).map_or(self.position, |entry| entry.frame.header.first_seq)
    }

    /// How often it was rewound.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Bytes held, sent and unsent.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Bytes sent and not confirmed.
    pub fn unconfirmed_bytes(&self) -> usize {
        self.unconfirmed_bytes
    }

    /// Frames that wait to be sent.
    pub fn unsent(&self) -> usize {
        self.entries.len() - self.next
    }

    /// Frames sent and not confirmed.
    pub fn in_flight(&self) -> usize {
        self.next
    }

    /// When a pause after a refusal is over, where there is one.
    pub fn paused_until(&self) -> Option<Duration> {
        match self.pause {
            Pause::Until(resume_at) => Some(resume_at),
            _ => None,
        }
    }

    /// Whether the broker refused the last frames, and has taken none since.
    pub fn is_refused(&self) -> bool {
        self.pause != Pause::None
    }

    /// Whether the end of the run was sent in the current attempt.
    pub fn is_end_sent(&self) -> bool {
        self.ended && self.next == self.entries.len()
    }

    /// Whether everything, the end included, is confirmed.
    pub fn is_finished(&self) -> bool {
        self.ended && self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests;
