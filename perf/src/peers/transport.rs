//! Bodies over a broker: ours, and each peer's.

use std::fs::File;
use std::path::Path;

use serde::Serialize;

use super::amount::window;
use super::child;
use super::folder::{Kind, ReadyPeer};
use super::line::Moved;
use super::ours::Ours;
use super::rounds::{Row, Turn, alternate};
use super::{PeersArgs, PeersError};

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

/// Measures everybody with bodies of each size. A market of as many bytes is made before, which ours plays
/// as ticks, and others move as bodies.
pub(super) fn measure(
    args: &PeersArgs,
    broker: &str,
    ours: &Ours,
    peers: &[&ReadyPeer],
) -> Result<Vec<Size>, PeersError> {
    let unwritable =
        |source| PeersError::Unwritable { what: "a temporary folder for the market".to_owned(), source };
    let folder = tempfile::tempdir().map_err(unwritable)?;
    let market = &folder.path().join("market.ticks");
    let ticks = (args.megabytes * 1_000_000 / TICK_BYTES).to_string();
    ours.make(&["generate", "--quiet", "--mean-gap", "10us", "--ticks", &ticks], &[market])?;
    // What the system still has to write would be written while the first is measured.
    File::open(market).and_then(|file| file.sync_all()).map_err(unwritable)?;
    let size = |body_bytes: &u64| {
        let messages = (args.megabytes * 1_000_000 / body_bytes).max(1);
        let (body_bytes, queues) = (*body_bytes, args.queues);
        Load { broker, market, body_bytes, messages, window: window(body_bytes), queues }.measure(
            args.rounds,
            ours,
            peers,
        )
    };
    Ok(args.body_bytes.iter().map(size).collect())
}

struct Load<'a> {
    broker: &'a str,
    market: &'a Path,
    body_bytes: u64,
    messages: u64,
    window: u64,
    queues: u64,
}

type Taken = Result<(f64, Option<String>), String>;

impl Load<'_> {
    fn measure(&self, rounds: u64, ours: &Ours, peers: &[&ReadyPeer]) -> Size {
        let mut turns: Vec<(String, bool, Turn<'_>)> = vec![
            ("orchard, bodies alone".to_owned(), true, Box::new(move || self.ours(ours))),
            ("orchard, ticks to commits".to_owned(), true, Box::new(move || self.whole_path(ours))),
        ];
        for &peer in peers {
            turns.push((peer.name.clone(), false, Box::new(move || self.peer(peer, ours))));
        }
        let rows = alternate(rounds, &format!("{} bytes", self.body_bytes), turns);
        let Self { body_bytes, messages, window, queues, .. } = *self;
        Size { body_bytes, messages, window, queues, rows }
    }

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

    /// The market's ticks, through an Apple for each queue until its effects are stored.
    fn whole_path(&self, ours: &Ours) -> Taken {
        self.page_in()?;
        let (market, frame) = (self.market.to_string_lossy(), self.body_bytes.to_string());
        let apples = vec!["apple"; self.queues as usize].join(",");
        let options = ["--input", &market, "--frame-bytes", &frame, "--strategies", &apples];
        let all = [&["broker", "--broker", self.broker][..], &options[..]].concat();
        rate(ours.perf(&all)?.bytes_per_s)
    }

    /// Reads the market, so that nobody's turn waits for a disk.
    fn page_in(&self) -> Result<(), String> {
        let read =
            File::open(self.market).and_then(|mut file| std::io::copy(&mut file, &mut std::io::sink()));
        read.map(drop).map_err(|error| format!("{} cannot be read: {error}", self.market.display()))
    }

    fn peer(&self, peer: &ReadyPeer, ours: &Ours) -> Taken {
        let mut command = peer.command();
        command.args(["--url", self.broker]).args(self.arguments());
        if peer.kind == Kind::FileTransport {
            self.page_in()?;
            command.arg("--file").arg(self.market);
        }
        let output = child::run(&mut command, ours.limit())?;
        let moved = Moved::parse(&output, self.messages, self.messages * self.body_bytes)?;
        rate(moved.bytes as f64 / moved.seconds)
    }
}

fn rate(rate: f64) -> Taken {
    if rate.is_finite() && rate > 0.0 { Ok((rate, None)) } else { Err(format!("it says {rate} bytes/s")) }
}
