//! A stateful link between a simple client and this side, cut at random: each message arrives once and in order, both ways.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use signalr::Options;
use signalr::conversation::{Conversation, Due, Replay, Step};
use signalr::message::{Incoming, Outcome, Outgoing};

use crate::view::JSON;

const REPLAY_BYTES: usize = 300;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Event {
    ClientSends,
    ServerSends,
    /// So many of the bytes on their way arrive.
    ToServer(usize),
    ToClient(usize),
    /// A second passes: what is to be acknowledged is.
    Second,
    Cut,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::ClientSends),
        4 => Just(Event::ServerSends),
        4 => (1..120usize).prop_map(Event::ToServer),
        4 => (1..120usize).prop_map(Event::ToClient),
        2 => Just(Event::Second),
        1 => Just(Event::Cut),
    ]
}

/// The official clients in a few lines: everything they sent and got, by number.
#[derive(Default)]
struct Client {
    /// .NET's acknowledges a number once, whether its Ack arrives or not.
    is_dotnet: bool,
    last_ack: u64,
    sent: u64,
    /// The first number that is not acknowledged.
    first: u64,
    next: u64,
    latest: u64,
    got: Vec<u64>,
    begun: Vec<u8>,
}

impl Client {
    fn receive(&mut self, bytes: &[u8]) {
        self.begun.extend(bytes);
        while let Some(end) = self.begun.iter().position(|byte| *byte == 0x1e) {
            let message: Vec<u8> = self.begun.drain(..=end).collect();
            match JSON.decode(&Bytes::copy_from_slice(&message[..end])).unwrap().unwrap() {
                Incoming::Ack { sequence } => self.first = sequence + 1,
                Incoming::Sequence { sequence } => {
                    assert!(sequence <= self.next, "a Sequence above what the client expects makes it hang");
                    self.next = sequence;
                }
                Incoming::Completion { id, .. } => self.count(&id),
                other => panic!("{other:?}"),
            }
        }
    }

    fn count(&mut self, content: &str) {
        if self.next > self.latest {
            self.latest = self.next;
            self.got.push(content.parse().expect("no placeholder"));
        }
        self.next += 1;
    }
}

struct Link {
    now: Instant,
    client: Client,
    conversation: Conversation,
    replay: Replay,
    sent: u64,
    /// Sent by the application, and not yet accepted by the replay, which was full.
    waits: Vec<u64>,
    got: Vec<u64>,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
}

impl Link {
    fn new(is_dotnet: bool) -> Self {
        let now = Instant::now();
        let mut conversation = Conversation::begin(&Options::default(), now, true, false, false);
        conversation.receive(now, &Bytes::from_static(b"{\"protocol\":\"json\",\"version\":2}\x1e"));
        assert!(matches!(conversation.next_step(), Ok(Some(Step::Opened { is_stateful: true, .. }))));
        Self {
            now,
            client: Client { is_dotnet, first: 1, next: 1, ..Client::default() },
            conversation,
            replay: Replay::new(REPLAY_BYTES),
            sent: 0,
            waits: Vec::new(),
            got: Vec::new(),
            to_server: Vec::new(),
            to_client: Vec::new(),
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::ClientSends => {
                self.client.sent += 1;
                self.to_server.extend(countable(self.client.sent));
            }
            Event::ServerSends => {
                self.sent += 1;
                self.waits.push(self.sent);
                self.send_waiting();
            }
            Event::ToServer(bytes) => {
                let end = bytes.min(self.to_server.len());
                let arrived: Vec<u8> = self.to_server.drain(..end).collect();
                self.server_receives(&arrived);
            }
            Event::ToClient(bytes) => {
                let end = bytes.min(self.to_client.len());
                let arrived: Vec<u8> = self.to_client.drain(..end).collect();
                self.client.receive(&arrived);
            }
            Event::Second => self.second(),
            Event::Cut => self.cut(),
        }
    }

    fn server_receives(&mut self, bytes: &[u8]) {
        self.conversation.receive(self.now, &Bytes::copy_from_slice(bytes));
        while let Some(step) = self.conversation.next_step().unwrap() {
            match step {
                Step::Message(Incoming::Completion { id, .. }) => self.got.push(id.parse().unwrap()),
                Step::Message(Incoming::Ack { sequence }) => self.replay.acknowledge(sequence),
                other => panic!("{other:?}"),
            }
        }
        self.send_waiting();
    }

    fn send_waiting(&mut self) {
        while self.replay.has_room() && !self.waits.is_empty() {
            let message = countable(self.waits.remove(0));
            self.replay.sent(&message);
            self.to_client.extend(message);
        }
    }

    fn second(&mut self) {
        self.now += Duration::from_secs(1);
        while let Some(due) = self.conversation.on_time(self.now) {
            let Due::Ack(sequence) = due else { panic!("{due:?}") };
            self.to_client.extend(JSON.encode(&Outgoing::Ack { sequence }));
        }
        if !self.client.is_dotnet || self.client.last_ack < self.client.latest {
            self.client.last_ack = self.client.latest;
            self.to_server.extend(JSON.encode(&Outgoing::Ack { sequence: self.client.latest }));
        }
    }

    /// What is on its way is lost. On the new socket both sides begin with a Sequence and what is not acknowledged.
    fn cut(&mut self) {
        self.to_server.clear();
        self.to_client.clear();
        self.client.begun.clear();
        self.conversation.reattached(self.now);
        let (sequence, messages) = self.replay.again(JSON);
        self.to_client.extend(JSON.encode(&Outgoing::Sequence { sequence }));
        self.to_client.extend(messages.flatten());
        self.send_waiting();
        self.to_server.extend(JSON.encode(&Outgoing::Sequence { sequence: self.client.first }));
        for number in self.client.first..=self.client.sent {
            self.to_server.extend(countable(number));
        }
    }

    fn is_settled(&self) -> bool {
        self.got.len() as u64 == self.client.sent && self.client.got.len() as u64 == self.sent
    }

    fn check(&self) {
        assert_eq!(self.got, (1..=self.got.len() as u64).collect::<Vec<_>>(), "at the server");
        assert_eq!(self.client.got, (1..=self.client.got.len() as u64).collect::<Vec<_>>(), "at the client");
    }
}

fn countable(content: u64) -> Bytes {
    JSON.encode(&Outgoing::Completion { id: &content.to_string(), outcome: Outcome::Void, is_stream: true })
}

proptest! {
    #[test]
    fn each_message_arrives_once_and_in_order(events in vec(event(), 0..150), is_dotnet in any::<bool>()) {
        let mut link = Link::new(is_dotnet);
        for event in events {
            link.happens(event);
            link.check();
        }
        for _ in 0..1000 {
            if link.is_settled() {
                break;
            }
            for event in [Event::Second, Event::ToServer(usize::MAX), Event::ToClient(usize::MAX)] {
                link.happens(event);
            }
        }
        link.check();
        prop_assert!(link.is_settled());
    }
}
