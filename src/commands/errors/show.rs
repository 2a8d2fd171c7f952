//! Failed messages for people, and for machines.

use serde::Serialize;
use serde_json::{Value, json};
use triage::{Acted, Entry, Kind, Listed, Shown, Source, Survey};

use super::frames;
use crate::text::{aligned, bytes, counted, printable, thousands};

/// Longer reasons are cut in a list.
const REASON: usize = 100;
/// Of a body that is shown to people.
const BODY: usize = 8_192;

/// The queues of one broker.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Queues {
    pub(super) broker: String,
    pub(super) source: Source,
    pub(super) queues: Vec<Survey>,
}

/// Messages of one broker.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Messages {
    pub(super) broker: String,
    pub(super) source: Source,
    #[serde(flatten)]
    pub(super) listed: Listed,
}

pub(super) fn json_queues(brokers: &[Queues]) -> Value {
    json!({ "brokers": brokers })
}

pub(super) fn json_messages(brokers: &[Messages]) -> Value {
    json!({ "brokers": brokers })
}

pub(super) fn json_acted(acted: &Acted) -> Value {
    json!(acted)
}

/// Each with its body: as JSON where it is, else as text, else its first bytes in hexadecimal.
pub(super) fn json_shown(all: &[Shown]) -> Value {
    let one = |shown: &Shown| {
        let mut value = json!(shown.entry);
        let members = [json!(shown.details), json!({ "body": json_body(shown) })];
        for member in members {
            if let (Value::Object(all), Value::Object(more)) = (&mut value, member) {
                all.extend(more);
            }
        }
        value
    };
    all.iter().map(one).collect()
}

fn json_body(shown: &Shown) -> Value {
    if shown.entry.kind == Kind::DeadLetter {
        return frames::json(&shown.body);
    }
    match serde_json::from_slice(&shown.body) {
        Ok(value) => value,
        Err(_) => match std::str::from_utf8(&shown.body) {
            Ok(text) => text.into(),
            Err(_) => json!({ "firstBytes": frames::hex(&shown.body) }),
        },
    }
}

/// Each queue on a line.
pub(super) fn queues(brokers: &[Queues]) -> String {
    let mut text = String::new();
    for Queues { broker, source, queues } in brokers {
        if brokers.len() > 1 {
            text.push_str(&format!("{broker}\n"));
        }
        text.push_str(&found_by(source, queues.len()));
        if queues.is_empty() {
            continue;
        }
        let titles = ["queue", "messages", "oldest (UTC)", "newest (UTC)", "newest reason"];
        let mut rows = vec![titles.map(str::to_owned).to_vec()];
        let mut is_partly = false;
        for survey in queues {
            is_partly |= survey.looked_at < survey.queue.messages;
            let count = thousands(survey.queue.messages);
            let count = if survey.selected == survey.looked_at {
                count
            } else {
                format!("{} of {count}", thousands(survey.selected))
            };
            let time = |time: &Option<String>| time.as_deref().map_or_else(|| "-".to_owned(), short_time);
            rows.push(vec![
                printable(&survey.queue.name),
                count,
                time(&survey.oldest),
                time(&survey.newest),
                survey.newest_reason.as_deref().map_or_else(|| "-".to_owned(), first_line),
            ]);
        }
        text.push_str(&aligned(&rows, &[1]));
        if is_partly {
            text.push_str("not every message was looked at: --scan says how many are\n");
        }
    }
    text
}

/// Each message on a line.
pub(super) fn messages(brokers: &[Messages]) -> String {
    let mut text = String::new();
    for Messages { broker, source, listed } in brokers {
        if brokers.len() > 1 {
            text.push_str(&format!("{broker}\n"));
        }
        if listed.entries.is_empty() {
            text.push_str(&found_by(source, 0));
            continue;
        }
        text.push_str(&entries(&listed.entries));
        if listed.is_cut {
            text.push_str("and more: --limit shows them\n");
        }
    }
    text
}

fn entries(entries: &[Entry]) -> String {
    let mut rows = vec![["id", "failed (UTC)", "queue", "type", "why"].map(str::to_owned).to_vec()];
    rows.extend(entries.iter().map(|entry| {
        let at = entry.failed_at.as_ref().or(entry.sent_at.as_ref());
        vec![
            printable(&entry.id),
            at.map_or_else(|| "-".to_owned(), |at| short_time(at)),
            printable(&entry.queue),
            printable(entry.message_type.as_deref().unwrap_or("-")),
            first_line(&entry.reason),
        ]
    }));
    aligned(&rows, &[])
}

/// What was looked through; nothing where that is all there is.
fn found_by(source: &Source, queues: usize) -> String {
    match source {
        Source::Management { .. } | Source::Named { .. } if queues > 0 => String::new(),
        Source::Management { address } => {
            format!("nothing failed: the management API at {address} names all queues\n")
        }
        Source::Named { looked_for } => {
            format!("nothing failed in the {}\n", counted(*looked_for as u64, "named queue"))
        }
        Source::Known { looked_for, why } => format!(
            "looked only for the {} of Orchard's own endpoints: name others by --queue, --endpoint or --feed\n  {}\n",
            counted(*looked_for as u64, "queue"),
            printable(why.lines().next().unwrap_or_default())
        ),
    }
}

/// One of them in full.
pub(super) fn one(shown: &Shown) -> String {
    let Shown { entry, details, body } = shown;
    let mut text = String::new();
    let mut line = |name: &str, value: Option<&str>| {
        let Some(value) = value.filter(|value| !value.is_empty()) else { return };
        for (place, part) in value.lines().enumerate() {
            let name = if place == 0 { name } else { "" };
            text.push_str(format!("{name:<13}{}", printable(part)).trim_end());
            text.push('\n');
        }
    };
    line("Id", Some(&entry.id));
    line("Queue", Some(&entry.queue));
    line("Why", Some(&entry.reason));
    line("Exception", entry.exception_type.as_deref());
    line("Consumer", details.consumer_type.as_deref());
    line("Failed", entry.failed_at.as_deref().map(short_time).as_deref());
    let host = [&details.host.machine, &details.host.process, &details.host.version];
    line("In", Some(&host.into_iter().flatten().cloned().collect::<Vec<_>>().join(", ")));
    line("Retries", details.retries.map(|retries| retries.to_string()).as_deref());
    line("Unreadable", details.unreadable.as_deref());
    line("Type", Some(&details.message_types.join("\n")));
    line("Sent", entry.sent_at.as_deref().map(short_time).as_deref());
    line("From", details.source_address.as_deref());
    line("To", details.destination_address.as_deref());
    line("Answer to", details.response_address.as_deref());
    line("Command", entry.command_id.as_deref());
    line("Caused by", details.initiator_id.as_deref());
    line("First cause", details.conversation_id.as_deref());
    line("Request", details.request_id.as_deref());
    line("Requeued to", entry.endpoint.as_deref());
    line("Came by", details.came_by.as_deref());
    line("Size", Some(&bytes(entry.bytes as u64)));
    line("Stack", details.stack_trace.as_deref());
    if entry.kind == Kind::DeadLetter {
        frames::facts(body).into_iter().for_each(|(name, value)| line(name, Some(&value)));
    }
    text.push('\n');
    text.push_str(&shown_body(entry.kind, body));
    text
}

fn shown_body(kind: Kind, body: &[u8]) -> String {
    let whole = std::str::from_utf8(body).ok().filter(|_| kind != Kind::DeadLetter);
    let Some(whole) = whole else { return frames::hex_dump(body) };
    let end = whole.char_indices().nth(BODY).map_or(whole.len(), |(end, _)| end);
    let mut text: String = whole[..end].lines().map(|line| format!("{}\n", printable(line))).collect();
    if end < whole.len() {
        text.push_str(&format!(
            "and {} more: --json shows all\n",
            counted((whole.len() - end) as u64, "byte")
        ));
    }
    text
}

/// What was done.
pub(super) fn acted(acted: &Acted, done: &str, is_dry: bool) -> String {
    let mut text = String::new();
    if is_dry {
        text.push_str(&format!("{} would be {done}", counted(acted.selected, "message")));
        text.push_str(if acted.selected > acted.first.len() as u64 {
            ", of which the first:\n"
        } else {
            "\n"
        });
        if !acted.first.is_empty() {
            text.push_str(&entries(&acted.first));
        }
        return text;
    }
    for stayed in &acted.stays {
        text.push_str(&format!("{} stays: {}\n", printable(&stayed.entry.id), printable(&stayed.reason)));
    }
    text.push_str(&format!("{} {done}\n", counted(acted.done, "message")));
    text
}

/// `2026-01-31T12:00:00.1234567Z` as `2026-01-31 12:00:00`.
fn short_time(time: &str) -> String {
    printable(&time.replacen('T', " ", 1).chars().take(19).collect::<String>())
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or("-");
    let cut: String = line.chars().take(REASON).collect();
    printable(&if cut.len() < text.len() { cut + "…" } else { cut })
}

#[cfg(test)]
mod tests;
