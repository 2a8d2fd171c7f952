use proptest::prelude::*;

use super::*;
use crate::{Cursor, FrameHeader, Verdict};
use tick_sdk::names::RunId;
use tick_sdk::{Side, Tick};

const TICKS: u64 = 400;

fn frame(first_seq: u64, ticks: u64) -> Arc<Frame> {
    let end = first_seq == TICKS;
    let header = FrameHeader {
        run: RunId([1; 16]),
        shard: 0,
        shards: 1,
        attempt: 0,
        first_seq,
        published_at: 0,
        watermark: 0,
        flags: if end { FrameFlags::END_OF_RUN } else { FrameFlags::TICKS },
    };
    let ticks = (first_seq..first_seq + ticks).map(|seq| Tick::trade(seq, seq, 1, 1, Side::NONE));
    Arc::new(Frame::owned(header, ticks.collect()))
}

/// A broker's queue and the one who consumes from it, as far as a window can notice them.
#[derive(Default)]
struct Broker {
    queue: VecDeque<(u64, u64, u32, bool)>,
    cursor: Cursor,
    ended: bool,
    /// What showed a gap, and is not yet repaired.
    gap: Option<(u64, u32)>,
}

impl Broker {
    fn publish(&mut self, outgoing: &Outgoing) {
        let frame = &outgoing.frame;
        let is_end = frame.header.flags.contains(FrameFlags::END_OF_RUN);
        self.queue.push_back((frame.header.first_seq, frame.end_seq(), outgoing.attempt, is_end));
    }

    fn consume(&mut self) {
        let Some((first, end, attempt, is_end)) = self.queue.pop_front() else { return };
        match self.cursor.judge(first, (end - first) as usize) {
            Verdict::Gap { .. } => self.gap = Some((self.cursor.next_seq(), attempt)),
            Verdict::Duplicate => {}
            Verdict::All | Verdict::Suffix { .. } => {
                self.cursor.advance_to(end);
                self.ended |= is_end;
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Event {
    Enter(u64),
    Publish {
        arrives: bool,
    },
    Confirm(usize),
    Refuse(usize),
    Consume,
    /// The consumer requests what is missing.
    Ask,
    /// The broker forgets what it holds.
    Forget,
    Lost,
    Wait(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (1..20u64).prop_map(Event::Enter),
        6 => prop_oneof![9 => Just(true), 1 => Just(false)].prop_map(|arrives| Event::Publish { arrives }),
        6 => (0..6usize).prop_map(Event::Confirm),
        1 => (0..6usize).prop_map(Event::Refuse),
        5 => Just(Event::Consume),
        1 => Just(Event::Ask),
        1 => Just(Event::Forget),
        1 => Just(Event::Lost),
        2 => (1..2000u64).prop_map(Event::Wait),
    ];
    prop::collection::vec(event, 1..300)
}

/// A window, the broker behind it and the feed before it.
struct World {
    window: Window,
    broker: Broker,
    in_flight: Vec<(Outgoing, bool)>,
    now: Duration,
}

impl World {
    fn apply(&mut self, event: &Event) {
        match *event {
            Event::Enter(ticks) => self.enter(ticks),
            Event::Publish { arrives } => {
                if let Some(outgoing) = self.window.take_next(self.now) {
                    if arrives {
                        self.broker.publish(&outgoing);
                    }
                    self.in_flight.push((outgoing, arrives));
                }
            }
            Event::Confirm(index) if index < self.in_flight.len() => {
                let (outgoing, arrived) = self.in_flight.remove(index);
                if arrived {
                    self.window.confirm(outgoing.ticket);
                } else {
                    self.window.refuse(outgoing.ticket, self.now);
                }
            }
            // A refused one may be in one queue and not in another.
            Event::Refuse(index) if index < self.in_flight.len() => {
                let (outgoing, _) = self.in_flight.remove(index);
                self.window.refuse(outgoing.ticket, self.now);
            }
            Event::Consume => self.broker.consume(),
            Event::Ask => {
                if let Some((seq, attempt)) = self.broker.gap.take() {
                    self.window.rewind(seq, attempt);
                }
            }
            Event::Forget => self.broker.queue.clear(),
            Event::Lost => {
                self.in_flight.clear();
                self.window.on_connection_lost();
            }
            Event::Wait(ms) => self.now += Duration::from_millis(ms),
            Event::Confirm(_) | Event::Refuse(_) => {}
        }
    }

    fn enter(&mut self, ticks: u64) {
        let from = self.window.position();
        let ticks = ticks.min(TICKS - from);
        let frame = frame(from, ticks);
        let bytes = 80 + 40 * ticks as usize;
        self.window.enter(frame, bytes);
    }

    fn check(&self) {
        let window = &self.window;
        assert!(window.confirmed() <= window.published() && window.published() <= window.position());
        let held: usize = window.entries.iter().map(|entry| entry.bytes).sum();
        let open = |entry: &&Entry| entry.sent && !entry.confirmed;
        let unconfirmed: usize = window.entries.iter().filter(open).map(|entry| entry.bytes).sum();
        assert_eq!((window.held_bytes(), window.unconfirmed_bytes()), (held, unconfirmed));
        let mut seq = window.confirmed();
        for entry in &window.entries {
            assert_eq!(entry.frame.header.first_seq, seq, "no holes");
            seq = entry.frame.end_seq();
        }
        assert_eq!(seq, window.position());
    }

    /// The feed, the broker and the consumer go on without disturbance; true when all has arrived.
    fn settle(&mut self) -> bool {
        for _ in 0..10_000 {
            if self.broker.ended && self.window.is_finished() {
                return true;
            }
            self.now += Duration::from_millis(100);
            self.enter(7);
            while let Some(outgoing) = self.window.take_next(self.now) {
                self.broker.publish(&outgoing);
                self.in_flight.push((outgoing, true));
            }
            for (outgoing, arrived) in std::mem::take(&mut self.in_flight) {
                if arrived {
                    self.window.confirm(outgoing.ticket);
                } else {
                    self.window.refuse(outgoing.ticket, self.now);
                }
            }
            while !self.broker.queue.is_empty() {
                self.broker.consume();
            }
            // Heartbeats show a lost tail, and the last state that the end is lost.
            let next = self.broker.cursor.next_seq();
            if next < self.window.published() || (self.window.is_end_sent() && !self.broker.ended) {
                self.window.rewind(next, self.window.attempt());
            }
            self.check();
        }
        false
    }
}

proptest! {
    /// Whatever is confirmed, refused, lost, forgotten or requested again, in whatever order: every
    /// tick arrives at last, in order and without a hole, and so does the end.
    #[test]
    fn every_tick_arrives_in_the_end(events in events()) {
        let mut world = World {
            window: Window::new(0, 0),
            broker: Broker::default(),
            in_flight: Vec::new(),
            now: Duration::ZERO,
        };
        for event in &events {
            world.apply(event);
            world.check();
        }
        prop_assert!(world.settle());
        prop_assert_eq!(world.broker.cursor.next_seq(), TICKS);
    }

    /// As long as the broker forgets nothing, what counts as confirmed has arrived.
    #[test]
    fn what_is_confirmed_has_arrived(events in events()) {
        let mut world = World {
            window: Window::new(0, 0),
            broker: Broker::default(),
            in_flight: Vec::new(),
            now: Duration::ZERO,
        };
        for event in events.iter().filter(|event| !matches!(event, Event::Forget)) {
            world.apply(event);
            let mut seen = world.broker.cursor;
            for (first, end, ..) in &world.broker.queue {
                if *first <= seen.next_seq() && *end > seen.next_seq() {
                    seen.advance_to(*end);
                }
            }
            prop_assert!(world.window.confirmed() <= seen.next_seq());
        }
    }
}

fn filled(frames: u64) -> (Window, Vec<Outgoing>) {
    let mut window = Window::new(0, 3);
    (0..frames).for_each(|place| window.enter(frame(place * 10, 10), 480));
    let sent = std::iter::from_fn(|| window.take_next(Duration::ZERO)).collect();
    (window, sent)
}

#[test]
fn several_who_miss_the_same_cost_one_resend() {
    let (mut window, _) = filled(4);
    assert_eq!(window.rewind(15, 3), Rewound::InWindow);
    assert_eq!((window.published(), window.attempt()), (10, 4));
    assert_eq!(window.rewind(15, 3), Rewound::AlreadyCovered);
    assert_eq!(window.rewind(12, 3), Rewound::AlreadyCovered);
    while window.take_next(Duration::ZERO).is_some() {}
    assert_eq!(window.rewind(30, 3), Rewound::AlreadyCovered);
    assert_eq!(window.rewind(5, 3), Rewound::InWindow, "the later attempt began behind it");
    assert_eq!(window.published(), 0);
}

#[test]
fn a_request_that_comes_late_is_covered_by_any_attempt_since() {
    let (mut window, sent) = filled(6);
    // The host sees the hole at 10 by frame 20 of attempt 3 only when 10 has come again as attempt 4,
    // and others after it have begun anew.
    window.confirm(sent[0].ticket);
    assert!(window.refuse(sent[1].ticket, Duration::ZERO));
    let later = Duration::from_secs(1);
    let probe = window.take_next(later).expect("the pause is over");
    window.confirm(probe.ticket);
    let sent: Vec<_> = std::iter::from_fn(|| window.take_next(later)).collect();
    sent.iter()
        .filter(|outgoing| outgoing.frame.header.first_seq < 40)
        .for_each(|outgoing| window.confirm(outgoing.ticket));
    window.on_connection_lost();
    assert_eq!(window.attempt(), 5);
    assert_eq!(window.rewind(10, 3), Rewound::AlreadyCovered);
    assert_eq!(window.rewind(5, 3), Rewound::BeyondWindow, "no attempt since began there");
}

#[test]
fn what_left_the_window_has_to_enter_again() {
    let (mut window, sent) = filled(4);
    sent[..2].iter().for_each(|outgoing| window.confirm(outgoing.ticket));
    assert_eq!(window.confirmed(), 20);
    assert_eq!(window.rewind(15, 3), Rewound::BeyondWindow);
    assert_eq!((window.position(), window.published(), window.held_bytes()), (15, 15, 0));
    window.confirm(sent[3].ticket);
    assert_eq!(window.confirmed(), 15, "a confirm from before counts for nothing");
    assert_eq!(window.rewind(15, 3), Rewound::AlreadyCovered);
}

#[test]
fn after_a_refusal_one_frame_goes_first() {
    let (mut window, sent) = filled(4);
    let later = Duration::from_millis(500);
    assert!(window.refuse(sent[1].ticket, Duration::ZERO));
    assert!(!window.refuse(sent[2].ticket, Duration::ZERO), "it was rewound already");
    assert!(window.take_next(Duration::from_millis(9)).is_none());
    let probe = window.take_next(later).expect("the pause is over");
    assert_eq!(probe.frame.header.first_seq, 10);
    assert!(window.take_next(later).is_none(), "one is tried alone");
    assert!(window.refuse(probe.ticket, later));
    assert_eq!(window.paused_until(), Some(later + Duration::from_millis(20)));
    let probe = window.take_next(later * 2).expect("the pause is over");
    window.confirm(probe.ticket);
    assert!(window.take_next(later * 2).is_some(), "it was taken, so the others follow");
    assert!(!window.is_refused());
}
