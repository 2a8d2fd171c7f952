//! Opaque bodies over a broker: ours, and each peer's.

use serde::Serialize;

use super::PeersArgs;
use super::amount::window;
use super::child;
use super::folder::ReadyPeer;
use super::line::Moved;
use super::ours::Ours;
use super::rounds::{Row, Turn, alternate};

/// Bytes of a tick.
const TICK_BYTES: u64 = 40;

/// One size of a body.
#[derive(Debug, Serialize)]
pub(super) struct Size {
    pub(super) body_bytes: u64,
    /// How many are published.
    pub(super) messages: u64,
    /// At most so many of them without a confirm.
    pub(super) window: u64,
    /// How many queues get each.
    pub(super) queues: u64,
    /// Rates are bytes of published bodies/s, whatever the number of queues; the first row is our client
    /// alone.
    pub(super) rows: Vec<Row>,
}

/// Measures everybody with bodies of this size.
pub(super) fn measure(
    args: &PeersArgs,
    broker: &str,
    body_bytes: u64,
    ours: &Ours,
    peers: &[&ReadyPeer],
) -> Size {
    let messages = (args.megabytes * 1_000_000 / body_bytes).max(1);
    let load = Load { broker, body_bytes, messages, window: window(body_bytes), queues: args.queues };
    let load = &load;
    let mut turns: Vec<(String, bool, Turn<'_>)> = vec![
        ("orchard, bodies alone".to_owned(), true, Box::new(move || load.ours(ours))),
        ("orchard, ticks to commits".to_owned(), true, Box::new(move || load.whole_path(ours))),
    ];
    for &peer in peers {
        turns.push((peer.name.clone(), false, Box::new(move || load.peer(peer, ours))));
    }
    let rows = alternate(args.rounds, &format!("{body_bytes} bytes"), turns);
    Size { body_bytes, messages, window: load.window, queues: load.queues, rows }
}

struct Load<'a> {
    broker: &'a str,
    body_bytes: u64,
    messages: u64,
    window: u64,
    queues: u64,
}

type Taken = Result<(f64, Option<String>), String>;

impl Load<'_> {
    /// What every side is asked to move.
    fn arguments(&self) -> [String; 8] {
        let numbers =
            [self.body_bytes, self.messages, self.window, self.queues].map(|number| number.to_string());
        let [body_bytes, messages, window, queues] = numbers;
        let names = ["--body-bytes", "--messages", "--window", "--queues"].map(str::to_owned);
        let [a, b, c, d] = names;
        [a, body_bytes, b, messages, c, window, d, queues]
    }

    fn ours(&self, ours: &Ours) -> Taken {
        let arguments = self.arguments();
        let mut all = vec!["bodies", "--broker", self.broker];
        all.extend(arguments.iter().map(String::as_str));
        rate(ours.perf(&all)?.bytes_per_s)
    }

    /// The same bytes as ticks, through an Apple for each queue until its effects are stored.
    fn whole_path(&self, ours: &Ours) -> Taken {
        let ticks = (self.messages * self.body_bytes / TICK_BYTES).max(1).to_string();
        let frame = self.body_bytes.to_string();
        let apples = vec!["apple"; self.queues as usize].join(",");
        let options = ["--frame-bytes", &frame, "--ticks", &ticks, "--strategies", &apples];
        let all = [&["broker", "--broker", self.broker][..], &options[..]].concat();
        rate(ours.perf(&all)?.bytes_per_s)
    }

    fn peer(&self, peer: &ReadyPeer, ours: &Ours) -> Taken {
        let mut command = peer.command();
        command.args(["--url", self.broker]).args(self.arguments());
        let output = child::run(&mut command, ours.limit())?;
        let moved = Moved::parse(&output, self.messages, self.messages * self.body_bytes)?;
        rate(moved.bytes as f64 / moved.seconds)
    }
}

fn rate(rate: f64) -> Taken {
    if rate.is_finite() && rate > 0.0 { Ok((rate, None)) } else { Err(format!("it says {rate} bytes/s")) }
}
