//! A zone's rules, as stretches of what its clocks show.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Offset;

/// A stretch of what clocks show, in seconds since the UNIX epoch as if they showed UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The first second.
    pub(super) from: i64,
    /// The first second of the next stretch.
    pub(super) to: i64,
    pub(super) shown: Shown,
}

/// How often clocks show a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Once(Offset),
    /// They were set back.
    Twice {
        before: Offset,
        after: Offset,
    },
    /// They were set forward.
    Never {
        before: Offset,
        after: Offset,
    },
}

/// Where a tick's time begins, and a day more.
const FIRST: i64 = -86_400 * 2;
/// Behind the year 2554, where a tick's time ends.
const LAST: i64 = 18_500_000_000;

/// The stretches of a zone that cover all times of ticks.
pub(super) fn of(zone: &TimeZone) -> Vec<Stretch> {
    let start = Timestamp::from_second(FIRST).unwrap_or_default();
    let mut offset = Offset::of(zone.to_offset(start));
    let mut stretches = vec![Stretch { from: i64::MIN, to: i64::MAX, shown: Shown::Once(offset) }];
    let changes = zone.following(start).take_while(|change| change.timestamp().as_second() < LAST);
    for change in changes {
        let (before, after) = (offset, Offset::of(change.offset()));
        if before == after {
            // Only the zone's letters change.
            continue;
        }
        let at = change.timestamp().as_second();
        let (old, new) = (at + i64::from(before.seconds()), at + i64::from(after.seconds()));
        let shown = if new < old { Shown::Twice { before, after } } else { Shown::Never { before, after } };
        begin(&mut stretches, old.min(new), shown);
        begin(&mut stretches, old.max(new), Shown::Once(after));
        offset = after;
    }
    stretches
}

/// Ends the last stretch where the next begins.
fn begin(stretches: &mut Vec<Stretch>, from: i64, shown: Shown) {
    if let Some(last) = stretches.last_mut() {
        last.to = from;
    }
    stretches.push(Stretch { from, to: i64::MAX, shown });
}
