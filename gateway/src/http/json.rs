//! Bodies as JSON: bounded in size and depth, without duplicate members, NUL and lone surrogates. What is wrong is
//! named with its place.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, StatusCode};
use futures_util::StreamExt;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use super::refusal::Refusal;

/// Arrays and objects within each other.
const DEEPEST: usize = 64;
/// A body arrives within this time.
const LONGEST_BODY: Duration = Duration::from_secs(30);
/// Of a body that is too large, so much is read and thrown away.
const MOST_DISCARDED: usize = 256 << 20;
/// And for so long.
const LONGEST_DISCARD: Duration = Duration::from_secs(5);

/// Reads a body that must be JSON.
pub(crate) async fn read_body(headers: &HeaderMap, body: Body, limit: usize) -> Result<Value, Refusal> {
    check_type(headers)?;
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let mut bytes = Vec::new();
    let mut parts = body.into_data_stream();
    let mut is_too_large = length.is_some_and(|length| length > limit as u64);
    let until = Instant::now() + LONGEST_BODY;
    while !is_too_large {
        let part = timeout_at(until, parts.next()).await.map_err(|_| {
            let detail = format!("the body did not arrive within {} s", LONGEST_BODY.as_secs());
            Refusal::new(StatusCode::REQUEST_TIMEOUT, detail)
        })?;
        let Some(part) = part else { break };
        let part = part.map_err(|error| Refusal::bad_request(format!("the body ended early: {error}")))?;
        is_too_large = bytes.len() + part.len() > limit;
        bytes.extend_from_slice(&part);
    }
    if is_too_large {
        // Whoever waits to be asked for the body is not asked for it.
        if !headers.contains_key(EXPECT) {
            discard(parts).await;
        }
        let detail = format!("the body has more than {limit} bytes");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    parse(&bytes)
}

/// Reads what is still on its way: a connection that is closed before loses the answer, too.
async fn discard(mut parts: BodyDataStream) {
    let read = async {
        let mut bytes = 0;
        while let Some(Ok(part)) = parts.next().await {
            bytes += part.len();
            if bytes > MOST_DISCARDED {
                break;
            }
        }
    };
    // Whoever is slower than this has lost the answer.
    let _ = tokio::time::timeout(LONGEST_DISCARD, read).await;
}

/// Pages of other origins can send bodies of simple types only, without asking first; so the type is demanded.
fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let unsupported = |detail: String| Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    let given = headers.get(CONTENT_TYPE).map_or(Ok(""), |value| value.to_str()).unwrap_or("?");
    let mut parts = given.split(';').map(|part| part.trim().to_ascii_lowercase());
    let media = parts.next().unwrap_or_default();
    let is_json =
        media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"));
    if !is_json {
        return Err(unsupported(format!("the content type is '{given}': send application/json")));
    }
    let charset = parts.find_map(|part| part.strip_prefix("charset=").map(str::to_owned));
    if charset.is_some_and(|charset| !matches!(charset.trim_matches('"'), "utf-8" | "utf8")) {
        return Err(unsupported(format!("the content type is '{given}': JSON is UTF-8")));
    }
    match headers.get(CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"identity" | b"") => Ok(()),
        Some(_) => Err(unsupported("compressed bodies are not read: send the body as it is".to_owned())),
    }
}

/// Reads a JSON text.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Refusal> {
    if bytes.trim_ascii().is_empty() {
        return Err(Refusal::bad_request("the body is empty: send a JSON object"));
    }
    let path = RefCell::new(Vec::new());
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = Seed(&path).deserialize(&mut deserializer);
    parsed.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| {
        let pointer: String = path.borrow().iter().map(|part| format!("/{part}")).collect();
        let mut detail = error.to_string();
        if ["hex escape", "surrogate"].iter().any(|said| detail.contains(said)) {
            detail = format!("has half of a surrogate pair, or an escape that is cut: {detail}");
        }
        Refusal::bad_request("the body is no JSON that is taken").pointer(pointer, detail)
    })
}

/// A part of a JSON pointer.
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Where the reader is; on an error it stays where that was.
type Path = RefCell<Vec<String>>;

struct Seed<'p>(&'p Path);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.0.borrow().len() > DEEPEST {
            self.0.borrow_mut().truncate(DEEPEST);
            return Err(D::Error::custom(format!("is nested deeper than {DEEPEST} levels")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        without_nul(text).map(|text| Value::String(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        self.0.borrow_mut().push("0".to_owned());
        while let Some(item) = items.next_element_seed(Seed(self.0))? {
            all.push(item);
            if let Some(place) = self.0.borrow_mut().last_mut() {
                *place = all.len().to_string();
            }
        }
        self.0.borrow_mut().pop();
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            without_nul::<A::Error>(&name)?;
            self.0.borrow_mut().push(escape(&name));
            if all.contains_key(&name) {
                return Err(A::Error::custom("is given twice"));
            }
            let value = members.next_value_seed(Seed(self.0))?;
            self.0.borrow_mut().pop();
            all.insert(name, value);
        }
        Ok(Value::Object(all))
    }
}

fn without_nul<E: Error>(text: &str) -> Result<&str, E> {
    if text.contains('\0') {
        Err(E::custom("has the character NUL in it, which no text may"))
    } else {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        format!("{:?}", parse(text.as_bytes()).unwrap_err())
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, pointer, detail) in [
            (r#"{"a":{"b":1,"b":2}}"#, "/a/b", "given twice"),
            (r#"{"a":["x","\u0000"]}"#, "/a/1", "NUL"),
            (r#"{"a/b":"\ud800"}"#, "/a~1b", "surrogate"),
            (r#"{"a":[1,2,]}"#, "/a/2", "trailing comma"),
            (r#"{"a":1e999}"#, "/a", "out of range"),
            (r#"{"a":1} x"#, "\"\"", "trailing"),
            ("{\"a\":\"\u{1}\"}", "/a", "control character"),
        ] {
            let refused = refused(text);
            assert!(refused.contains(pointer) && refused.contains(detail), "{text}: {refused}");
        }
        assert!(refused(" ").contains("is empty"));
        assert!(refused("\u{feff}{}").contains("expected value"));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        parse(nested(DEEPEST).as_bytes()).unwrap();
        assert!(refused(&nested(DEEPEST + 1)).contains("64 levels"));
        assert!(refused(&"[".repeat(1_000_000)).contains("64 levels"));
        assert!(refused(&"{\"a\":".repeat(1_000_000)).contains("64 levels"));
    }

    #[test]
    fn bodies_are_json_by_their_type() {
        let check = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
            check_type(&headers).is_ok()
        };
        assert!(check("application/json; charset=utf-8") && check("Application/JSON"));
        assert!(check("application/merge-patch+json"));
        assert!(!check("text/plain") && !check("application/json; charset=utf-16") && !check(""));
        assert!(check_type(&HeaderMap::new()).is_err());
    }
}
