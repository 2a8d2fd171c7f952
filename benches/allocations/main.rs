//! How often does each path ask for memory, by the tick and by the frame?
//!
//!     cargo bench --bench allocations [-- PATH]
//!
//! None may do so for each tick, nor more often for each frame than its row says; else this fails. It is
//! behaviour and no speed, so it fails as a test too. A path runs with N frames, with 2 N, and with N of
//! twice the ticks: what is the same in all is its start, and is excluded. Readers cut no frames, so theirs
//! are batches. The path over RabbitMQ is counted where ORCHARD_TEST_AMQP names a server
//! (`scripts/services start rabbitmq`), whose own memory is not in it.
//!
//! `SHOW=1000 cargo bench --bench allocations -- PATH` prints where one allocation in 1,000 comes from.

use std::process::ExitCode;

// Linked, so that Apple and Pear are found by their names.
use strategies as _;

mod broker;
mod counting;
mod feeds;
mod frames;
mod generated;
#[path = "../readers/inputs/mod.rs"]
mod inputs;
mod lanes;
mod readers;

/// Fewer than one in a hundred ticks is none: larger frames are confirmed and committed in other groups.
const MOST_PER_TICK: f64 = 0.01;

/// One path of ticks.
struct Path {
    name: String,
    /// Allocations for each frame that the path needs, and no more.
    most_per_frame: f64,
    run: Box<dyn Fn(Load) -> Counted>,
}

/// What to send along it.
#[derive(Clone, Copy, Debug)]
struct Load {
    frames: usize,
    frame_ticks: usize,
}

/// What that came to.
#[derive(Clone, Copy, Debug)]
struct Counted {
    allocations: u64,
    frames: u64,
    ticks: u64,
}

impl Path {
    fn new(name: impl Into<String>, most_per_frame: f64, run: impl Fn(Load) -> Counted + 'static) -> Self {
        Self { name: name.into(), most_per_frame, run: Box::new(run) }
    }

    /// Prints its row; says whether it keeps to the bounds.
    fn measure(&self, load: Load) -> bool {
        let Load { frames, frame_ticks } = load;
        let once = (self.run)(load);
        let more_frames = (self.run)(Load { frames: 2 * frames, ..load });
        let larger_frames = (self.run)(Load { frame_ticks: 2 * frame_ticks, ..load });
        let ratio = |more: &Counted, of: fn(&Counted) -> u64| {
            let allocations = more.allocations as f64 - once.allocations as f64;
            allocations / (of(more) as f64 - of(&once) as f64)
        };
        let per_frame = ratio(&more_frames, |counted| counted.frames);
        let per_tick = ratio(&larger_frames, |counted| counted.ticks);
        let is_good = per_frame <= self.most_per_frame && per_tick <= MOST_PER_TICK;
        let verdict = if is_good { "" } else { "TOO MANY" };
        println!("{:<58} {per_tick:>9.5} {per_frame:>9.2} {:>8} {verdict}", self.name, self.most_per_frame);
        is_good
    }
}

fn main() -> ExitCode {
    let names: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let is_test = !std::env::args().any(|arg| arg == "--bench");
    let load = Load { frames: if is_test { 256 } else { 1024 }, frame_ticks: 1024 };

    let mut paths = lanes::paths();
    paths.extend(feeds::paths());
    paths.extend(frames::paths());
    paths.extend(readers::paths());
    match broker::path() {
        Some(path) => paths.push(path),
        None => println!("nothing is sent over RabbitMQ, as there is no server: see `scripts/services`"),
    }
    paths.retain(|path| names.is_empty() || names.iter().any(|name| path.name.contains(name.as_str())));

    println!("{:<58} {:>9} {:>9} {:>8}", "allocations", "a tick", "a frame", "at most");
    let bad = paths.iter().filter(|path| !path.measure(load)).count();
    if bad > 0 {
        eprintln!("{bad} paths ask for memory more often than they need it");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
