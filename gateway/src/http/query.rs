//! The query of a URL, checked: names are exact, an empty value is as good as an absent parameter, and all that is
//! wrong is named.

use std::cell::RefCell;
use std::time::Duration;

use axum::http::Uri;
use percent_encoding::percent_decode_str;
use tick_sdk::contracts::CommandId;

use super::refusal::Refusal;
use crate::documents::{Key, decode_cursor};

/// Items of a page where no limit is given.
const DEFAULT_LIMIT: usize = 100;
/// The most items of a page.
const MOST_ITEMS: usize = 1000;
/// A parameter can be repeated so often.
const MOST_REPEATED: usize = 1000;
/// A wait is at most so long.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A query's parameters.
#[derive(Debug)]
pub(crate) struct Query {
    parameters: Vec<(String, String)>,
    wrong: RefCell<Vec<(String, String)>>,
}

impl Query {
    /// The parameters, of which all must be known.
    pub(crate) fn of(uri: &Uri, known: &[&str]) -> Self {
        let query = Self { parameters: Vec::new(), wrong: RefCell::default() };
        let given = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        given.fold(query, |mut query, pair| {
            query.take(pair, known);
            query
        })
    }

    fn take(&mut self, pair: &str, known: &[&str]) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decode_str(&name.replace('+', " ")).decode_utf8_lossy().into_owned();
        if !known.contains(&name.as_str()) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return self.add(&name, format!("is not known here; there are: {known}"));
        }
        let spaced = value.replace('+', " ");
        match percent_decode_str(&spaced).decode_utf8() {
            Ok(text) if text.contains('\0') => self.add(&name, "has the character NUL in it"),
            Ok(text) if text.is_empty() => {}
            Ok(text) => self.parameters.push((name, text.into_owned())),
            Err(_) => self.add(&name, "is not UTF-8"),
        }
    }

    /// Something is wrong with a parameter.
    pub(crate) fn add(&self, name: &str, detail: impl Into<String>) {
        self.wrong.borrow_mut().push((name.to_owned(), detail.into()));
    }

    /// Refuses the request where anything was wrong.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let wrong = self.wrong.take();
        if wrong.is_empty() {
            return Ok(());
        }
        let refusal = Refusal::bad_request("the query is not what this route takes: see errors");
        Err(wrong.into_iter().fold(refusal, |refusal, (name, detail)| refusal.parameter(&name, detail)))
    }

    /// Every value of a parameter that can be repeated.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let values = self.parameters.iter().filter(|(given, _)| given == name);
        let values: Vec<_> = values.map(|(_, value)| value.clone()).collect();
        if values.len() > MOST_REPEATED {
            self.add(name, format!("is given more than {MOST_REPEATED} times"));
        }
        values
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let mut values = self.all(name);
        if values.len() > 1 {
            self.add(name, "is given twice");
        }
        values.pop()
    }

    /// A text that is read by `parse`.
    pub(crate) fn parsed<T>(&self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(name)?;
        parse(&text).map_err(|wrong| self.add(name, format!("'{text}' {wrong}"))).ok()
    }

    /// One of these, in any case.
    pub(crate) fn one_of(&self, name: &str, names: &[&'static str]) -> Option<&'static str> {
        self.parsed(name, |text| {
            let found = names.iter().find(|known| known.eq_ignore_ascii_case(text)).copied();
            found.ok_or_else(|| format!("is none of: {}", names.join(", ")))
        })
    }

    /// `true` or `false`, in any case.
    pub(crate) fn truth(&self, name: &str) -> Option<bool> {
        self.one_of(name, &["true", "false"]).map(|text| text == "true")
    }

    /// How many items a page is to have.
    pub(crate) fn limit(&self) -> usize {
        self.limit_or(DEFAULT_LIMIT)
    }

    /// As [`Query::limit`], with another number where none is given.
    pub(crate) fn limit_or(&self, default: usize) -> usize {
        let limit = self.parsed("limit", |text| {
            let limit = text.parse().ok().filter(|limit| (1..=MOST_ITEMS).contains(limit));
            limit.ok_or_else(|| format!("is no whole number from 1 to {MOST_ITEMS}"))
        });
        limit.unwrap_or(default)
    }

    /// Where a page begins: behind this document.
    pub(crate) fn cursor(&self) -> Option<(Key, String)> {
        self.parsed("cursor", |text| decode_cursor(text).ok_or_else(no_cursor))
    }

    /// A time with its zone, in ns since the UNIX epoch.
    pub(crate) fn instant(&self, name: &str) -> Option<u64> {
        self.parsed(name, crate::instant::parse)
    }

    /// A command.
    pub(crate) fn command_id(&self, name: &str) -> Option<CommandId> {
        self.parsed(name, |text| text.parse().map_err(|_| "is no id of a command".to_owned()))
    }

    /// A duration: `5s`, `500ms`, `5`.
    pub(crate) fn wait(&self) -> Option<Duration> {
        self.parsed("wait", |text| {
            let (number, unit) = match text.strip_suffix("ms") {
                Some(number) => (number, 0.001),
                None => (text.strip_suffix('s').unwrap_or(text), 1.0),
            };
            let seconds = number.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
            let wait = seconds.and_then(|number| Duration::try_from_secs_f64(number * unit).ok());
            let longest = LONGEST_WAIT.as_secs();
            let wait = wait.filter(|wait| *wait <= LONGEST_WAIT);
            wait.ok_or_else(|| format!("is no time of at most {longest} s: write it as 5s or 500ms"))
        })
    }
}

/// What is wrong with a text that is no cursor.
pub(crate) fn no_cursor() -> String {
    "is no cursor of this list: take `next` of the page before".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str, known: &[&str]) -> Query {
        Query::of(&format!("http://a/?{text}").parse().unwrap(), known)
    }

    #[test]
    fn parameters_are_read_as_dotnet_sends_them() {
        let known = ["state", "symbol", "limit", "cursor", "disabled", "wait"];
        let query =
            query("state=Failed&symbol=a%2Cb&symbol=c+d&limit=5&cursor=&disabled=True&wait=1.5s", &known);
        assert_eq!(query.one_of("state", &["accepted", "failed"]), Some("failed"));
        assert_eq!(query.all("symbol"), ["a,b", "c d"]);
        assert_eq!((query.limit(), query.cursor(), query.truth("disabled")), (5, None, Some(true)));
        assert_eq!(query.wait(), Some(Duration::from_millis(1500)));
        query.check().unwrap();
    }

    #[test]
    fn everything_wrong_is_named() {
        let text = "limit=0&x=1&from=2024-01-01T00:00:00&cursor=%21&state=%ff&wait=61s&a=1&a=2&b=%00";
        let query = query(text, &["limit", "from", "cursor", "state", "wait", "a", "b"]);
        query.limit();
        query.instant("from");
        query.cursor();
        query.wait();
        query.text("a");
        let refused = format!("{:?}", query.check().unwrap_err());
        for named in ["limit", "\"x\"", "no zone", "cursor", "UTF-8", "60 s", "given twice", "NUL"] {
            assert!(refused.contains(named), "{named}: {refused}");
        }
    }
}
