//! The members of a JSON object, checked one by one: all that is wrong is named, not the first only.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::json::escape;
use super::refusal::Refusal;

/// What was found wrong in a body so far.
#[derive(Debug, Default)]
pub(crate) struct Wrong(RefCell<Vec<(String, String)>>);

impl Wrong {
    /// Something more is wrong.
    pub(crate) fn add(&self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.borrow_mut().push((pointer.into(), detail.into()));
    }

    /// Refuses the body where anything was wrong.
    pub(crate) fn check(self) -> Result<(), Refusal> {
        let wrong = self.0.into_inner();
        if wrong.is_empty() {
            return Ok(());
        }
        let refusal = Refusal::bad_request("the body is not what this route takes: see pointers");
        Err(wrong.into_iter().fold(refusal, |refusal, (pointer, detail)| refusal.pointer(pointer, detail)))
    }
}

/// An object of which some members are known. Names are found in any case; null is as good as absent.
pub(crate) struct Fields<'a> {
    at: String,
    members: BTreeMap<&'static str, &'a Value>,
    is_object: bool,
    wrong: &'a Wrong,
}

impl<'a> Fields<'a> {
    /// The members of `value`, which stands at `at`. Members that are not known are wrong.
    pub(crate) fn of(
        value: &'a Value,
        at: impl Into<String>,
        known: &[&'static str],
        wrong: &'a Wrong,
    ) -> Self {
        let mut fields = Self { at: at.into(), members: BTreeMap::new(), is_object: true, wrong };
        let Value::Object(object) = value else {
            wrong.add(&fields.at, format!("is {}: give an object", kind(value)));
            fields.is_object = false;
            return fields;
        };
        for (name, value) in object {
            let Some(found) = known.iter().find(|known| known.eq_ignore_ascii_case(name)) else {
                fields.add(name, format!("is not known here; there are: {}", known.join(", ")));
                continue;
            };
            if fields.members.insert(found, value).is_some() {
                fields.add(name, format!("is given twice, in another case: it is {found}"));
            }
        }
        fields
    }

    /// Something is wrong with a member.
    pub(crate) fn add(&self, name: &str, detail: impl Into<String>) {
        self.wrong.add(format!("{}/{}", self.at, escape(name)), detail);
    }

    fn get(&self, name: &'static str) -> Option<&'a Value> {
        self.members.get(name).copied().filter(|value| !value.is_null())
    }

    fn expect<T>(&self, name: &'static str, value: Option<T>) -> Option<T> {
        if value.is_none() && self.is_object && self.get(name).is_none() {
            self.add(name, "is missing");
        }
        value
    }

    /// A text that may be absent.
    pub(crate) fn text(&self, name: &'static str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text.clone()),
            other => {
                self.add(name, format!("is {}: give a text", kind(other)));
                None
            }
        }
    }

    /// A text that must be there; an empty one where it is not.
    pub(crate) fn required_text(&self, name: &'static str) -> String {
        self.expect(name, self.text(name)).unwrap_or_default()
    }

    /// True or false, which may be absent.
    pub(crate) fn truth(&self, name: &'static str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(value) => Some(*value),
            other => {
                self.add(name, format!("is {}: give true or false", kind(other)));
                None
            }
        }
    }

    /// A number written as a number or as text, kept as it is written.
    pub(crate) fn decimal(&self, name: &'static str) -> Option<String> {
        match self.get(name)? {
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) => Some(text.clone()),
            other => {
                self.add(name, format!("is {}: give a decimal number", kind(other)));
                None
            }
        }
    }

    /// A number above zero that may be absent.
    pub(crate) fn positive(&self, name: &'static str) -> Option<f64> {
        let value = self.get(name)?;
        let number = value.as_f64().filter(|number| number.is_finite() && *number > 0.0);
        if number.is_none() {
            self.add(name, format!("is {}: give a number above 0", shown(value)));
        }
        number
    }

    /// A whole number that may be absent.
    pub(crate) fn count(&self, name: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let value = self.get(name)?;
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.add(name, format!("is {}: give a whole number from {least} to {most}", shown(value)));
        }
        number
    }

    /// A time with its zone, in UTC.
    pub(crate) fn instant(&self, name: &'static str) -> Option<String> {
        let text = self.text(name)?;
        match crate::instant::parse(&text) {
            // .NET, which may read it again, takes no small letters.
            Ok(_) => Some(text.to_ascii_uppercase()),
            Err(wrong) => {
                self.add(name, wrong);
                None
            }
        }
    }

    /// A list of texts; empty where it is absent.
    pub(crate) fn texts(&self, name: &'static str) -> Vec<String> {
        let texts = self.items(name).into_iter().enumerate().filter_map(|(place, item)| match item {
            Value::String(text) => Some(text.clone()),
            other => {
                self.wrong.add(self.item(name, place), format!("is {}: give a text", kind(other)));
                None
            }
        });
        texts.collect()
    }

    /// A list of anything, with the place of each; empty where it is absent.
    pub(crate) fn items_at(&self, name: &'static str) -> Vec<(String, &'a Value)> {
        let items = self.items(name).into_iter().enumerate();
        items.map(|(place, item)| (self.item(name, place), item)).collect()
    }

    /// Texts by name; empty where it is absent. Numbers and truth values are taken as they are written.
    pub(crate) fn texts_by_name(&self, name: &'static str) -> BTreeMap<String, String> {
        let empty = Map::new();
        let members = match self.get(name) {
            None => &empty,
            Some(Value::Object(members)) => members,
            Some(other) => {
                self.add(name, format!("is {}: give an object of texts", kind(other)));
                &empty
            }
        };
        let texts = members.iter().filter_map(|(key, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(value) => value.to_string(),
                other => {
                    let at = format!("{}/{name}/{}", self.at, escape(key));
                    self.wrong.add(at, format!("is {}: give a text", kind(other)));
                    return None;
                }
            };
            Some((key.clone(), text))
        });
        texts.collect()
    }

    /// Whether a member is there.
    pub(crate) fn require(&self, name: &'static str) {
        self.expect(name, self.get(name));
    }

    fn items(&self, name: &'static str) -> Vec<&'a Value> {
        match self.get(name) {
            None => Vec::new(),
            Some(Value::Array(items)) => items.iter().collect(),
            Some(other) => {
                self.add(name, format!("is {}: give a list", kind(other)));
                Vec::new()
            }
        }
    }

    fn item(&self, name: &'static str, place: usize) -> String {
        format!("{}/{name}/{place}", self.at)
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        other => kind(other).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_wrong_is_named() {
        let body =
            json!({"EMAIL": 1, "more": true, "loop": 1.5, "files": ["a", 2], "at": "2024-01-01T00:00:00"});
        let wrong = Wrong::default();
        let fields = Fields::of(&body, "", &["email", "name", "loop", "files", "at"], &wrong);
        assert_eq!(fields.required_text("email"), "");
        fields.required_text("name");
        assert_eq!(fields.count("loop", 1..=9), None);
        assert_eq!(fields.texts("files"), ["a"]);
        fields.instant("at");
        let named: Vec<_> = wrong.0.borrow().iter().map(|(pointer, _)| pointer.clone()).collect();
        assert_eq!(named, ["/more", "/email", "/name", "/loop", "/files/1", "/at"]);
        let detail = wrong.0.borrow()[0].1.clone();
        assert!(detail.contains("email, name, loop"), "{detail}");
        wrong.check().unwrap_err();
    }

    #[test]
    fn names_are_found_in_any_case_and_null_is_absent() {
        let body = json!({"Name": "x", "email": null, "parameters": {"Fast": 8, "on": true}});
        let wrong = Wrong::default();
        let fields = Fields::of(&body, "", &["email", "name", "parameters"], &wrong);
        assert_eq!(fields.text("email"), None);
        assert_eq!(fields.required_text("name"), "x");
        let parameters = fields.texts_by_name("parameters");
        assert_eq!(
            parameters.into_iter().collect::<Vec<_>>(),
            [("Fast".to_owned(), "8".to_owned()), ("on".to_owned(), "true".to_owned())]
        );
        wrong.check().unwrap();
        let body = json!({"Name": "x", "name": "y"});
        let wrong = Wrong::default();
        Fields::of(&body, "", &["name"], &wrong);
        wrong.check().unwrap_err();
    }

    #[test]
    fn what_is_no_object_misses_nothing() {
        let wrong = Wrong::default();
        Fields::of(&json!([]), "/a/0", &["name"], &wrong).required_text("name");
        assert_eq!(wrong.0.borrow().len(), 1);
    }
}
