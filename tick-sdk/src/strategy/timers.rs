//! The timers of a lane: which key's timer is next, and whether a tick has reached it.

use std::collections::BTreeSet;

/// Every pending timer of a lane, by key.
///
/// Setting a timer and firing one take logarithmic time in the number of keys; the loop over ticks only
/// compares with [`Timers::earliest`].
#[derive(Debug)]
pub(super) struct Timers {
    /// The earliest timer of all, [`u64::MAX`] for none: what the loop over ticks compares with.
    pub(super) earliest: u64,
    /// By key: its pending times.
    pending: Vec<BTreeSet<u64>>,
    /// Each key's earliest time, with the key.
    next: BTreeSet<(u64, u32)>,
    /// How many entries were visited: a test shows that it grows with the timers alone.
    #[cfg(test)]
    visited: u64,
}

/// One key has too many pending timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManyTimers;

impl Default for Timers {
    fn default() -> Self {
        Self {
            earliest: u64::MAX,
            pending: Vec::new(),
            next: BTreeSet::new(),
            #[cfg(test)]
            visited: 0,
        }
    }
}

impl Timers {
    /// The most pending timers of one key.
    pub(super) const MOST: usize = 256;

    /// Makes room for the next key.
    pub(super) fn add_key(&mut self) {
        self.pending.push(BTreeSet::new());
    }

    /// Sets a timer; one for the same time is there already.
    pub(super) fn set(&mut self, key: u32, at: u64) -> Result<(), TooManyTimers> {
        self.visit(1);
        let pending = &mut self.pending[key as usize];
        let before = pending.first().copied();
        pending.insert(at);
        let is_within = pending.len() <= Self::MOST;
        if before.is_none_or(|before| at < before) {
            self.replace_next(key, before, Some(at));
        }
        if is_within { Ok(()) } else { Err(TooManyTimers) }
    }

    /// Takes a key's earliest timer away if `now` has reached it.
    pub(super) fn take(&mut self, key: u32, now: u64) -> Option<u64> {
        self.visit(1);
        let pending = &mut self.pending[key as usize];
        let at = pending.first().copied().filter(|at| *at <= now)?;
        pending.pop_first();
        let after = pending.first().copied();
        self.replace_next(key, Some(at), after);
        Some(at)
    }

    /// A key's pending timers, in order.
    pub(super) fn of(&self, key: u32) -> Vec<u64> {
        self.pending[key as usize].iter().copied().collect()
    }

    /// Replaces a key's timers by stored ones.
    pub(super) fn restore(&mut self, key: u32, timers: Vec<u64>) {
        let stored: BTreeSet<u64> = timers.into_iter().collect();
        let after = stored.first().copied();
        let replaced = std::mem::replace(&mut self.pending[key as usize], stored);
        self.replace_next(key, replaced.first().copied(), after);
    }

    fn replace_next(&mut self, key: u32, before: Option<u64>, after: Option<u64>) {
        self.visit(3);
        if let Some(at) = before {
            self.next.remove(&(at, key));
        }
        if let Some(at) = after {
            self.next.insert((at, key));
        }
        self.earliest = self.next.first().map_or(u64::MAX, |(at, _)| *at);
    }

    #[cfg(test)]
    fn visit(&mut self, entries: u64) {
        self.visited += entries;
    }

    #[cfg(not(test))]
    const fn visit(&mut self, _entries: u64) {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn timers_of(keys: u32) -> Timers {
        let mut timers = Timers::default();
        (0..keys).for_each(|_| timers.add_key());
        timers
    }

    /// A scan of all keys for each timer would visit 10^10 entries here.
    #[test]
    fn a_hundred_thousand_keys_on_one_bar_are_visited_once_each() {
        const KEYS: u32 = 100_000;
        let mut timers = timers_of(KEYS);
        for key in 0..KEYS {
            timers.set(key, 60).unwrap();
        }
        for key in 0..KEYS {
            assert_eq!(timers.earliest, 60);
            assert_eq!(timers.take(key, 61), Some(60));
            assert_eq!(timers.take(key, 61), None);
        }
        assert_eq!(timers.earliest, u64::MAX);
        assert!(timers.visited <= 10 * u64::from(KEYS), "{} entries", timers.visited);
    }

    #[test]
    fn the_last_time_there_is_fires_once() {
        let mut timers = timers_of(1);
        timers.set(0, u64::MAX).unwrap();
        assert_eq!(timers.take(0, u64::MAX - 1), None);
        assert_eq!(timers.take(0, u64::MAX), Some(u64::MAX));
        assert_eq!(timers.take(0, u64::MAX), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set { key: u32, at: u64 },
        Take { key: u32, now: u64 },
        Restore { key: u32, timers: Vec<u64> },
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let time = || prop_oneof![9 => 0..20u64, 1 => Just(u64::MAX)];
        prop_oneof![
            4 => (0..4u32, time()).prop_map(|(key, at)| Step::Set { key, at }),
            4 => (0..4u32, time()).prop_map(|(key, now)| Step::Take { key, now }),
            1 => (0..4u32, proptest::collection::vec(time(), 0..4))
                .prop_map(|(key, timers)| Step::Restore { key, timers }),
        ]
    }

    proptest! {
        #[test]
        fn they_do_what_a_plain_set_for_each_key_does(steps in proptest::collection::vec(any_step(), 0..80)) {
            let mut timers = timers_of(4);
            let mut plain = [const { BTreeSet::<u64>::new() }; 4];
            for step in steps {
                match step {
                    Step::Set { key, at } => {
                        timers.set(key, at).unwrap();
                        plain[key as usize].insert(at);
                    }
                    Step::Take { key, now } => {
                        let pending = &mut plain[key as usize];
                        let at = pending.first().copied().filter(|at| *at <= now);
                        prop_assert_eq!(timers.take(key, now), at);
                        at.inspect(|at| { pending.remove(at); });
                    }
                    Step::Restore { key, timers: stored } => {
                        timers.restore(key, stored.clone());
                        plain[key as usize] = stored.into_iter().collect();
                    }
                }
                let earliest = plain.iter().filter_map(BTreeSet::first).min();
                prop_assert_eq!(timers.earliest, earliest.copied().unwrap_or(u64::MAX));
                prop_assert_eq!(timers.of(1), plain[1].iter().copied().collect::<Vec<_>>());
            }
        }
    }
}
