//! How what came differs from what was recorded; races that differ between two recordings are no difference.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::replay::{Replay, Request};
use super::streams::{Carrier, Stream};
use crate::answers::{self, compared};
use crate::data::{payload, text};
use crate::link::Head;
use crate::messages::{self, kind, settled};
use crate::server::headers;

/// What is not there after so long does not come.
const QUIET: Duration = Duration::from_millis(60);
const PATIENCE: Duration = Duration::from_secs(3);
const CLOSE: u64 = 7;

pub(super) async fn differences(mut replay: Replay<'_>) -> Vec<String> {
    tokio::time::sleep(QUIET).await;
    let mut found = Vec::new();
    for (index, stream) in replay.streams.iter().enumerate().filter(|(_, stream)| !stream.is_stalled) {
        found.extend(in_stream(stream, &replay.carrier(index)));
    }
    for request in &replay.requests {
        found.extend(in_answer(request, &replay));
    }
    found.extend(in_polls(&replay));
    found.extend(in_closes(&replay).await);
    for (step, asked) in std::mem::take(&mut replay.asked) {
        found.extend(in_question(step, asked).await);
    }
    found
}

fn in_stream(stream: &Stream, carrier: &Carrier<'_>) -> Vec<String> {
    let sent = stream.sent();
    let recorded = settled(stream.recorded(), &sent);
    settled(stream.ours(carrier), &sent).differences(&stream.name, &recorded)
}

fn in_answer(request: &Request<'_>, replay: &Replay<'_>) -> Vec<String> {
    let (Some(link), Some(recorded)) = (&request.link, request.recorded) else { return Vec::new() };
    let seen = link.seen();
    let name = format!("{} {}", text(&request.sent["method"]), text(&request.sent["target"]));
    if how_it_ends_varies(request, replay, seen.status()) {
        return Vec::new();
    }
    let found = if request.stream.is_some() && matches!(seen.status(), Some(101 | 200)) {
        in_head(seen.head.as_ref(), recorded)
    } else {
        answers::differences(&seen, recorded, "json")
    };
    found.into_iter().map(|difference| format!("{name}: {difference}")).collect()
}

fn in_head(head: Option<&Head>, recorded: &Json) -> Vec<String> {
    let ours = head.map(|head| (json!(head.status), compared(&head.headers)));
    let theirs = Some((recorded["status"].clone(), compared(&headers(recorded))));
    (ours != theirs).then(|| format!("answer {ours:?}, recorded {theirs:?}")).into_iter().collect()
}

/// A client that stops posts its Close and ends the stream or the poll at the same time.
fn how_it_ends_varies(request: &Request<'_>, replay: &Replay<'_>, ours: Option<u16>) -> bool {
    let recorded = request.recorded.map(|recorded| recorded["status"].as_u64().unwrap_or(0));
    let one_of = |statuses: [u16; 2]| {
        ours.is_some_and(|status| statuses.contains(&status))
            && recorded.is_some_and(|status| statuses.iter().any(|one| u64::from(*one) == status))
    };
    let protocol = text(&replay.case["client"]["protocol"]);
    let closes = messages::messages(protocol, &payload(&request.sent["body"]))
        .iter()
        .any(|sent| kind(sent) == Some(CLOSE));
    match text(&request.sent["method"]) {
        "DELETE" => one_of([202, 404]),
        "POST" if closes => one_of([200, 404]),
        _ => false,
    }
}

/// Each kind of answer that a poll had was recorded, too. How the last ones end varies.
fn in_polls(replay: &Replay<'_>) -> Vec<String> {
    let polls = replay.requests.iter().filter(|request| request.link.is_none());
    let recorded: BTreeSet<_> = polls
        .filter_map(|request| request.recorded)
        .map(|recorded| (recorded["status"].as_u64().unwrap(), compared(&headers(recorded))))
        .collect();
    let answers = replay.pollers.values().flat_map(|poller| poller.polled().answers);
    let ours: BTreeSet<_> =
        answers.map(|(head, _)| (u64::from(head.status), compared(&head.headers))).collect();
    let ends = |status: u64| matches!(status, 204 | 404);
    let new = ours.difference(&recorded).filter(|(status, _)| !ends(*status));
    new.map(|(status, headers)| {
        format!("a poll is answered {status} with {headers:?}, recorded {recorded:?}")
    })
    .collect()
}

/// The server's close frames.
async fn in_closes(replay: &Replay<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let exchanges = crate::data::list(&replay.case["exchanges"]);
    let is_close = |exchange: &&Json| {
        exchange["from"] == "server" && exchange["opcode"] == "close" && exchange["lost"] != true
    };
    for exchange in exchanges.iter().filter(is_close) {
        let Some(link) = replay.socket(exchange["tcp"].as_u64().unwrap()) else { continue };
        link.comes_to(PATIENCE, |seen| seen.close().is_some()).await;
        let ours = link.seen().close().map(|(code, _)| code.map(u64::from));
        let recorded = Some(exchange["code"].as_u64());
        if ours != recorded {
            found
                .push(format!("connection {}: close frame {ours:?}, recorded {recorded:?}", exchange["tcp"]));
        }
    }
    found
}

/// What the server learned from the client's answer.
async fn in_question(step: &Json, asked: tokio::task::JoinHandle<Result<String, String>>) -> Option<String> {
    let recorded = text(&step["answer"]);
    let ours = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answered) => answered.expect("asking does not panic"),
        Err(_) => return Some(format!("{}: not answered", step["server"])),
    };
    let is_equal = match (&ours, recorded) {
        (Ok(answer), _) => recorded == format!("result: {answer}"),
        // How a value cannot be read, or a connection has ended, each server says in its words.
        (Err(_), recorded)
            if recorded.starts_with("IOException: ") || recorded.contains("Error trying to deserialize") =>
        {
            true
        }
        (Err(error), recorded) => recorded == format!("HubException: {error}"),
    };
    (!is_equal).then(|| format!("{}: {ours:?}, recorded {recorded:?}", step["server"]))
}

/// Where the recorded server stops, ours says goodbye.
pub(super) async fn at_shutdown(replay: &Replay<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (index, stream) in replay.streams.iter().enumerate() {
        let carrier = replay.carrier(index);
        let has_close = |stream: &Stream| {
            let last = stream.ours(&carrier).pop().unwrap_or_default();
            kind(&last) == Some(CLOSE) && (last["allowReconnect"] == true || last[2] == true)
        };
        let mut tries = 0;
        while !has_close(stream) && tries < 60 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            tries += 1;
        }
        if has_close(stream) {
            found.push(format!("{}: a Close with allowReconnect, recorded none", stream.name));
        } else {
            found.push(format!("{}: no Close at the shutdown", stream.name));
        }
    }
    found
}
