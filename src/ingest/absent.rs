//! Strategies that a run waits for although no instance of them runs.

use std::time::{Duration, Instant};

use tick_sdk::names::StrategyName;

/// Between two notices of the same.
const AGAIN: Duration = Duration::from_secs(60);

/// Says which strategies are waited for, once and then rarely.
pub(super) struct AbsentNotices {
    feed: String,
    /// The strategies that this program has.
    known: Vec<&'static str>,
    last: Option<(Instant, Vec<StrategyName>)>,
}

impl AbsentNotices {
    pub(super) fn new(feed: String, known: Vec<&'static str>) -> Self {
        Self { feed, known, last: None }
    }

    /// The lines to show at `now`, when no instance of these strategies runs.
    pub(super) fn at(&mut self, now: Instant, absent: &[StrategyName]) -> Vec<String> {
        if absent.is_empty() {
            self.last = None;
            return Vec::new();
        }
        if let Some((since, before)) = &self.last
            && *before == absent
            && now.duration_since(*since) < AGAIN
        {
            return Vec::new();
        }
        self.last = Some((now, absent.to_vec()));
        absent.iter().map(|name| self.line(name.as_str())).collect()
    }

    fn line(&self, name: &str) -> String {
        let feed = &self.feed;
        if self.known.contains(&name) {
            return format!(
                "no instance of {name} runs: start `orchard run --feed {feed} --strategy {name} …`"
            );
        }
        let closest = closest(name, &self.known).map(|known| format!(" Is {known} meant?"));
        format!(
            "no instance of {name} runs, and this program has no strategy of that name (it has {}).{} If it is \
             a name of your own, start `orchard run --feed {feed} --strategy {name}=STRATEGY …`",
            self.known.join(", "),
            closest.unwrap_or_default()
        )
    }
}

/// The name that differs least, if that is by little.
fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distances = known.iter().map(|known| (edits(name, known), *known));
    distances.min().filter(|(edits, _)| *edits <= 1 + name.len() / 4).map(|(_, known)| known)
}

/// How many bytes have to be inserted, deleted or replaced to make one of the other.
fn edits(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, byte) in one.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], place + 1);
        for (column, there) in other.bytes().enumerate() {
            let replaced = diagonal + usize::from(byte != there);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_that_nobody_runs_is_named_once_and_then_rarely() {
        let mut notices = AbsentNotices::new("btc".to_owned(), vec!["apple", "pear"]);
        let (begun, absent) = (Instant::now(), ["apple".parse().unwrap()]);
        let said = notices.at(begun, &absent);
        assert_eq!(said, ["no instance of apple runs: start `orchard run --feed btc --strategy apple …`"]);
        assert!(notices.at(begun + Duration::from_secs(30), &absent).is_empty());
        assert_eq!(notices.at(begun + Duration::from_secs(61), &absent).len(), 1);
        assert!(notices.at(begun + Duration::from_secs(62), &[]).is_empty());
        assert_eq!(notices.at(begun + Duration::from_secs(63), &absent).len(), 1, "it has gone again");
    }

    #[test]
    fn a_misspelt_name_is_shown_with_the_one_that_is_meant() {
        let mut notices = AbsentNotices::new("btc".to_owned(), vec!["apple", "pear"]);
        let said = notices.at(Instant::now(), &["aple".parse().unwrap(), "momentum".parse().unwrap()]);
        assert!(said[0].contains("it has apple, pear). Is apple meant?"), "{}", said[0]);
        assert!(
            said[1].contains("--strategy momentum=STRATEGY") && !said[1].contains("meant"),
            "{}",
            said[1]
        );
    }

    #[test]
    fn edits_are_counted() {
        for (one, other, count) in [("", "", 0), ("aple", "apple", 1), ("paer", "pear", 2), ("x", "", 1)] {
            assert_eq!(edits(one, other), count, "{one} {other}");
        }
    }
}
