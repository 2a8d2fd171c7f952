//! Sends what the client sent, each thing when the server has answered what came before it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::differences;
use super::poller::Poller;
use super::streams::{Carrier, Stream};
use crate::data::{list, payload, text};
use crate::link::{Link, Seen, find};
use crate::messages::{self, kind, question};
use crate::server::{Server, headers, request};
use crate::websocket_probes::frame;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(4);
/// Shorter pauses of the recorded client are its own.
const PAUSE_MS: u64 = 40;

pub(super) async fn replay(case: Json) -> Vec<String> {
    let server = Server::start(&case).await;
    let mut found = Replay::new(&case, &server).run(0).await;
    if let Some(restart) = restart(&case) {
        // The client comes back to a process that knows nothing of the one before.
        let server = Server::start(&case).await;
        found.extend(Replay::new(&case, &server).run(restart).await);
    }
    found
}

/// The first exchange with the server that was started after the first one had stopped.
fn restart(case: &Json) -> Option<usize> {
    let mut steps = list(&case["steps"]).iter();
    let listens = steps.find(|step| step["recorder"] == "a new server listens")?["t"].as_u64();
    list(&case["exchanges"]).iter().position(|exchange| exchange["t"].as_u64() > listens)
}

/// A request of the client, and what carries its answer.
pub(super) struct Request<'a> {
    pub(super) sent: &'a Json,
    /// None for polls, which a poller sends.
    pub(super) link: Option<Link>,
    /// Of a socket, events or polls.
    pub(super) stream: Option<usize>,
    pub(super) recorded: Option<&'a Json>,
    is_aborted: bool,
}

pub(super) struct Replay<'a> {
    pub(super) case: &'a Json,
    server: &'a Server,
    protocol: &'a str,
    /// Ours for each recorded id and token.
    ids: Vec<(String, String)>,
    /// The public id of the connection that was negotiated last.
    last_id: String,
    pub(super) requests: Vec<Request<'a>>,
    /// The last request of each recorded TCP connection.
    current: BTreeMap<u64, usize>,
    pub(super) streams: Vec<Stream>,
    pub(super) pollers: BTreeMap<usize, Poller>,
    /// Streams by the id that is polled.
    polled: BTreeMap<String, usize>,
    /// What the recorder had the server do, and is not done yet.
    pub(super) calls: Vec<&'a Json>,
    pub(super) asked: Vec<(&'a Json, tokio::task::JoinHandle<Result<String, String>>)>,
    mark: (Instant, u64),
}

impl<'a> Replay<'a> {
    fn new(case: &'a Json, server: &'a Server) -> Self {
        Self {
            case,
            server,
            protocol: text(&case["client"]["protocol"]),
            ids: Vec::new(),
            last_id: String::new(),
            requests: Vec::new(),
            current: BTreeMap::new(),
            streams: Vec::new(),
            pollers: BTreeMap::new(),
            polled: BTreeMap::new(),
            calls: list(&case["steps"])
                .iter()
                .filter(|step| step["server"].is_string() && step["server"] != "stop")
                .collect(),
            asked: Vec::new(),
            mark: (Instant::now(), 0),
        }
    }

    /// From one exchange on, to the end or to the server's stop.
    async fn run(mut self, from: usize) -> Vec<String> {
        let exchanges = list(&self.case["exchanges"]);
        self.mark = (Instant::now(), exchanges[from]["t"].as_u64().unwrap());
        for (index, exchange) in exchanges.iter().enumerate().skip(from) {
            if from == 0 && self.is_shutdown(exchange) {
                return self.shut_down().await;
            }
            let goes_on = match text(&exchange["from"]) {
                "client" => self.client(index, exchange).await,
                "server" => self.server(exchange).await,
                _ => self.recorder(index, exchange).await,
            };
            if !goes_on {
                break;
            }
        }
        self.finish().await
    }

    async fn client(&mut self, index: usize, exchange: &'a Json) -> bool {
        self.pace(index, exchange).await;
        let tcp = exchange["tcp"].as_u64().unwrap();
        match text(&exchange["kind"]) {
            "request" => self.request(tcp, exchange).await,
            "frame" if exchange["lost"] == true => {}
            "frame" => self.frame(tcp, exchange).await,
            _ => self.end(tcp).await,
        }
        true
    }

    async fn pace(&mut self, index: usize, exchange: &Json) {
        let at = exchange["t"].as_u64().unwrap();
        let before = index
            .checked_sub(1)
            .map_or(0, |before| list(&self.case["exchanges"])[before]["t"].as_u64().unwrap());
        if at.saturating_sub(before) >= PAUSE_MS {
            let since = Duration::from_millis(at.saturating_sub(self.mark.1)) / self.server.is_faster;
            tokio::time::sleep_until((self.mark.0 + since).into()).await;
        }
        self.mark = (Instant::now(), at);
    }

    async fn request(&mut self, tcp: u64, sent: &'a Json) {
        let mut target = text(&sent["target"]).to_owned();
        for (recorded, ours) in &self.ids {
            target = target.replace(recorded, ours);
        }
        let method = text(&sent["method"]);
        let index = self.requests.len();
        self.current.insert(tcp, index);
        let body = self.outgoing(payload(&sent["body"]));
        let is_get = method == "GET";
        if is_get && target.contains("&_=") {
            let stream = self.poll(&target, sent);
            self.requests.push(Request {
                sent,
                link: None,
                stream: Some(stream),
                recorded: None,
                is_aborted: false,
            });
            return;
        }
        if method == "DELETE" {
            let stream = self.polled.get(id(&target)).copied();
            stream.and_then(|stream| self.pollers.get(&stream)).inspect(|poller| poller.stop());
            stream.inspect(|stream| self.streams[*stream].is_stopped = true);
        }
        if method == "POST"
            && let Some(stream) = self.stream_of(id(&target))
        {
            self.streams[stream].sent.extend_from_slice(&payload(&sent["body"]));
        }
        let mut headers = headers(sent);
        // Our id of a question may have another length.
        headers
            .iter_mut()
            .filter(|(name, _)| name == "content-length")
            .for_each(|header| header.1 = body.len().to_string());
        let link =
            Link::request(self.server.port, &request(method, &target, &headers, false, &body), false).await;
        let stream = is_get.then(|| {
            self.streams.push(Stream::new(format!("connection {tcp}"), self.protocol));
            self.streams.len() - 1
        });
        self.requests.push(Request { sent, link: Some(link), stream, recorded: None, is_aborted: false });
    }

    /// The first poll of an id starts the poller.
    fn poll(&mut self, target: &str, sent: &Json) -> usize {
        let token = id(target).to_owned();
        if let Some(stream) = self.polled.get(&token) {
            return *stream;
        }
        let stream = self.streams.len();
        self.streams.push(Stream::new(format!("polls {}", self.pollers.len() + 1), self.protocol));
        self.pollers.insert(stream, Poller::start(self.server.port, target, headers(sent)));
        self.polled.insert(token, stream);
        stream
    }

    /// The stream to which what is posted with an id belongs.
    fn stream_of(&self, token: &str) -> Option<usize> {
        let is_same = |request: &&Request<'_>| {
            let target = text(&request.sent["target"]);
            let recorded =
                self.ids.iter().find(|(_, ours)| ours == token).map(|(recorded, _)| recorded.as_str());
            request.stream.is_some() && recorded.is_some_and(|recorded| id(target) == recorded)
        };
        self.requests.iter().rev().find(is_same).and_then(|request| request.stream)
    }

    /// A payload with our ids of questions.
    fn outgoing(&self, payload: Vec<u8>) -> Vec<u8> {
        let mut payload = payload;
        for (index, stream) in self.streams.iter().enumerate() {
            for (recorded, ours) in stream.questions(&self.carrier(index)) {
                let marked = if self.protocol == "json" {
                    format!("\"invocationId\":\"{recorded}\"")
                } else {
                    recorded.clone()
                };
                if find(&payload, marked.as_bytes()).is_some() {
                    payload = messages::answer(self.protocol, &payload, &recorded, &ours);
                    break;
                }
            }
        }
        payload
    }

    pub(super) fn carrier(&self, stream: usize) -> Carrier<'_> {
        if let Some(poller) = self.pollers.get(&stream) {
            return Carrier::Poller(poller);
        }
        let request =
            self.requests.iter().find(|request| request.stream == Some(stream)).expect("a request opened it");
        Carrier::Link(request.link.as_ref().expect("a link carries it"))
    }

    /// The socket that a recorded TCP connection became.
    pub(super) fn socket(&self, tcp: u64) -> Option<&Link> {
        let request = &self.requests[*self.current.get(&tcp)?];
        request.link.as_ref().filter(|_| request.stream.is_some())
    }

    async fn frame(&mut self, tcp: u64, exchange: &Json) {
        let request = self.current[&tcp];
        let stream = self.requests[request].stream.expect("a socket");
        let is_data = matches!(exchange["opcode"].as_str(), Some("text" | "binary"));
        let bytes = if is_data {
            self.streams[stream].sent.extend_from_slice(&payload(exchange));
            let opcode = if exchange["opcode"] == "text" { crate::link::TEXT } else { crate::link::BINARY };
            crate::link::frame(0x80 | opcode, &self.outgoing(payload(exchange)), true)
        } else {
            frame(exchange)
        };
        self.requests[request].link.as_mut().expect("a socket").send(&bytes).await;
    }

    /// The client ends a TCP connection, and with it what still waits for an answer on it.
    async fn end(&mut self, tcp: u64) {
        let Some(index) = self.current.get(&tcp) else { return };
        let request = &mut self.requests[*index];
        request.is_aborted = request.recorded.is_none();
        match (&mut request.link, request.stream) {
            (Some(link), Some(_)) => link.finish().await,
            (None, Some(stream)) if request.is_aborted => self.pollers[&stream].stop(),
            _ => {}
        }
    }

    async fn server(&mut self, exchange: &'a Json) -> bool {
        let tcp = exchange["tcp"].as_u64().unwrap();
        let Some(&index) = self.current.get(&tcp) else { return true };
        let bytes = match text(&exchange["kind"]) {
            "response" => {
                self.requests[index].recorded = Some(exchange);
                if !self.has_answer(index).await {
                    return false;
                }
                let is_polled = self.requests[index].link.is_none() && exchange["status"] == 200;
                if is_polled { payload(&exchange["body"]) } else { Vec::new() }
            }
            "event" => crate::answers::events(&payload(exchange)),
            "frame" if matches!(exchange["opcode"].as_str(), Some("text" | "binary" | "continuation")) => {
                payload(exchange)
            }
            _ => return true,
        };
        let Some(stream) = self.requests[index].stream else { return true };
        self.do_calls(&bytes).await;
        if exchange["lost"] == true || self.streams[stream].is_stalled {
            return true;
        }
        self.streams[stream].recorded.extend_from_slice(&bytes);
        let patience = self.patience(exchange);
        self.streams[stream].catch_up(&self.carrier(stream), patience).await
    }

    /// Longer where the server waited for a timeout.
    fn patience(&self, exchange: &Json) -> Duration {
        let since = exchange["t"].as_u64().unwrap().saturating_sub(self.mark.1);
        PATIENCE + Duration::from_millis(since) / self.server.is_faster
    }

    async fn has_answer(&mut self, index: usize) -> bool {
        let Some(link) = &self.requests[index].link else { return true };
        let goes_on = |seen: &Seen| {
            seen.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
        };
        let has_come = |seen: &Seen| {
            seen.is_body_ended || seen.status() == Some(101) || (seen.head.is_some() && goes_on(seen))
        };
        let comes = link.comes_to(PATIENCE, has_come).await;
        let (seen, recorded) = (link.seen(), self.requests[index].recorded.expect("recorded"));
        if text(&self.requests[index].sent["target"]).contains("/negotiate") {
            self.learn(&seen.body, &payload(&recorded["body"]));
        }
        comes
    }

    /// Learns our ids from an answer to negotiate.
    fn learn(&mut self, ours: &[u8], recorded: &[u8]) {
        let read = |bytes: &[u8]| serde_json::from_slice::<Json>(bytes).unwrap_or_default();
        let (ours, recorded) = (read(ours), read(recorded));
        for name in ["connectionId", "connectionToken"] {
            if let (Some(ours), Some(recorded)) = (ours[name].as_str(), recorded[name].as_str()) {
                self.ids.push((recorded.to_owned(), ours.to_owned()));
            }
        }
        if let Some(id) = ours["connectionId"].as_str() {
            self.last_id = id.to_owned();
        }
    }

    /// What the recorder had the server do shows in what the server sent.
    async fn do_calls(&mut self, bytes: &[u8]) {
        for message in messages::messages(self.protocol, bytes) {
            let target = message["target"].as_str().or_else(|| message[3].as_str());
            let argument = message["arguments"][0].as_str().or_else(|| message[4][0].as_str());
            let is_call = kind(&message) == Some(1);
            let wanted = match (target, argument) {
                (Some("Ask"), Some(question)) if is_call => format!("ask?*&question={question}"),
                (Some("AskInt"), _) if is_call => "ask-int?*".to_owned(),
                (Some("Item"), Some(text)) if is_call && text.ends_with('0') => {
                    format!("call?*&text={}&*", text.trim_end_matches('0'))
                }
                _ => continue,
            };
            if let Some(index) = self.calls.iter().position(|step| fits(text(&step["server"]), &wanted)) {
                let step = self.calls.remove(index);
                self.call(step, question(&message).is_some(), argument).await;
            }
        }
    }

    async fn call(&mut self, step: &'a Json, is_question: bool, argument: Option<&str>) {
        let call = text(&step["server"]);
        let hub = call.split("hub=").nth(1).and_then(|rest| rest.split('&').next()).expect("a hub");
        let hub = format!("/hubs/{hub}");
        if self.last_id.is_empty() {
            // Without negotiation the client does not know its id either.
            self.last_id = self.server.only_connection(&hub);
        }
        if is_question {
            self.asked.push((step, self.server.ask(&hub, &self.last_id, argument)));
            return;
        }
        let (_, rest) = call.split_once("&text=").expect("a text");
        let (text, times) = rest.split_once("&times=").expect("how often");
        let calling = self.server.call_items(&hub, Some(&self.last_id), text, times.parse().unwrap());
        // What waits for a client that does not acknowledge may wait for long.
        let _ = tokio::time::timeout(Duration::from_millis(500), calling).await;
    }

    async fn recorder(&mut self, index: usize, exchange: &Json) -> bool {
        self.pace(index, exchange).await;
        let tcp = exchange["tcp"].as_u64().unwrap();
        let request = &mut self.requests[self.current[&tcp]];
        let (Some(link), Some(stream)) = (&mut request.link, request.stream) else { return true };
        match text(&exchange["how"]) {
            how if how.starts_with("stalled") => {
                link.read(false);
                self.streams[stream].is_stalled = true;
            }
            how if how.ends_with("stays open") => self.streams[stream].is_stalled = true,
            _ => link.reset().await,
        }
        true
    }

    /// Whether the recorded server stops here.
    fn is_shutdown(&self, exchange: &Json) -> bool {
        if self.case["scenario"] != "shutdown" || exchange["from"] != "server" {
            return false;
        }
        let is_end =
            exchange["kind"] == "last-chunk" || exchange["how"] == "reset" || exchange["status"] == 204;
        let carried = [payload(exchange), payload(&exchange["body"])];
        let mut messages = carried.iter().flat_map(|bytes| messages::messages(self.protocol, bytes));
        is_end || exchange["opcode"] == "close" || messages.any(|message| kind(&message) == Some(7))
    }

    async fn shut_down(self) -> Vec<String> {
        self.server.stop().await;
        differences::at_shutdown(&self).await
    }

    async fn finish(mut self) -> Vec<String> {
        for step in std::mem::take(&mut self.calls) {
            let hub = "/hubs/test";
            self.asked.push((step, self.server.ask(hub, "no-such-id", Some("x"))));
        }
        differences::differences(self).await
    }
}

/// Whether a call is the one that is wanted: parts between stars, in their order.
fn fits(call: &str, wanted: &str) -> bool {
    let mut rest = call;
    let (start, parts) = wanted.split_once('*').expect("a star");
    let ends = parts.ends_with('*') || parts.is_empty();
    rest.strip_prefix(start).is_some_and(|after| {
        rest = after;
        let part = parts.trim_end_matches('*');
        if ends { rest.contains(part) } else { rest.ends_with(part) }
    })
}

/// The id in a target's query.
fn id(target: &str) -> &str {
    target.split_once("id=").map_or("", |(_, rest)| rest.split('&').next().unwrap_or_default())
}
