//! Frames by hand, each with what it was answered.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::cases::{self, duration_ms, pause_ms};
use crate::data::{list, payload, probes, text};
use crate::decisions;
use crate::link::{self, Frame, Link, Seen};
use crate::messages::{self, Settled, countable, messages, settled};
use crate::server::{Server, request};

/// How long an answer is waited for beyond its recorded moment.
const PATIENCE: Duration = Duration::from_secs(3);
/// What is not there after so long does not come.
const QUIET: Duration = Duration::from_millis(150);
/// An answer to a call that was not answered would be there after so long.
const LONG_QUIET: Duration = Duration::from_millis(1500);

#[test]
fn websocket_probes() {
    let cases = probes("probes-websocket").into_iter();
    let named = cases.map(|case| (format!("{} ({})", text(&case["name"]), text(&case["protocol"])), case));
    cases::run("SignalR probes of WebSockets", decisions::WEBSOCKET, named.collect(), replay);
}

async fn replay(case: Json) -> Vec<String> {
    let server = Server::start(&case).await;
    let mut probe = Probe::begin(&case, &server).await;
    if text(&case["name"]).contains("reads nothing") {
        return probe.read_nothing(&server).await;
    }
    for (index, sent) in list(&case["sent"]).iter().enumerate() {
        probe.wait_for_answers(index).await;
        probe.pace(index).await;
        probe.send(&server, sent).await;
    }
    probe.wait_for_answers(list(&case["sent"]).len()).await;
    probe.wait_for_end().await;
    probe.differences()
}

struct Probe<'a> {
    case: &'a Json,
    target: String,
    link: Link,
    started: std::time::Instant,
    is_faster: u32,
    /// Status codes of later sockets with the id.
    later: Vec<u16>,
}

impl<'a> Probe<'a> {
    async fn begin(case: &'a Json, server: &Server) -> Self {
        let hub = text(&case["hub"]);
        let target = if text(&case["name"]).starts_with("ended id") {
            format!("{hub}?id={}", server.negotiate(hub, "negotiateVersion=1", &[]).await.token)
        } else {
            hub.to_owned()
        };
        let link = Link::request(server.port, &request("GET", &target, &[], true, b""), false).await;
        link.comes_to(PATIENCE, |seen| seen.head.is_some()).await;
        let started = std::time::Instant::now();
        Self { case, target, link, started, is_faster: server.is_faster, later: Vec::new() }
    }

    /// What was received before an entry of `sent`: that many messages and pongs have to be here.
    async fn wait_for_answers(&self, sent: usize) {
        let received = list(&self.case["received"]).iter();
        let before: Vec<_> = received.filter(|entry| entry["after"].as_u64() <= Some(sent as u64)).collect();
        let recorded = self.recorded(before.iter().copied(), sent);
        let pongs = before.iter().filter(|entry| entry["opcode"] == "pong").count();
        let last = before.iter().filter_map(|entry| entry["t"].as_u64()).max().unwrap_or(0);
        let within = self.left_until(last) + PATIENCE;
        let enough = |seen: &Seen| {
            let has_all = self.ours(seen, sent).has_all_of(&recorded);
            has_all && seen.frames.iter().filter(|frame| frame.opcode == link::PONG).count() >= pongs
        };
        self.link.comes_to(within, enough).await;
    }

    fn recorded<'b>(&self, received: impl Iterator<Item = &'b Json>, sent: usize) -> Settled {
        let bytes: Vec<u8> = received.filter(|entry| is_data(entry)).flat_map(payload).collect();
        settled(messages(self.protocol(), &bytes), &self.sent(sent))
    }

    fn ours(&self, seen: &Seen, sent: usize) -> Settled {
        settled(messages(self.protocol(), &data(&seen.frames)), &self.sent(sent))
    }

    /// What the client has sent, as far as it can be read.
    fn sent(&self, count: usize) -> Vec<Json> {
        let sent = list(&self.case["sent"])[..count].iter().filter(|entry| is_data(entry));
        messages(self.protocol(), &sent.flat_map(payload).collect::<Vec<_>>())
    }

    fn protocol(&self) -> &str {
        text(&self.case["protocol"])
    }

    /// Until the recorded moment, in the time of a server that is faster.
    fn left_until(&self, recorded_ms: u64) -> Duration {
        (Duration::from_millis(recorded_ms) / self.is_faster).saturating_sub(self.started.elapsed())
    }

    /// Pings that were sent at intervals are sent at these again.
    async fn pace(&self, index: usize) {
        let name = text(&self.case["name"]);
        let interval = match name {
            _ if index < 2 => return,
            _ if name.contains("pings each 10 s") => 10_000,
            _ if name.contains("WebSocket pings only") => 1000,
            _ => return,
        };
        tokio::time::sleep(self.left_until(interval * (index as u64 - 1))).await;
    }

    async fn send(&mut self, server: &Server, sent: &Json) {
        let Some(note) = sent["note"].as_str() else {
            let bytes = frame(sent);
            return self.link.send(&bytes).await;
        };
        if note.starts_with("a new socket") {
            self.answer_close().await;
            tokio::time::sleep(Duration::from_millis(pause_ms(sent).unwrap_or(0))).await;
            let bytes = request("GET", &self.target, &[], true, b"");
            let link = Link::request(server.port, &bytes, false).await;
            link.comes_to(PATIENCE, |seen| seen.head.is_some()).await;
            self.later.push(link.seen().status().unwrap_or(0));
        } else if note.starts_with("FIN") {
            self.link.finish().await;
        } else if note == "TCP reset" {
            self.link.reset().await;
        } else {
            panic!("{note}");
        }
    }

    /// The client answers a close frame that came, as clients do.
    async fn answer_close(&mut self) {
        let is_asked = !text(&self.case["name"]).contains("does not answer");
        let has_closed = list(&self.case["sent"]).iter().any(|sent| sent["opcode"] == "close");
        let closes = |seen: &Seen| seen.close().is_some();
        if !self.case["closed"].is_null()
            && self.link.comes_to(PATIENCE, closes).await
            && is_asked
            && !has_closed
        {
            let bytes = link::frame(0x80 | link::CLOSE, &link::close_payload(Some(1000), ""), true);
            self.link.send(&bytes).await;
        }
    }

    /// Waits for the recorded end, or sees that none comes.
    async fn wait_for_end(&mut self) {
        let closed = &self.case["closed"];
        if closed.is_null() {
            let left = self.left_until(duration_ms(self.case));
            let quiet = if self.is_unanswered() { LONG_QUIET } else { QUIET };
            self.link.comes_to(left + quiet, |seen| seen.end.is_some()).await;
            return;
        }
        let end = closed["tcpT"].as_u64().unwrap_or(0);
        let within = self.left_until(end) + PATIENCE;
        if closed["frame"] != json!(false) {
            self.link.comes_to(within, |seen| seen.close().is_some()).await;
            self.answer_close().await;
        }
        self.link.comes_to(within, |seen| seen.end.is_some()).await;
    }

    /// Whether an answer that was not recorded might come.
    fn is_unanswered(&self) -> bool {
        let recorded = self.recorded(list(&self.case["received"]).iter(), 0).messages;
        let sent = self.sent(list(&self.case["sent"]).len());
        messages::calls(&sent).any(|call| !messages::is_answered(&recorded, call))
    }

    fn differences(&self) -> Vec<String> {
        let seen = self.link.seen();
        let received = list(&self.case["received"]);
        let sent = list(&self.case["sent"]).len();
        let recorded = self.recorded(received.iter(), sent);
        let mut differences = self.ours(&seen, sent).differences("received", &recorded);
        differences.extend(self.pongs(&seen));
        differences.extend(formats(&seen, received));
        differences.extend(self.end(&seen));
        let statuses: Vec<u64> = received.iter().filter_map(|entry| entry["status"].as_u64()).collect();
        let later: Vec<u64> = self.later.iter().map(|status| u64::from(*status)).collect();
        if later != statuses {
            differences.push(format!("new sockets are answered {later:?}, recorded {statuses:?}"));
        }
        differences
    }

    fn pongs(&self, seen: &Seen) -> Option<String> {
        let recorded = list(&self.case["received"]).iter().filter(|entry| entry["opcode"] == "pong");
        let recorded: Vec<_> = recorded.map(payload).collect();
        let ours = seen.frames.iter().filter(|frame| frame.opcode == link::PONG);
        let ours: Vec<_> = ours.map(|frame| frame.payload.clone()).collect();
        // Where a timeout ends the connection, the last ping may come too late for a server whose clock is exact.
        let is_timed = self.case["closed"]["t"].is_u64();
        let is_equal =
            ours == recorded || (is_timed && recorded.split_last().is_some_and(|(_, before)| ours == before));
        (!is_equal).then(|| format!("{} pongs, recorded {}", ours.len(), recorded.len()))
    }

    fn end(&self, seen: &Seen) -> Vec<String> {
        let closed = &self.case["closed"];
        let ours = seen.close();
        let Some(recorded) = closed.as_object() else {
            let has_reset = list(&self.case["sent"]).iter().any(|sent| sent["note"] == "TCP reset");
            let is_open = has_reset || (seen.end.is_none() && ours.is_none());
            return (!is_open)
                .then(|| format!("the connection ends: {ours:?}, TCP {:?}", seen.end))
                .into_iter()
                .collect();
        };
        let mut differences = Vec::new();
        let code = recorded["code"].as_u64().map(|code| u16::try_from(code).unwrap());
        let expected = (recorded.get("frame") != Some(&json!(false)))
            .then(|| (code, recorded["reason"].as_str().unwrap_or_default().to_owned()));
        if ours != expected {
            differences.push(format!("close frame {ours:?}, recorded {expected:?}"));
        }
        if seen.end.is_none() {
            differences.push("TCP does not end".to_owned());
        }
        let early = recorded.get("t").and_then(Json::as_u64).filter(|t| *t >= 1000);
        if early.is_some_and(|t| self.started.elapsed() < Duration::from_millis(t / 2) / self.is_faster) {
            differences.push("the connection ends early".to_owned());
        }
        differences
    }

    /// The server calls Item 5,000 times; then the client reads what had come.
    async fn read_nothing(&mut self, server: &Server) -> Vec<String> {
        let handshake = frame(&list(&self.case["sent"])[0]);
        self.link.send(&handshake).await;
        self.link.comes_to(PATIENCE, |seen| !seen.frames.is_empty()).await;
        self.link.read(false);
        server.call_items(text(&self.case["hub"]), None, &"x".repeat(4000), 5000).await;
        self.link.read(true);
        self.link.comes_to(Duration::from_secs(20), |seen| seen.end.is_some()).await;
        let seen = self.link.seen();
        let items = countable(messages("json", &data(&seen.frames))).len() - 1;
        let mut differences = Vec::new();
        if items == 0 || items >= 5000 {
            differences.push(format!("{items} messages of 5,000 came"));
        }
        if seen.end.is_none() {
            differences.push("TCP does not end".to_owned());
        }
        differences
    }
}

/// Whether the frames are text or binary, as recorded.
fn formats(seen: &Seen, received: &[Json]) -> Option<String> {
    let recorded = received.iter().filter(|entry| entry["opcode"] == "text" || entry["opcode"] == "binary");
    let mut recorded: Vec<_> = recorded.map(|entry| text(&entry["opcode"])).collect();
    recorded.dedup();
    let ours = seen.frames.iter().filter(|frame| matches!(frame.opcode, link::TEXT | link::BINARY));
    let mut ours: Vec<_> =
        ours.map(|frame| if frame.opcode == link::TEXT { "text" } else { "binary" }).collect();
    ours.dedup();
    // Pings alone make no difference.
    (ours != recorded && !ours.is_empty() && !recorded.is_empty())
        .then(|| format!("frames are {ours:?}, recorded {recorded:?}"))
}

fn is_data(entry: &Json) -> bool {
    matches!(entry["opcode"].as_str(), Some("text" | "binary" | "continuation"))
}

/// What the data frames carry.
pub(crate) fn data(frames: &[Frame]) -> Vec<u8> {
    frames.iter().filter(|frame| frame.opcode < link::CLOSE).flat_map(|frame| frame.payload.clone()).collect()
}

/// A recorded frame of the client.
pub(crate) fn frame(sent: &Json) -> Vec<u8> {
    let opcode = match &sent["opcode"] {
        Json::Number(number) => u8::try_from(number.as_u64().unwrap()).unwrap(),
        name => match text(name) {
            "continuation" => link::CONTINUATION,
            "text" => link::TEXT,
            "binary" => link::BINARY,
            "close" => link::CLOSE,
            "ping" => link::PING,
            "pong" => link::PONG,
            other => panic!("{other}"),
        },
    };
    let fin = if sent["fin"] == json!(false) { 0 } else { 0x80 };
    let reserved = u8::try_from(sent["rsv"].as_u64().unwrap_or(0)).unwrap() << 4;
    let payload = if opcode == link::CLOSE {
        link::close_payload(sent["code"].as_u64(), sent["reason"].as_str().unwrap_or_default())
    } else {
        payload(sent)
    };
    link::frame(fin | reserved | opcode, &payload, sent["masked"] != json!(false))
}
