//! Zones by their names.

use jiff::tz::TimeZone;
use thiserror::Error;

/// A text that names no time zone, and what it may have meant.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{text:?} {reason}; {advice}")]
pub struct UnknownZone {
    text: String,
    reason: &'static str,
    advice: String,
}

/// Letters that people write instead of a zone, and the zones where they are usual.
const LETTERS: [(&[&str], &str); 12] = [
    (&["EST", "EDT", "ET"], "America/New_York"),
    (&["CST", "CDT", "CT"], "America/Chicago"),
    (&["MST", "MDT", "MT"], "America/Denver"),
    (&["PST", "PDT", "PT"], "America/Los_Angeles"),
    (&["HST"], "Pacific/Honolulu"),
    (&["BST"], "Europe/London"),
    (&["CEST"], "Europe/Berlin"),
    (&["EEST"], "Europe/Athens"),
    (&["JST"], "Asia/Tokyo"),
    (&["HKT"], "Asia/Hong_Kong"),
    (&["SGT"], "Asia/Singapore"),
    (&["AEST", "AEDT"], "Australia/Sydney"),
];

/// The zone of this name in the IANA database, in any case.
pub(super) fn look_up(text: &str) -> Result<TimeZone, UnknownZone> {
    let unknown = |reason, advice| UnknownZone { text: text.to_owned(), reason, advice };
    let is = |letters: &&str| letters.eq_ignore_ascii_case(text);
    if let Some((_, zone)) = LETTERS.iter().find(|(letters, _)| letters.iter().any(is)) {
        let advice = format!("give a zone with its rules, as {zone}, or a fixed offset, as -05:00");
        return Err(unknown("may be with daylight saving or without it", advice));
    }
    match TimeZone::get(text) {
        Ok(zone) if !zone.is_unknown() => Ok(zone),
        _ => Err(unknown("is not a time zone", advice(text))),
    }
}

fn advice(text: &str) -> String {
    const SHOWN: usize = 5;
    let near = near_names(text);
    if near.is_empty() {
        return "give a name of the IANA database, as America/New_York, or UTC, or an offset, as -05:00"
            .to_owned();
    }
    let shown = near[..near.len().min(SHOWN)].join(", ");
    format!("near names are {shown}; an offset is written as -05:00")
}

/// Names that have the text as a part, or differ from it, or from its city, by a letter or two.
fn near_names(text: &str) -> Vec<String> {
    const LENGTH: usize = 40;
    let wanted = plain(text);
    if !(3..=LENGTH).contains(&wanted.len()) {
        return Vec::new();
    }
    let mut near: Vec<(usize, String)> = Vec::new();
    for name in jiff::tz::db().available().map(|name| name.to_string()) {
        let whole = plain(&name);
        let city = whole.rsplit('/').next().unwrap_or(&whole);
        if city == wanted {
            near.push((0, name));
        } else if whole.contains(&wanted) {
            near.push((1, name));
        } else {
            // A third of the letters: of a short text nearly every name would be near.
            let edits = edits(&whole, &wanted).min(edits(city, &wanted));
            if edits <= 2 && edits * 3 <= wanted.len() {
                near.push((1 + edits, name));
            }
        }
    }
    near.sort();
    near.into_iter().map(|(_, name)| name).collect()
}

/// In small letters, with blanks as the database writes them.
fn plain(name: &str) -> String {
    name.to_lowercase().replace([' ', '-'], "_")
}

/// How many letters are to be changed, added or taken away to make one of the other.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, wanted) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *wanted);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[other.len()]
}
