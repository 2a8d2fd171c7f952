//! `/hubs/system` shows who has which shard, and that another host takes it over from one that was killed.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::http::send;
use crate::load::command_id;
use crate::place::Place;
use crate::server::Server;
use crate::servers::Turn;

/// Whatever is waited for is there by then.
const SOON: Duration = Duration::from_secs(60);
/// It is played for longer than the test takes.
const SPEED: f64 = 2.0;
/// A server closes the connection of a client that says nothing for 30 s.
const PING: Duration = Duration::from_secs(10);

#[test]
#[ignore = "needs servers: run scripts/test"]
fn the_shards_of_a_host_that_is_killed_are_seen_to_be_taken_over() {
    let turn = Turn::wait();
    let place = Place::new(turn.servers(), "takeovers", "\n[ingester]\nfeed_shards = 2\n");
    let [gateway, services, ingester] = ["gateway", "services", "ingester"].map(|role| place.start(role, 0));
    let mut hosts = [0, 1].map(|number| Some(place.start("hosts", number)));
    let wish = json!({
        "files": ["usdm_btcusdt_20240808.zst"], "strategies": [{ "strategy": "apple" }], "speed": SPEED,
    });
    let replay = command_id(&gateway.post("/api/replays", &wish));
    let mut watching = Watching::begin(&gateway);
    // The capture has one instrument, and so ticks in one shard.
    let owner = watching.until("a host has the shard", |state| owners(state, &replay).pop_first());
    place.say("a host has the shard");
    let killed_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let is_owner = |host: &Option<Server>| {
        host.as_ref().is_some_and(|host| owner.contains(&format!("-{}-", host.pid())))
    };
    let killed = hosts.iter().position(is_owner).unwrap_or_else(|| panic!("{owner} is no host"));
    hosts[killed].take().unwrap().kill();
    let taken = watching.until("the shard is taken over", |state| {
        let taken = state["takeovers"].as_array().unwrap().iter();
        let taken = taken
            .filter(|one| one["atMs"].as_u64().unwrap() >= killed_ms)
            .find(|one| one["feed"] == format!("replay/{replay}") && one["strategy"] == "apple");
        taken.cloned()
    });
    place.say("the shard is taken over");
    let (from, to) = (taken["from"].as_str().unwrap(), taken["to"].as_str().unwrap());
    assert!(from == owner && to != owner, "{taken} of {owner}");
    // Who has which shard may be seen after the take-over, and a part may not answer in time.
    let heir = BTreeSet::from([to.to_owned()]);
    let state = watching.until("the heir alone has the shard, and all parts are ready", |state| {
        let mut parts = state["parts"].as_array().unwrap().iter();
        let is_so = owners(state, &replay) == heir && parts.all(|part| part["isReady"] == true);
        is_so.then(|| state.clone())
    });
    assert_eq!(state["replays"][0]["replayId"], replay, "{state}");
    let node = &state["nodes"][0];
    // Its messages only the management API knows, which these processes are not given.
    assert!(node["messagesPerSecond"].is_null() && node["budget"].as_u64() > Some(0), "{state}");
    watching.until("the new owner's commits are timed", |state| {
        state["feeds"][0]["strategies"][0]["latencyMs"]["p99"].as_f64()
    });
    drop(watching);
    drop((hosts, ingester, services, gateway, turn));
}

/// Who has shards of the replay's feed.
fn owners(state: &Value, replay: &str) -> BTreeSet<String> {
    let feeds = state["feeds"].as_array().unwrap().iter();
    let feed = feeds.filter(|feed| feed["feed"] == format!("replay/{replay}"));
    let strategies = feed.flat_map(|feed| feed["strategies"].as_array().unwrap());
    let lanes = strategies.flat_map(|strategy| strategy["lanes"].as_array().unwrap());
    lanes.filter_map(|lane| lane["instance"].as_str().map(str::to_owned)).collect()
}

/// A client by server-sent events: each is a line.
struct Watching<'a> {
    gateway: &'a Server,
    path: String,
    lines: BufReader<TcpStream>,
    pinged: Instant,
    states: Vec<Value>,
}

impl<'a> Watching<'a> {
    fn begin(gateway: &'a Server) -> Self {
        let negotiated = gateway.post("/hubs/system/negotiate?negotiateVersion=1", &Value::Null).json();
        let path = format!("/hubs/system?id={}", negotiated["connectionToken"].as_str().unwrap());
        let mut stream = TcpStream::connect(gateway.host()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let host = gateway.host();
        // By this version the answer is not cut into chunks.
        write!(stream, "GET {path} HTTP/1.0\r\nhost: {host}\r\naccept: text/event-stream\r\n\r\n").unwrap();
        let watching =
            Self { gateway, path, lines: BufReader::new(stream), pinged: Instant::now(), states: Vec::new() };
        watching.say(r#"{"protocol":"json","version":1}"#);
        watching.say(r#"{"type":1,"invocationId":"1","target":"Watch","arguments":[]}"#);
        watching
    }

    fn say(&self, record: &str) {
        let headers = [("content-type", "text/plain;charset=UTF-8")];
        let body = format!("{record}\u{1e}");
        let answer = send(self.gateway.host(), "POST", &self.path, &headers, body.as_bytes());
        assert_eq!(answer.status, 200, "{record}: {}", answer.text());
    }

    /// The answer, then what comes about once a second.
    fn next(&mut self) -> Value {
        loop {
            if !self.states.is_empty() {
                return self.states.remove(0);
            }
            if self.pinged.elapsed() > PING {
                self.say(r#"{"type":6}"#);
                self.pinged = Instant::now();
            }
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the server has cut the stream");
            let Some(records) = line.strip_prefix("data:") else { continue };
            for record in records.trim().split('\u{1e}').filter(|record| !record.is_empty()) {
                let message: Value = serde_json::from_str(record).unwrap();
                assert!(message["error"].is_null(), "{message}");
                let states = [message.get("result"), message["arguments"].get(0)];
                self.states.extend(states.into_iter().flatten().cloned());
            }
        }
    }

    fn until<T>(&mut self, what: &str, mut found: impl FnMut(&Value) -> Option<T>) -> T {
        let until = Instant::now() + SOON;
        loop {
            let state = self.next();
            if let Some(found) = found(&state) {
                return found;
            }
            assert!(Instant::now() < until, "{what}: it does not come to that; at last {state}");
        }
    }
}
