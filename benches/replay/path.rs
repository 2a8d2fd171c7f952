//! The path itself: lanes alone, and all of it as `orchard replay` takes it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use strategy_host::host::{HostPlan, Instance, RunningHost};
use strategy_host::ledger::{Ledger, SqliteLedger};
use tick_feed::run::Manifest;
use tick_ingest::ReadOptions;
use tick_ingest::feed::{self, FeedControl, FeedPlan, Pace, SourceSpec, TickSelection};
use tick_sdk::groups::Groups;
use tick_sdk::host::Registration;

use crate::INSTRUMENTS;
use crate::limits::for_blocks;

pub(crate) const BOTH: &[&str] = &["apple", "pear"];

/// A lane as a host runs it, without anything around it.
pub(crate) fn lane(path: &Path, name: &str) {
    let configured = Registration::find(name).expect("it is registered").configure(&[]);
    let mut lane = configured.expect("defaults fit").lane(&Arc::default());
    for id in 0..INSTRUMENTS {
        lane.open(id, &format!("S{id}"), &format!("S{id}")).expect("ids come in order");
    }
    let mut seq = 0;
    for_blocks(path, |ticks| {
        lane.run(seq, ticks).expect("the file is whole");
        seq += ticks.len() as u64;
        lane.signals().clear();
    });
}

/// The whole path with a ledger of its own beside the ticks; making it is not in the time.
pub(crate) fn on_disk(path: &Path, names: &[&str], record_market: bool) -> Done {
    let folder = path.parent().expect("the ticks are in a folder");
    let folder = tempfile::tempdir_in(folder).expect("a temporary folder can be made");
    let ledger = SqliteLedger::open(folder.path()).expect("a ledger can be made");
    host(path, names, Box::new(ledger), record_market)
}

/// What a run came to.
pub(crate) struct Done {
    pub(crate) signals: u64,
    pub(crate) took: Duration,
}

/// The whole path, until every signal is committed.
pub(crate) fn host(path: &Path, names: &[&str], mut ledger: Box<dyn Ledger>, record_market: bool) -> Done {
    let started = Instant::now();
    let run = ledger.open_run(&Manifest::default()).expect("the ledger is new").run;
    let groups = Arc::new(Groups::default());
    let instance = |name: &&str| {
        let configured = Registration::find(name).expect("it is registered").configure(&[]);
        Instance {
            name: name.parse().expect("it is a valid name"),
            configured: configured.expect("defaults fit"),
        }
    };
    let plan = HostPlan {
        instances: names.iter().map(instance).collect(),
        shards: 1,
        threads: 2,
        groups: groups.clone(),
        queued_frames: 32,
        record_market,
        observer: None,
    };
    let host = RunningHost::start(ledger, run, plan).expect("the host starts");
    let feed = FeedPlan {
        run,
        sources: vec![SourceSpec::file(path.display().to_string())],
        read: ReadOptions::default(),
        selection: TickSelection::default(),
        pace: Pace::default(),
        shards: 1,
        frame_ticks: 4096,
        gather: feed::Gather::default(),
        start: Vec::new(),
        groups,
    };
    let frames = host.frames();
    feed::run(&feed, &frames, &FeedControl::default()).expect("the file is whole");
    drop(frames);
    let report = host.finish().expect("nothing fails");
    let took = started.elapsed();
    Done { signals: report.lanes.iter().map(|(_, counts)| counts.signals).sum(), took }
}
