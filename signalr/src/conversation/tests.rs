use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::message::Outcome;

const SECOND: Duration = Duration::from_secs(1);

/// A conversation, and a clock that goes on by hand.
struct Client {
    conversation: Conversation,
    now: Instant,
}

impl Client {
    fn new(options: &Options, may_be_stateful: bool) -> Self {
        let now = Instant::now();
        Self { conversation: Conversation::begin(options, now, may_be_stateful, false, false), now }
    }

    /// After the handshake, over JSON.
    fn open(is_stateful: bool) -> Self {
        let mut client = Self::new(&Options::default(), is_stateful);
        let steps = client.send(r#"{"protocol":"json","version":2}␞"#).unwrap();
        assert_eq!(steps, [Step::Opened { codec: JSON, is_stateful }]);
        client
    }

    fn send(&mut self, text: &str) -> Result<Vec<Step>, Ended> {
        self.send_bytes(text.replace('␞', "\x1e").as_bytes())
    }

    fn send_bytes(&mut self, bytes: &[u8]) -> Result<Vec<Step>, Ended> {
        self.conversation.receive(self.now, &Bytes::copy_from_slice(bytes));
        let mut steps = Vec::new();
        while let Some(step) = self.conversation.next_step()? {
            steps.push(step);
        }
        Ok(steps)
    }

    /// Sends the ends of uploads, countable and short.
    fn send_ends(&mut self, ids: &[u64]) -> Vec<u64> {
        let text: String =
            ids.iter().map(|id| format!("{{\"type\":3,\"invocationId\":\"{id}\"}}␞")).collect();
        self.send(&text).unwrap().iter().map(id).collect()
    }

    fn wait(&mut self, time: Duration) -> Option<Due> {
        self.now += time;
        self.conversation.on_time(self.now)
    }

    fn due_in(&self) -> Option<Duration> {
        self.conversation.due().map(|due| due - self.now)
    }
}

const JSON: Codec = Codec { protocol: Protocol::Json, keys: Keys::AsInJson };

fn id(step: &Step) -> u64 {
    let Step::Message(Incoming::Completion { id, outcome: Outcome::Void }) = step else {
        panic!("no end of an upload: {step:?}")
    };
    id.parse().unwrap()
}

#[test]
fn messages_may_follow_the_handshake_in_the_same_frame_and_be_cut_anywhere() {
    let bytes = "{\"protocol\":\"json\",\"version\":1}\x1e{\"type\":3,\"invocationId\":\"1\"}\x1e{\"type\":6}\x1e{\"type\":3,\"invocationId\":\"2\"}\x1e";
    for cut in 0..=bytes.len() {
        let mut client = Client::new(&Options::default(), false);
        let mut steps = client.send(&bytes[..cut]).unwrap();
        steps.extend(client.send(&bytes[cut..]).unwrap());
        assert_eq!(steps[0], Step::Opened { codec: JSON, is_stateful: false });
        assert_eq!(steps[1..].iter().map(id).collect::<Vec<_>>(), [1, 2], "cut at {cut}");
    }
}

#[test]
fn the_bytes_behind_the_handshake_are_of_its_protocol() {
    let mut client = Client::new(&Options::default(), false);
    let steps = client
        .send_bytes(b"{\"protocol\":\"messagepack\",\"version\":1}\x1e\x06\x94\x03\x80\xa17\x02")
        .unwrap();
    assert_eq!(id(&steps[1]), 7);
}

#[test]
fn only_what_was_negotiated_is_stateful() {
    for (version, may_be, is_stateful) in
        [(2, true, true), (2, false, false), (1, true, false), (0, true, false)]
    {
        let mut client = Client::new(&Options::default(), may_be);
        let steps = client.send(&format!("{{\"protocol\":\"json\",\"version\":{version}}}␞")).unwrap();
        assert_eq!(steps, [Step::Opened { codec: JSON, is_stateful }]);
    }
}

#[test]
fn a_handshake_that_is_refused_ends_the_connection_for_good() {
    let mut client = Client::new(&Options { max_message_bytes: 512, ..Options::default() }, false);
    let too_long = client.send(&"x".repeat(600));
    assert_eq!(too_long, Err(Ended::Handshake("Handshake was canceled.".to_owned())));
    assert_eq!(client.send("{\"protocol\":\"json\",\"version\":1}␞"), too_long);
    assert_eq!(client.due_in(), None);
}

#[test]
fn messagepack_is_refused_on_a_transport_of_text() {
    let now = Instant::now();
    let conversation = Conversation::begin(&Options::default(), now, false, true, false);
    let mut client = Client { conversation, now };
    let Err(Ended::Handshake(text)) = client.send(r#"{"protocol":"messagepack","version":1}␞"#) else {
        panic!("accepted")
    };
    assert_eq!(
        text,
        "Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format."
    );
}

#[test]
fn a_handshake_has_15_seconds_whatever_comes_of_it() {
    let mut client = Client::new(&Options::default(), false);
    client.now += 10 * SECOND;
    client.send("{\"protocol\":").unwrap();
    assert_eq!(client.due_in(), Some(5 * SECOND));
    assert_eq!(client.wait(4 * SECOND), None);
    let end = Ended::Handshake("Handshake was canceled.".to_owned());
    assert_eq!(client.wait(SECOND), Some(Due::End(end.clone())));
    assert_eq!(client.wait(SECOND), None);
    assert_eq!(client.send("\"json\",\"version\":1}␞"), Err(end));
}

#[test]
fn the_clients_timeout_begins_with_its_first_ping() {
    let mut client = Client::open(false);
    client.send_ends(&[1]);
    assert_eq!(client.due_in(), None);
    assert_eq!(client.wait(1000 * SECOND), None);
    client.send("{\"type\":6}␞").unwrap();
    assert_eq!(client.due_in(), Some(30 * SECOND));
    assert_eq!(client.wait(29 * SECOND), None);
    client.send_ends(&[2]);
    // The beginning of a message shows no life.
    client.now += 10 * SECOND;
    client.send("{\"type\":").unwrap();
    assert_eq!(client.due_in(), Some(20 * SECOND));
    assert_eq!(client.wait(20 * SECOND), Some(Due::End(Ended::Silent)));
    assert_eq!(client.send("6}␞"), Err(Ended::Silent));
}

#[test]
fn a_client_is_not_silent_while_its_messages_wait_to_be_taken() {
    let mut client = Client::open(false);
    client.send("{\"type\":6}␞").unwrap();
    client.now += 60 * SECOND;
    client.conversation.receive(client.now, &Bytes::from_static(b"{\"type\":6}\x1e"));
    assert_eq!(client.conversation.on_time(client.now), None);
    assert_eq!(client.conversation.next_step(), Ok(None));
    assert_eq!(client.due_in(), Some(30 * SECOND));
}

#[test]
fn long_polling_has_no_client_timeout() {
    let now = Instant::now();
    let conversation = Conversation::begin(&Options::default(), now, false, false, true);
    let mut client = Client { conversation, now };
    client.send("{\"protocol\":\"json\",\"version\":1}␞{\"type\":6}␞").unwrap();
    assert_eq!(client.due_in(), None);
    assert_eq!(client.wait(1000 * SECOND), None);
}

#[test]
fn a_bad_message_ends_the_connection_after_what_came_before_it() {
    let mut client = Client::open(false);
    client
        .conversation
        .receive(client.now, &Bytes::from_static(b"{\"type\":3,\"invocationId\":\"1\"}\x1ehello\x1e"));
    assert_eq!(client.conversation.next_step().map(|step| id(&step.unwrap())), Ok(1));
    assert!(matches!(client.conversation.next_step(), Err(Ended::Protocol(_))));
    assert!(matches!(client.send("{\"type\":6}␞"), Err(Ended::Protocol(_))));
}

#[test]
fn an_ack_is_due_a_second_after_the_first_message_it_is_for() {
    let mut client = Client::open(true);
    client.send("{\"type\":8,\"sequenceId\":0}␞").unwrap();
    assert_eq!(client.due_in(), None);
    client.send_ends(&[1]);
    client.now += SECOND / 2;
    client.send_ends(&[2, 3]);
    assert_eq!(client.due_in(), Some(SECOND / 2));
    assert_eq!(client.wait(SECOND / 4), None);
    assert_eq!(client.wait(SECOND / 4), Some(Due::Ack(3)));
    assert_eq!(client.wait(10 * SECOND), None);
    // Counted, too, though the streams and calls are not known.
    client
        .send("{\"type\":5,\"invocationId\":\"none\"}␞{\"type\":2,\"invocationId\":\"none\",\"item\":1}␞{\"type\":6}␞")
        .unwrap();
    assert_eq!(client.wait(SECOND), Some(Due::Ack(5)));
}

#[test]
fn what_was_seen_is_not_seen_again_after_a_reattachment() {
    let mut client = Client::open(true);
    assert_eq!(client.send_ends(&[1, 2]), [1, 2]);
    assert_eq!(client.send("{\"type\":3,\"invoc").unwrap(), []);
    assert_eq!(client.wait(SECOND), Some(Due::Ack(2)));
    client.conversation.reattached(client.now);
    assert_eq!(client.send("{\"type\":9,\"sequenceId\":1}␞").unwrap(), []);
    assert_eq!(client.send_ends(&[1, 2, 3, 4]), [3, 4]);
    assert_eq!(client.wait(SECOND), Some(Due::Ack(4)));
}

#[test]
fn a_reattached_client_may_go_on_without_a_sequence_as_with_aspnet_core() {
    let mut client = Client::open(true);
    assert_eq!(client.send_ends(&[1]), [1]);
    client.conversation.reattached(client.now);
    assert_eq!(client.send_ends(&[2, 3]), [2, 3]);
    assert_eq!(client.wait(SECOND), Some(Due::Ack(3)));
}

#[test]
fn a_sequence_of_0_makes_everything_seen_one_later() {
    let mut client = Client::open(true);
    assert_eq!(client.send_ends(&[1]), [1]);
    client.conversation.reattached(client.now);
    client.send("{\"type\":9,\"sequenceId\":0}␞").unwrap();
    assert_eq!(client.send_ends(&[1, 2, 3]), [3]);
}

#[test]
fn a_sequence_above_what_is_expected_ends_the_connection() {
    let mut client = Client::open(true);
    assert_eq!(client.send_ends(&[1]), [1]);
    client.conversation.reattached(client.now);
    assert!(matches!(client.send("{\"type\":9,\"sequenceId\":3}␞"), Err(Ended::Protocol(_))));
    let mut client = Client::open(false);
    assert_eq!(client.send("{\"type\":9,\"sequenceId\":5}␞{\"type\":8,\"sequenceId\":5}␞").unwrap(), []);
}

#[test]
fn a_reattached_client_has_its_whole_timeout_again() {
    let mut client = Client::open(true);
    client.send("{\"type\":6}␞").unwrap();
    client.now += 20 * SECOND;
    client.conversation.reattached(client.now);
    assert_eq!(client.due_in(), Some(30 * SECOND));
}

#[test]
fn a_client_has_started_with_what_it_sends_after_the_answer() {
    let mut client = Client::new(&Options::default(), true);
    client.send("{\"protocol\":\"json\",\"version\":2}␞{\"type\":3,\"invocationId\":\"1\"}␞").unwrap();
    assert!(!client.conversation.has_client_started());
    client.send("{\"type\":6}␞").unwrap();
    assert!(client.conversation.has_client_started());
    assert_eq!(client.wait(SECOND), Some(Due::Ack(1)));
}

#[test]
fn a_replay_begins_with_the_first_message_that_is_not_acknowledged() {
    let message = |byte| Bytes::from(vec![byte; 10]);
    let mut replay = Replay::new(25);
    assert_eq!(replay.again(JSON).0, 1);
    for byte in [1, 2, 3] {
        assert!(replay.has_room());
        replay.sent(&message(byte));
    }
    assert!(!replay.has_room());
    replay.acknowledge(2);
    replay.acknowledge(1);
    assert!(replay.has_room());
    let (first, again) = replay.again(JSON);
    assert_eq!((first, again.cloned().collect::<Vec<_>>()), (3, vec![message(3)]));
    replay.sent(&message(4));
    // ASP.NET Core takes an Ack of what was never sent for one of all that was.
    replay.acknowledge(50);
    assert_eq!(replay.again(JSON).0, 5);
    assert_eq!(replay.again(JSON).1.count(), 0);
    replay.sent(&message(5));
    assert_eq!(replay.again(JSON).0, 5);
}

#[test]
fn a_sequence_goes_no_further_than_the_counter_of_a_client_that_was_sent_messages_again() {
    let message = |text: &'static str| Bytes::from_static(text.as_bytes());
    let mut replay = Replay::new(1000);
    replay.sent(&message("first"));
    replay.sent(&message("second"));
    let _ = replay.again(JSON);
    // The client received both before the cut, and says so before it has counted them once more.
    replay.acknowledge(2);
    let (sequence, again) = replay.again(JSON);
    let placeholder = r#"{"type":3,"invocationId":"already received"}␞"#.replace('␞', "\x1e");
    assert_eq!((sequence, again.cloned().collect::<Vec<_>>()), (1, vec![Bytes::from(placeholder); 2]));
    replay.sent(&message("third"));
    replay.acknowledge(3);
    assert_eq!(replay.again(JSON).0, 4);
    assert_eq!(replay.again(JSON).1.count(), 0);
}

#[test]
fn a_message_above_the_limit_of_a_replay_fits_alone() {
    let mut replay = Replay::new(0);
    assert!(replay.has_room());
    replay.sent(&Bytes::from_static(b"x"));
    assert!(!replay.has_room());
}

#[test]
fn after_a_cut_a_full_replay_has_room_for_one_message_that_asks_for_an_ack() {
    let message = Bytes::from_static(b"message");
    let mut replay = Replay::new(10);
    replay.sent(&message);
    replay.sent(&message);
    assert!(!replay.has_room());
    let _ = replay.again(JSON);
    assert!(replay.has_room());
    replay.sent(&message);
    assert!(!replay.has_room());
    let _ = replay.again(JSON);
    assert!(!replay.has_room(), "never more than twice the limit and a message");
}

#[test]
fn a_ping_is_due_where_nothing_was_sent_for_the_interval() {
    let last_sent = Instant::now();
    let keep_alive = KeepAlive { interval: 15 * SECOND, last_sent };
    assert_eq!(keep_alive.due(), last_sent + 15 * SECOND);
}
