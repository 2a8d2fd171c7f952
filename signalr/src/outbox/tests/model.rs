//! A client that is cut at random, compared with what was pushed.

use proptest::prelude::*;

use super::*;

const MAX_WAITING: usize = 600;
const MAX_REPLAY: usize = 800;
/// The largest countable message.
const LARGEST: usize = 120;

#[derive(Clone, Debug)]
enum Step {
    /// A countable message so long, or a Ping.
    Push(usize),
    Ping,
    Take(usize),
    /// What the socket carried arrives.
    Arrive,
    /// The client acknowledges what it has.
    Acknowledge,
    /// A new socket; what the old one carried is lost.
    Cut,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (12..LARGEST).prop_map(Step::Push),
        1 => Just(Step::Ping),
        4 => (1..400usize).prop_map(Step::Take),
        4 => Just(Step::Arrive),
        3 => Just(Step::Acknowledge),
        1 => Just(Step::Cut),
    ];
    proptest::collection::vec(step, 1..300)
}

/// Counts as the official client does.
#[derive(Default)]
struct Client {
    /// The number of the next message on this socket.
    next: u64,
    received: Vec<String>,
}

impl Client {
    fn arrive(&mut self, text: &str) {
        if let Some(sequence) = text.strip_prefix(r#"{"type":9,"sequenceId":"#) {
            let sequence = sequence.trim_end_matches('}').parse().unwrap();
            assert!(sequence <= self.received.len() as u64 + 1, "a number that the client does not expect");
            self.next = sequence;
        } else if text != "ping" {
            if self.next > self.received.len() as u64 {
                self.received.push(text.to_owned());
            }
            self.next += 1;
        }
    }
}

struct World {
    outbox: Arc<Outbox>,
    attachment: Attachment,
    wire: Vec<u8>,
    client: Client,
    pushed: Vec<String>,
}

impl World {
    fn new() -> Self {
        let outbox = outbox(MAX_WAITING, MAX_REPLAY);
        let attachment = outbox.attach();
        outbox.opened(None);
        outbox.number_messages();
        outbox.release_countable();
        let client = Client { next: 1, ..Client::default() };
        Self { outbox, attachment, wire: Vec::new(), client, pushed: Vec::new() }
    }

    /// Whether the connection goes on.
    fn step(&mut self, step: &Step) -> bool {
        match step {
            Step::Push(bytes) => {
                let text = format!("{:0>bytes$}", self.pushed.len());
                match self.outbox.push(&message(&text), true) {
                    Ok(()) => self.pushed.push(text),
                    Err(_) => return false,
                }
            }
            Step::Ping => return self.outbox.push(&message("ping"), false).is_ok(),
            Step::Take(limit) => self.take(*limit),
            Step::Arrive => self.arrive(),
            Step::Acknowledge => self.outbox.acknowledge(self.client.received.len() as u64).unwrap(),
            Step::Cut => {
                self.wire.clear();
                self.attachment = self.outbox.attach();
            }
        }
        true
    }

    fn take(&mut self, limit: usize) {
        if let Some((taken, bytes)) = take(&self.outbox, self.attachment, limit) {
            assert_eq!(taken, Taken::Messages(Format::Text));
            self.wire.extend(bytes);
        }
    }

    fn arrive(&mut self) {
        for text in texts(&std::mem::take(&mut self.wire)) {
            self.client.arrive(&text);
        }
    }

    fn finish(&mut self) {
        for _ in 0..2 + self.pushed.len() {
            self.take(LARGE);
            self.arrive();
            self.step(&Step::Acknowledge);
        }
    }
}

proptest! {
    #[test]
    fn each_countable_message_arrives_once_and_in_order(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            if !world.step(step) {
                prop_assert_eq!(world.outbox.push(&message("x"), true), Err(PushError::Closed));
                return Ok(());
            }
            prop_assert!(world.outbox.lock().bytes_for_test() <= MAX_WAITING);
        }
        world.finish();
        prop_assert_eq!(world.client.received, world.pushed);
    }
}
