//! The time zone of times that name none.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::TimeError;
use super::written::LocalTime;

mod name;
mod offset;
mod stretches;

pub use name::UnknownZone;
pub use offset::Offset;
use stretches::{Shown, Stretch};

/// The time zone of times that name none: UTC where a user gives none.
///
/// As text it is a name of the IANA database such as `America/New_York`, whose rules are part of this
/// program, or `UTC`, or an offset such as `-05:00`.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    /// What a user gave; `None` is UTC, with a note that says so.
    given: Option<Given>,
}

#[derive(Debug)]
struct Given {
    /// As the database spells it.
    name: String,
    clock: Clock,
}

#[derive(Debug)]
enum Clock {
    /// Always so far ahead of UTC.
    Fixed(Offset),
    /// Ahead by what daylight saving makes it; never empty, in order of time.
    Changing {
        stretches: Arc<[Stretch]>,
        /// The one of the time before, which is that of nearly every time.
        last: AtomicUsize,
    },
}

impl Zone {
    /// What to say about times without zone that were read although no zone was given.
    pub const UTC_ASSUMED: &str = "times name no zone: taken as UTC, see --tz";

    /// Whether a user gave one.
    pub fn is_given(&self) -> bool {
        self.given.is_some()
    }

    /// Whether times that name no zone are of UTC.
    pub fn is_utc(&self) -> bool {
        match &self.given {
            None => true,
            Some(given) => matches!(given.clock, Clock::Fixed(Offset::UTC)),
        }
    }

    /// When clocks of this zone show `local`.
    ///
    /// # Errors
    /// They showed it twice, or never; or no tick can hold it.
    #[inline]
    pub fn instant(&self, local: LocalTime) -> Result<u64, TimeError> {
        match &self.given {
            None => local.at_offset(0),
            Some(Given { clock: Clock::Fixed(offset), .. }) => local.at_offset(offset.seconds()),
            Some(Given { clock: Clock::Changing { stretches, last }, .. }) => {
                let seconds = local.seconds;
                match find(stretches, last, seconds).shown {
                    Shown::Once(offset) => local.at_offset(offset.seconds()),
                    Shown::Twice { before, after } => Err(TimeError::Twice { seconds, before, after }),
                    Shown::Never { before, after } => Err(TimeError::Never { seconds, before, after }),
                }
            }
        }
    }
}

/// The stretch that `seconds` is in.
#[inline]
fn find<'a>(stretches: &'a [Stretch], last: &AtomicUsize, seconds: i64) -> &'a Stretch {
    match stretches.get(last.load(Ordering::Relaxed)) {
        Some(stretch) if (stretch.from..stretch.to).contains(&seconds) => stretch,
        _ => search(stretches, last, seconds),
    }
}

#[cold]
fn search<'a>(stretches: &'a [Stretch], last: &AtomicUsize, seconds: i64) -> &'a Stretch {
    // The first one begins before every time.
    let at = stretches.partition_point(|stretch| stretch.from <= seconds).saturating_sub(1);
    last.store(at, Ordering::Relaxed);
    &stretches[at]
}

impl Clone for Given {
    fn clone(&self) -> Self {
        let clock = match &self.clock {
            Clock::Fixed(offset) => Clock::Fixed(*offset),
            // Whoever reads another source has other times.
            Clock::Changing { stretches, .. } => {
                Clock::Changing { stretches: stretches.clone(), last: AtomicUsize::new(0) }
            }
        };
        Self { name: self.name.clone(), clock }
    }
}

impl PartialEq for Zone {
    /// A name, or an offset, decides everything.
    fn eq(&self, other: &Self) -> bool {
        let name = |zone: &Self| zone.given.as_ref().map(|given| given.name.clone());
        name(self) == name(other)
    }
}

impl Eq for Zone {}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.given.as_ref().map_or("UTC", |given| &given.name))
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        let text = text.trim();
        let fixed = |offset: Offset| (offset.to_string(), Clock::Fixed(offset));
        let (name, clock) = if text.eq_ignore_ascii_case("utc") || text.eq_ignore_ascii_case("z") {
            ("UTC".to_owned(), Clock::Fixed(Offset::UTC))
        } else if let Some(offset) = Offset::parse(text) {
            fixed(offset)
        } else {
            let zone = name::look_up(text)?;
            let stretches = stretches::of(&zone).into();
            let name = zone.iana_name().unwrap_or(text).to_owned();
            (name, Clock::Changing { stretches, last: AtomicUsize::new(0) })
        };
        Ok(Self { given: Some(Given { name, clock }) })
    }
}

#[cfg(test)]
mod tests;
