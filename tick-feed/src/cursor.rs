//! The cursor: which ticks of a frame are new. Pure: no I/O, no clock.

use std::ops::Range;

/// The next tick that one (run, strategy, shard) has not yet taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    next_seq: u64,
}

/// What to do with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every tick is new.
    All,
    /// The first `skip` ticks were taken before; the rest is new.
    Suffix {
        /// How many ticks to leave out, at least 1 and fewer than the frame has.
        skip: usize,
    },
    /// Nothing in it is new.
    Duplicate,
    /// Ticks between the cursor and the frame are missing: nothing may be taken.
    Gap {
        /// The missing sequence numbers.
        missing: Range<u64>,
    },
}

impl Cursor {
    /// A cursor at which `next_seq` is the first tick to take.
    pub const fn at(next_seq: u64) -> Self {
        Self { next_seq }
    }

    /// The sequence number of the first tick not yet taken.
    pub const fn next_seq(self) -> u64 {
        self.next_seq
    }

    /// What to do with a frame of `ticks` ticks from `first_seq`; a frame without ticks (heartbeat,
    /// end of run) is [`Verdict::All`] where it stands exactly at the cursor.
    #[inline]
    pub fn judge(self, first_seq: u64, ticks: usize) -> Verdict {
        if first_seq == self.next_seq {
            return Verdict::All;
        }
        if first_seq > self.next_seq {
            return Verdict::Gap { missing: self.next_seq..first_seq };
        }
        match usize::try_from(self.next_seq - first_seq) {
            Ok(skip) if skip < ticks => Verdict::Suffix { skip },
            _ => Verdict::Duplicate,
        }
    }

    /// Moves past ticks that were taken, up to but not including `next_seq`; never backwards.
    #[inline]
    pub fn advance_to(&mut self, next_seq: u64) {
        debug_assert!(next_seq >= self.next_seq, "a cursor never moves back");
        self.next_seq = next_seq;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes frames as a host does; returns the sequence numbers that had an effect.
    fn take(frames: &[(u64, usize)]) -> Vec<u64> {
        let mut cursor = Cursor::default();
        let mut taken = Vec::new();
        for &(first, len) in frames {
            let end = first + len as u64;
            let skip = match cursor.judge(first, len) {
                Verdict::All => 0,
                Verdict::Suffix { skip } => skip as u64,
                Verdict::Duplicate | Verdict::Gap { .. } => continue,
            };
            taken.extend(first + skip..end);
            cursor.advance_to(end);
        }
        taken
    }

    proptest! {
        /// Go-back-N at any moment, cut anew at every resend, with duplicates in between: each
        /// tick has its effect once, in order.
        #[test]
        fn each_tick_once_whatever_is_sent_again(
            cuts in proptest::collection::vec((1usize..20, 0u64..40, any::<bool>()), 1..200)
        ) {
            let mut frames = Vec::new();
            let mut position = 0u64;
            for (len, back, lost) in cuts {
                if !lost {
                    frames.push((position, len));
                }
                // A lost frame is sent again from where it was, perhaps from before it.
                position = if lost { position.saturating_sub(back) } else { position + len as u64 };
            }
            let taken = take(&frames);
            prop_assert!(taken.iter().copied().eq(0..taken.len() as u64));
        }

        #[test]
        fn a_gap_names_what_is_missing(next in 0u64..1000, ahead in 1u64..1000, len in 0usize..10) {
            let verdict = Cursor::at(next).judge(next + ahead, len);
            prop_assert_eq!(verdict, Verdict::Gap { missing: next..next + ahead });
        }
    }

    #[test]
    fn frames_without_ticks_have_a_place_too() {
        assert_eq!(Cursor::at(5).judge(5, 0), Verdict::All);
        assert_eq!(Cursor::at(5).judge(4, 0), Verdict::Duplicate);
        assert_eq!(Cursor::at(5).judge(6, 0), Verdict::Gap { missing: 5..6 });
        assert_eq!(Cursor::at(5).judge(0, 5), Verdict::Duplicate);
        assert_eq!(Cursor::at(5).judge(0, 6), Verdict::Suffix { skip: 5 });
    }
}
