//! How a message differs from a recorded one.

use std::collections::BTreeSet;

use bus::wire::{Properties, Publication, Table, Value};

use crate::data::Published;
use crate::outcome::differs;

/// How our message differs from the recorded one, but for what varies from run to run.
pub(super) fn message_differs(ours: &Publication, theirs: &Published) -> Vec<String> {
    let target = (ours.target.exchange(), ours.target.key().to_owned());
    let recorded = (theirs.exchange.clone(), theirs.key.clone());
    let mut differences: Vec<_> = differs("exchange and key", &target, &recorded).into_iter().collect();
    differences.extend(properties_differ(&ours.properties, &theirs.properties));
    differences.extend(body_differs(&ours.body, &theirs.body));
    differences
}

fn properties_differ(ours: &Properties, theirs: &Properties) -> Vec<String> {
    let form = |expiration: &Option<String>| expiration.as_ref().map(|_| "some".to_owned());
    let [mut left, mut right] = [ours, theirs].map(|properties| {
        let headers = Table::default();
        Properties { headers, expiration: form(&properties.expiration), ..properties.clone() }
    });
    let expiration = differs("expiration", &left.expiration.take(), &right.expiration.take());
    let mut differences: Vec<_> =
        differs("properties", &left, &right).into_iter().chain(expiration).collect();
    let names: BTreeSet<_> = ours.headers.iter().chain(theirs.headers.iter()).map(|(name, _)| name).collect();
    // The first is RabbitMQ.Client's own, the others are this program's own.
    let is_beside = |name: &str| name == "x-dotnet-pub-seq-no" || name.starts_with("MT-Orchard-");
    for name in names.into_iter().filter(|name| !is_beside(name)) {
        let [left, right] = [ours, theirs].map(|properties| match properties.headers.get(name) {
            Some(Value::Text(time)) if name == "MT-Fault-Timestamp" => Some(Value::Text(form_of_time(time))),
            value => value.cloned(),
        });
        differences.extend(differs(name, &left, &right));
    }
    differences
}

/// `2026-11-29T10:58:41.5033220Z` with zeros for digits.
fn form_of_time(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

/// Line by line: order of fields, indents, escapes and all. Lines that only one has, and whether the others stand in
/// one order.
fn body_differs(ours: &[u8], theirs: &[u8]) -> Vec<String> {
    let (Ok(ours), Ok(theirs)) = (std::str::from_utf8(ours), std::str::from_utf8(theirs)) else {
        return differs("body", ours, theirs).into_iter().collect();
    };
    let varies = |line: &&str| line.contains("_bus_") && line.contains("\"sourceAddress\"");
    let bus = theirs.lines().find(varies).is_some();
    let lines = |text: &str| -> Vec<String> {
        let kept = text.lines().filter(|line| !(bus && line.starts_with("  \"sourceAddress\"")));
        kept.map(form_of_line).collect()
    };
    let (ours, theirs) = (lines(ours), lines(theirs));
    let only_in = |lines: &[String], other: &[String]| -> Vec<String> {
        lines.iter().filter(|line| !other.contains(line)).cloned().collect()
    };
    let only_here = only_in(&ours, &theirs);
    let only_there = only_in(&theirs, &ours);
    let of_both = |lines: Vec<String>, only: &[String]| -> Vec<String> {
        // Brackets that end what only one has are no lines of both.
        lines
            .into_iter()
            .filter(|line| !only.contains(line) && !line.trim().starts_with(['}', ']']))
            .collect()
    };
    let is_whole = only_here.is_empty() && only_there.is_empty();
    let mut differences: Vec<_> = only_here.iter().map(|line| format!("only here: {line}")).collect();
    differences.extend(only_there.iter().map(|line| format!("only recorded: {line}")));
    if is_whole {
        differences.extend(differs("body", &ours, &theirs));
    } else {
        differences.extend(differs(
            "order of lines",
            &of_both(ours, &only_here),
            &of_both(theirs, &only_there),
        ));
    }
    differences
}

/// A line of a body, without the value of a field that varies from run to run where it has one.
fn form_of_line(line: &str) -> String {
    let varies = ["\"sentTime\"", "\"expirationTime\"", "\"faultId\"", "\"timestamp\""];
    match line.split_once(": ") {
        Some((name, value)) if varies.contains(&name.trim()) && value.starts_with('"') => {
            format!("{name}: some")
        }
        _ => line.to_owned(),
    }
}
