//! What ASP.NET Core and the official clients said to each other, in both directions.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use bytes::Bytes;
use serde_json::Value as Json;
use signalr::Options;
use signalr::conversation::{Conversation, Ended, Step};
use signalr::message::Incoming;
use signalr::protocol::{Codec, Protocol};

use crate::data::{list, payload, recorded, text};
use crate::view::{JSON, MESSAGE_PACK};
use crate::{sent, view};

const SCENARIOS: [&str; 20] = [
    "abort",
    "authorized",
    "big",
    "calls",
    "calls-detailed",
    "client-results",
    "client-timeout",
    "core",
    "dotnet",
    "expiring",
    "greeting",
    "keep-alive",
    "parallel",
    "server-streams",
    "server-to-client",
    "shutdown",
    "stateful",
    "too-long",
    "uploads",
    "values",
];

/// All that went over one connection id.
#[derive(Default)]
struct Recorded {
    name: String,
    from_client: Vec<FromClient>,
    from_server: Vec<u8>,
}

enum FromClient {
    Bytes(Vec<u8>),
    Reattached,
}

impl Recorded {
    fn handshake(&self) -> Option<(Codec, Vec<u8>)> {
        let sent = self.sent();
        let end = sent.iter().position(|byte| *byte == 0x1e)?;
        let is_json = String::from_utf8_lossy(&sent[..end]).contains("\"json\"");
        Some((if is_json { JSON } else { MESSAGE_PACK }, sent[end + 1..].to_vec()))
    }

    fn sent(&self) -> Vec<u8> {
        let bytes = self.from_client.iter().filter_map(|sent| match sent {
            FromClient::Bytes(bytes) => Some(&bytes[..]),
            FromClient::Reattached => None,
        });
        bytes.collect::<Vec<_>>().concat()
    }
}

fn all_recorded() -> Vec<Recorded> {
    SCENARIOS
        .iter()
        .flat_map(|scenario| {
            let Json::Object(transcripts) = recorded(scenario) else { panic!("{scenario}: no transcripts") };
            transcripts
                .into_iter()
                .flat_map(move |(name, transcript)| connections(&format!("{scenario}/{name}"), &transcript))
        })
        .collect()
}

fn connections(name: &str, transcript: &Json) -> Vec<Recorded> {
    let mut ids_of_tcp = HashMap::new();
    let mut connections: BTreeMap<String, Recorded> = BTreeMap::new();
    for exchange in list(&transcript["exchanges"]) {
        let tcp = exchange["tcp"].as_u64().unwrap_or_default();
        let is_client = exchange["from"] == "client";
        match exchange["kind"].as_str().unwrap_or_default() {
            "request" => {
                let id = id_of(text(&exchange["target"])).unwrap_or_else(|| format!("socket {tcp}"));
                let connection = connections.entry(id.clone()).or_default();
                if exchange["method"] == "POST" && !text(&exchange["target"]).contains("/negotiate") {
                    connection.from_client.push(FromClient::Bytes(payload(&exchange["body"])));
                } else if exchange["method"] == "GET" && !connection.from_client.is_empty() {
                    connection.from_client.push(FromClient::Reattached);
                }
                ids_of_tcp.insert(tcp, id);
            }
            "response" => {
                let to = exchange["to"].as_str().unwrap_or_default();
                if let Some(id) = id_of(to).filter(|_| to.starts_with("GET") && exchange["status"] == 200) {
                    connections.entry(id).or_default().from_server.extend(payload(&exchange["body"]));
                }
            }
            "event" => {
                let lines = text(&exchange["text"]).lines().filter_map(|line| line.strip_prefix("data: "));
                connections
                    .entry(ids_of_tcp[&tcp].clone())
                    .or_default()
                    .from_server
                    .extend(lines.collect::<String>().bytes());
            }
            "frame" if ["text", "binary", "continuation"].contains(&text(&exchange["opcode"])) => {
                let connection = connections.entry(ids_of_tcp[&tcp].clone()).or_default();
                if !is_client {
                    connection.from_server.extend(payload(exchange));
                } else if exchange["lost"] != true {
                    connection.from_client.push(FromClient::Bytes(payload(exchange)));
                }
            }
            _ => {}
        }
    }
    connections.into_values().map(|connection| Recorded { name: name.to_owned(), ..connection }).collect()
}

fn id_of(target: &str) -> Option<String> {
    let (_, id) = target.split_once("id=")?;
    Some(id.split('&').next().unwrap_or_default().to_owned())
}

#[test]
fn every_message_of_the_official_clients_is_read_as_another_reader_does() {
    let mut messages = 0;
    for connection in all_recorded() {
        let Some((codec, sent)) = connection.handshake() else { continue };
        let expected: Vec<_> =
            view::cut(codec, &sent).iter().map(|message| view::of_bytes(codec, message)).collect();
        let decoded: Vec<_> = view::decode(codec, &sent).iter().map(view::of_message).collect();
        assert_eq!(decoded, expected, "{}", connection.name);
        messages += decoded.len();
    }
    assert!(messages > 2000, "only {messages} messages in the recordings");
}

#[test]
fn every_message_of_aspnet_core_is_written_as_it_was() {
    let mut messages = 0;
    for connection in all_recorded() {
        let Some((codec, _)) = connection.handshake() else { continue };
        let Some(end) = connection.from_server.iter().position(|byte| *byte == 0x1e) else { continue };
        for recorded in view::cut(codec, &connection.from_server[end + 1..]) {
            let Some(message) = codec.decode(&Bytes::copy_from_slice(recorded)).expect("a message") else {
                panic!("{}: a type that is not known", connection.name)
            };
            assert_eq!(view::of_message(&message), view::of_bytes(codec, recorded), "{}", connection.name);
            let allow_reconnect = match codec.protocol {
                Protocol::Json => String::from_utf8_lossy(recorded).contains("\"allowReconnect\":true"),
                Protocol::MessagePack => recorded.ends_with(b"\xc3"),
            };
            let written = sent::again(codec, &message, allow_reconnect);
            let written = view::cut(codec, &written)[0];
            match codec.protocol {
                Protocol::Json => assert_eq!(json(written), json(recorded), "{}", connection.name),
                Protocol::MessagePack => assert_eq!(written, recorded, "{}", connection.name),
            }
            messages += 1;
        }
    }
    assert!(messages > 2000, "only {messages} messages in the recordings");
}

fn json(bytes: &[u8]) -> Json {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn every_conversation_of_the_official_clients_goes_through_and_no_call_is_seen_twice() {
    let mut calls = 0;
    for connection in all_recorded() {
        if connection.handshake().is_none() {
            continue;
        }
        let limit = if connection.name.starts_with("too-long") { 32 * 1024 } else { 1 << 20 };
        match converse(&connection, limit) {
            Ok(ids) => {
                let distinct: HashSet<_> = ids.iter().collect();
                assert_eq!(distinct.len(), ids.len(), "{}", connection.name);
                calls += ids.len();
            }
            Err(ended) => assert!(connection.name.starts_with("too-long"), "{}: {ended}", connection.name),
        }
    }
    assert!(calls > 1000, "only {calls} calls in the recordings");
}

/// The ids of all calls that a server would act on.
fn converse(connection: &Recorded, max_message_bytes: usize) -> Result<Vec<String>, Ended> {
    let now = Instant::now();
    let options = Options { max_message_bytes, ..Options::default() };
    let mut conversation = Conversation::begin(&options, now, true, false, false);
    let mut ids = Vec::new();
    for sent in &connection.from_client {
        match sent {
            FromClient::Bytes(bytes) => conversation.receive(now, &bytes.clone().into()),
            FromClient::Reattached => conversation.reattached(now),
        }
        while let Some(step) = conversation.next_step()? {
            if let Step::Message(Incoming::Invocation(call)) = step {
                ids.extend(call.id);
            }
        }
    }
    Ok(ids)
}
