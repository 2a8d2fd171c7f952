//! Where failed messages lie: which queues, and how they are known.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::entry::Kind;

/// How queues are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// By the management API on its usual port beside the broker, else by name.
    #[default]
    ManagementBeside,
    /// By the management API at this address, and by nothing else.
    Management(String),
    /// By name only.
    ByName,
}

/// Which queues are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Queues, as they are called. If these, endpoints or feeds are named, no other queue is looked at.
    pub queues: Vec<String>,
    /// Endpoints, each with its `_error` and its `_skipped` queue.
    pub endpoints: Vec<String>,
    /// Feeds, each with its queue of dead letters.
    pub feeds: Vec<String>,
    /// Endpoints that are known to be there: looked at where the management API does not answer.
    pub known_endpoints: Vec<String>,
}

impl Names {
    /// The queues that are named.
    pub(crate) fn given(&self) -> BTreeSet<String> {
        let of_feeds = self.feeds.iter().map(|feed| format!("orchard.{feed}.dead"));
        of_endpoints(&self.endpoints).chain(of_feeds).chain(self.queues.iter().cloned()).collect()
    }

    /// The queues that are known.
    pub(crate) fn known(&self) -> BTreeSet<String> {
        of_endpoints(&self.known_endpoints).collect()
    }
}

fn of_endpoints(endpoints: &[String]) -> impl Iterator<Item = String> {
    endpoints.iter().flat_map(|name| [format!("{name}_error"), format!("{name}_skipped")])
}

/// Which queues the management API is asked for.
pub(crate) const PATTERN: &str = r"^(.+_(error|skipped)|orchard\..+\.dead)$";

impl Kind {
    /// What lies in a queue of this name.
    pub fn of_queue(name: &str) -> Self {
        let of = |suffix: &str| name.strip_suffix(suffix).is_some_and(|before| !before.is_empty());
        if of("_error") {
            Self::Error
        } else if of("_skipped") {
            Self::Skipped
        } else if name.starts_with("orchard.") && of(".dead") {
            Self::DeadLetter
        } else {
            Self::Parked
        }
    }
}

/// A queue of failed messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedQueue {
    /// Its name.
    pub name: String,
    /// What lies in it.
    pub kind: Kind,
    /// How many wait in it; those that somebody else looks at right now do not count.
    pub messages: u64,
    /// How many programs consume it.
    pub consumers: u32,
    /// `classic` or `quorum`; `None` where the management API does not answer.
    pub queue_type: Option<String>,
    /// After so many returns it drops a message; `None` if it does not, or where the management API does not answer.
    pub delivery_limit: Option<i64>,
}

/// Queues, and how they are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// In order of name.
    pub queues: Vec<FailedQueue>,
    /// How they are known.
    pub source: Source,
}

/// How queues are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "by")]
pub enum Source {
    /// All that the vhost has.
    Management {
        /// The address of the management API.
        address: String,
    },
    /// They were named.
    Named {
        /// So many names were looked for.
        looked_for: usize,
    },
    /// By names that are known: there may be others.
    Known {
        /// So many names were looked for.
        looked_for: usize,
        /// Why the management API was not asked, or gave no answer.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_lies_in_a_queue() {
        let kinds =
            ["create-user_error", "create-user_skipped", "orchard.btc.dead", "_error", "parked", "x.dead"];
        let expected =
            [Kind::Error, Kind::Skipped, Kind::DeadLetter, Kind::Parked, Kind::Parked, Kind::Parked];
        assert_eq!(kinds.map(Kind::of_queue), expected);
    }

    #[test]
    fn names_are_those_of_queues() {
        let names = Names {
            queues: vec!["q".into()],
            endpoints: vec!["a".into()],
            feeds: vec!["btc".into()],
            known_endpoints: vec!["b".into()],
        };
        assert!(names.given().into_iter().eq(["a_error", "a_skipped", "orchard.btc.dead", "q"]));
        assert!(names.known().into_iter().eq(["b_error", "b_skipped"]));
    }
}
