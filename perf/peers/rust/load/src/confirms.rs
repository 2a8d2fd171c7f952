//! What of the publishes is confirmed, where a library tells only the broker's words.

use std::collections::BTreeSet;

/// Confirms come in any order; the oldest publish without one holds the window back.
#[derive(Debug, Default)]
pub struct Confirms {
    up_to: u64,
    ahead: BTreeSet<u64>,
}

impl Confirms {
    /// The broker said so; `multiple` is about all before it, too. Gives the highest tag up to which
    /// all are confirmed.
    pub fn confirm(&mut self, tag: u64, multiple: bool) -> u64 {
        if multiple {
            self.up_to = self.up_to.max(tag);
            self.ahead = self.ahead.split_off(&(self.up_to + 1));
        } else if tag > self.up_to {
            self.ahead.insert(tag);
        }
        while self.ahead.remove(&(self.up_to + 1)) {
            self.up_to += 1;
        }
        self.up_to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_one_counts() {
        let mut confirms = Confirms::default();
        assert_eq!(confirms.confirm(2, false), 0);
        assert_eq!(confirms.confirm(1, false), 2);
        assert_eq!(confirms.confirm(6, false), 2);
        assert_eq!(confirms.confirm(5, true), 6);
        assert_eq!(confirms.confirm(3, true), 6);
        assert_eq!(confirms.confirm(3, false), 6);
    }
}
