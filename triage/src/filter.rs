//! Which messages an operator means.

use tick_sdk::contracts::envelope::UtcTime;

use crate::entry::Entry;

/// Which messages are meant: those that meet all that is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// One of these is the entry's id, its message id or its command id; empty for any.
    pub ids: Vec<String>,
    /// A part of the message's type, such as `CreateUser`, in any case.
    pub message_type: Option<String>,
    /// A part of the reason or of the exception's type, in any case.
    pub reason: Option<String>,
    /// It failed at this time or before. What does not say when it failed counts from when it was sent.
    pub until: Option<UtcTime>,
    /// It failed at this time or after.
    pub since: Option<UtcTime>,
}

impl Filter {
    /// Whether nothing is asked for, so that every message is meant.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether this message is meant.
    pub fn takes(&self, entry: &Entry) -> bool {
        let is_id = |id: &String| {
            let known = [Some(&entry.id), entry.message_id.as_ref(), entry.command_id.as_ref()];
            known.into_iter().flatten().any(|known| known.eq_ignore_ascii_case(id))
        };
        let has = |text: Option<&str>, part: &str| {
            text.is_some_and(|text| text.to_lowercase().contains(&part.to_lowercase()))
        };
        let at = entry.failed_at.as_deref().or(entry.sent_at.as_deref());
        let at = at.and_then(|at| at.parse::<UtcTime>().ok());
        (self.ids.is_empty() || self.ids.iter().any(is_id))
            && self.message_type.as_deref().is_none_or(|part| has(entry.message_type.as_deref(), part))
            && self.reason.as_deref().is_none_or(|part| {
                has(Some(&entry.reason), part) || has(entry.exception_type.as_deref(), part)
            })
            && self.until.is_none_or(|until| at.is_some_and(|at| at <= until))
            && self.since.is_none_or(|since| at.is_some_and(|at| at >= since))
    }
}

/// How many messages are looked at, and which of them are meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Which ones.
    pub filter: Filter,
    /// At most so many of them.
    pub limit: u64,
    /// At most so many messages of each queue are looked at.
    pub scan: u64,
}

impl Default for Selection {
    /// The first 100 of the first 100,000 of each queue.
    fn default() -> Self {
        Self { filter: Filter::default(), limit: 100, scan: 100_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_meant_if_it_meets_all_that_is_given() {
        let text = |text: &str| Some(text.to_owned());
        let entry = Entry {
            id: "m-1".to_owned(),
            message_id: text("m-1"),
            command_id: text("c-1"),
            message_type: text("Orchard.Contracts:CreateUser"),
            reason: "e-mail is taken".to_owned(),
            exception_type: text("System.ArgumentException"),
            failed_at: text("2026-01-31T12:00:00Z"),
            ..Entry::default()
        };
        let at = |text: &str| Some(text.parse().unwrap());
        let any = Filter::default();
        assert!(any.is_empty() && any.takes(&entry));
        let meant = [
            Filter { ids: vec!["x".into(), "C-1".into()], ..any.clone() },
            Filter { message_type: text("createuser"), reason: text("ARGUMENT"), ..any.clone() },
            Filter { reason: text("is taken"), until: at("2026-01-31T12:00:00Z"), ..any.clone() },
            Filter { since: at("2026-01-31"), ..any.clone() },
        ];
        let not_meant = [
            Filter { ids: vec!["x".into()], ..any.clone() },
            Filter { message_type: text("createuser"), reason: text("gone"), ..any.clone() },
            Filter { until: at("2026-01-31T11:59:59Z"), ..any.clone() },
            Filter { since: at("2026-02-01"), ..any.clone() },
        ];
        assert!(meant.iter().all(|filter| filter.takes(&entry)));
        assert!(!not_meant.iter().any(|filter| filter.takes(&entry)));
        let undated = Entry { failed_at: None, ..entry };
        assert!(!Filter { since: at("2026-01-31"), ..any }.takes(&undated));
    }
}
