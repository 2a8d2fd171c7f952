//! What a request wants to be done, and with which messages.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tick_sdk::api::{ERRORS_AT_ONCE, MOST_ERROR_IDS, MOST_ERRORS_AT_ONCE};
use tick_sdk::contracts::envelope::UtcTime;
use tick_sdk::quantity::parse_duration_ns;
use triage::{Filter, Selection};

use super::{LONGEST_NAME, SCANNED};
use crate::http::fields::{Fields, Wrong};
use crate::http::query::Query;
use crate::http::refusal::Refusal;

/// What is done with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Requeue,
    Move,
    Discard,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requeue => "requeue",
            Self::Move => "move",
            Self::Discard => "discard",
        })
    }
}

/// What a body asks for.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) what: What,
    pub(super) selection: Selection,
    pub(super) is_dry_run: bool,
    /// Where to.
    pub(super) to: Option<String>,
}

const DISCARDED_BY: [&str; 8] = ["ids", "type", "reason", "olderThan", "newerThan", "all", "limit", "dryRun"];
const MOVED_BY: [&str; 9] =
    ["ids", "type", "reason", "olderThan", "newerThan", "all", "limit", "dryRun", "to"];

impl Wish {
    /// What this body asks for, about messages of `queue`.
    pub(super) fn of(what: What, queue: &str, body: &Value) -> Result<Self, Refusal> {
        let wrong = Wrong::default();
        let known: &[&'static str] = if what == What::Discard { &DISCARDED_BY } else { &MOVED_BY };
        let fields = Fields::of(body, "", known, &wrong);
        let to = match what {
            What::Requeue => fields.text("to"),
            What::Move => Some(fields.required_text("to")),
            What::Discard => None,
        };
        let is_name = |name: &String| (1..=LONGEST_NAME).contains(&name.len());
        if to.as_ref().is_some_and(|to| !is_name(to)) && body.get("to").is_some() {
            fields.add("to", format!("is no name of 1 to {LONGEST_NAME} bytes"));
        }
        if what == What::Move && to.as_deref() == Some(queue) {
            fields.add("to", "is the queue in which they are");
        }
        let age = |name| {
            fields.text(name).and_then(|text| before(&text).map_err(|wrong| fields.add(name, wrong)).ok())
        };
        let filter = Filter {
            ids: fields.texts("ids"),
            message_type: fields.text("type"),
            reason: fields.text("reason"),
            until: age("olderThan"),
            since: age("newerThan"),
        };
        if filter.ids.len() > MOST_ERROR_IDS as usize {
            fields.add("ids", format!("has more than {MOST_ERROR_IDS}"));
        }
        let is_all = fields.truth("all").unwrap_or(false);
        let is_dry_run = fields.truth("dryRun").unwrap_or(false);
        let limit = fields.count("limit", 1..=MOST_ERRORS_AT_ONCE).unwrap_or(ERRORS_AT_ONCE);
        wrong.check()?;
        if is_all != filter.is_empty() {
            let detail = "say which messages: by ids, type, reason, olderThan or newerThan; or `all` of them";
            return Err(Refusal::bad_request(detail));
        }
        let selection = Selection { filter, limit: limit.into(), scan: SCANNED };
        Ok(Self { what, selection, is_dry_run, to })
    }
}

/// Which messages a query asks for.
pub(super) fn filter_of(query: &Query) -> Filter {
    Filter {
        ids: Vec::new(),
        message_type: query.text("type"),
        reason: query.text("reason"),
        until: query.parsed("olderThan", before),
        since: query.parsed("newerThan", before),
    }
}

/// So long ago.
fn before(age: &str) -> Result<UtcTime, String> {
    let age = parse_duration_ns(age).map(Duration::from_nanos).map_err(|error| error.to_string())?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let ms = u64::try_from(now.saturating_sub(age).as_millis()).ok();
    ms.and_then(UtcTime::from_unix_ms).ok_or_else(|| "is out of all bounds".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(what: What, body: Value) -> String {
        format!("{:?}", Wish::of(what, "a_error", &body).unwrap_err())
    }

    #[test]
    fn a_body_says_which_messages() {
        let body =
            json!({ "ids": ["m-1"], "type": "CreateUser", "olderThan": "2h", "limit": 5, "DryRun": true });
        let wish = Wish::of(What::Requeue, "a_error", &body).unwrap();
        assert_eq!((wish.selection.limit, wish.is_dry_run, wish.to), (5, true, None));
        let filter = wish.selection.filter;
        assert_eq!(
            (filter.ids, filter.message_type.as_deref()),
            (vec!["m-1".to_owned()], Some("CreateUser"))
        );
        assert!(filter.until.is_some() && filter.since.is_none());
        let all = Wish::of(What::Discard, "a_error", &json!({ "all": true })).unwrap();
        assert_eq!((all.selection.limit, all.is_dry_run), (u64::from(ERRORS_AT_ONCE), false));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for body in [json!({}), json!({ "all": true, "reason": "x" }), json!({ "all": false, "limit": 1 })] {
            assert!(refused(What::Requeue, body).contains("say which messages"));
        }
        for (body, named) in [
            (json!({ "all": true }), "/to"),
            (json!({ "all": true, "to": "a_error" }), "is the queue"),
            (json!({ "all": true, "to": "" }), "no name"),
            (json!({ "all": "yes", "to": "b" }), "/all"),
            (json!({ "olderThan": "soon", "to": "b" }), "/olderThan"),
            (json!({ "ids": [1], "to": "b" }), "/ids/0"),
            (json!({ "ids": vec!["x"; 1001], "to": "b" }), "more than 1000"),
            (json!({ "all": true, "to": "b", "limit": 0 }), "/limit"),
        ] {
            let refused = refused(What::Move, body);
            assert!(refused.contains(named), "{named}: {refused}");
        }
        assert!(refused(What::Discard, json!({ "all": true, "to": "b" })).contains("not known here"));
    }
}
