//! The recordings, as `data/README.md` describes them.

use serde_json::Value as Json;

/// One of the recorded files.
pub(crate) fn recorded(name: &str) -> Json {
    let path = format!("{}/tests/recordings/data/{name}.json.zst", env!("CARGO_MANIFEST_DIR"));
    let packed = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&zstd::decode_all(packed.as_slice()).unwrap()).unwrap()
}

/// The cases of a file of probes.
pub(crate) fn probes(name: &str) -> Vec<Json> {
    let mut file = recorded(name);
    let Json::Array(cases) = file["cases"].take() else { panic!("{name}: no cases") };
    cases
}

/// An array's elements; none where there is no array.
pub(crate) fn list(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text that has to be there.
pub(crate) fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A payload as it was sent: `hex`, `text` or `long`; empty where there is none.
pub(crate) fn payload(entry: &Json) -> Vec<u8> {
    if let Some(hex) = entry["hex"].as_str() {
        return from_hex(hex);
    }
    if let Some(text) = entry["text"].as_str() {
        return text.as_bytes().to_vec();
    }
    long(&entry["long"])
}

/// What of a long payload was not recorded is the character before it, repeated; an answer to the last call may follow it.
fn long(entry: &Json) -> Vec<u8> {
    const LAST_ANSWER: &str = "\"}\u{1e}{\"type\":3,\"invocationId\":\"alive\",\"result\":1}\u{1e}";
    let Some(start) = entry["start"].as_str() else { return Vec::new() };
    let end = text(&entry["end"]);
    let end = if LAST_ANSWER.ends_with(end) && end != "\u{1e}" { LAST_ANSWER } else { end };
    let length = usize::try_from(entry["length"].as_u64().unwrap()).unwrap();
    let fill = start.chars().last().unwrap().to_string();
    let middle = fill.repeat(length - start.len() - end.len());
    [start, &middle, end].concat().into_bytes()
}

pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
