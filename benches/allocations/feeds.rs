//! Whole feeds within the process: from a source over the transport to Apple and Pear.

use std::sync::Arc;
use std::time::Duration;

use strategy_host::host::{HostPlan, Instance, RunningHost};
use strategy_host::ledger::{Ledger, SqliteLedger};
use tick_feed::run::Manifest;
use tick_feed::transport::{Arrival, FrameReceiver, InProcessReceiver, in_process};
use tick_feed::{Cursor, Verdict};
use tick_ingest::ReadOptions;
use tick_ingest::feed::TickSelection;
use tick_ingest::feed::{self, FeedControl, FeedPlan, FeedReport, Gather, Pace, SourceSpec, Speed};
use tick_ingest::generate::GenerateOptions;
use tick_sdk::host::Registration;
use tick_sdk::names::RunId;

use crate::counting::allocations;
use crate::{Counted, Load, Path, generated, inputs, lanes};

const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn paths() -> Vec<Path> {
    vec![
        // The frame, whose ticks are the map's.
        Path::new("mapped .ticks → in process → both lanes", 1.1, mapped),
        // And commits: the slower the machine, the fewer frames for each.
        Path::new("mapped .ticks → host, market recorded, ledger on disk", 16.0, hosted),
        // The frame, its ticks, and what shares them.
        Path::new("two generated, merged, paced → in process → both lanes", 4.0, |load| merged(load, 1)),
        Path::new("the same in 4 shards", 4.0, |load| merged(load, 4)),
        Path::new("CSV file → in process → both lanes", 4.0, csv),
    ]
}

fn mapped(load: Load) -> Counted {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("market.ticks");
    generated::write(&path, load);
    through_lanes(&plan(vec![file(&path)], load))
}

fn merged(load: Load, shards: u16) -> Counted {
    let half = Load { frames: load.frames / 2, ..load };
    let market = |seed| SourceSpec::Generated(GenerateOptions { seed, ..generated::options(half) });
    let pace = Pace { speed: Speed::Rate(1e12), max_gap_ns: None };
    through_lanes(&FeedPlan { pace, shards, ..plan(vec![market(1), market(2)], load) })
}

fn csv(load: Load) -> Counted {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("market.csv");
    let input = inputs::csv::ALL[0]((load.frames * load.frame_ticks) as u64);
    std::fs::write(&path, &input.bytes).expect("the file can be written");
    through_lanes(&plan(vec![file(&path)], load))
}

fn file(path: &std::path::Path) -> SourceSpec {
    SourceSpec::file(path.display().to_string())
}

pub(crate) fn plan(sources: Vec<SourceSpec>, load: Load) -> FeedPlan {
    FeedPlan {
        run: RunId([1; 16]),
        sources,
        read: ReadOptions::default(),
        selection: TickSelection::default(),
        pace: Pace::default(),
        shards: 1,
        frame_ticks: load.frame_ticks,
        gather: Gather::default(),
        start: Vec::new(),
        groups: Arc::default(),
    }
}

fn counted((report, allocations): (FeedReport, u64)) -> Counted {
    Counted { allocations, frames: report.frames, ticks: report.ticks }
}

/// The feed on this thread, all lanes on another.
fn through_lanes(plan: &FeedPlan) -> Counted {
    let (sender, receiver) = in_process(32);
    counted(allocations(|| {
        std::thread::scope(|scope| {
            let taking = scope.spawn(|| take_all(receiver, plan.shards));
            let report = feed::run(plan, &sender, &FeedControl::default()).expect("the sources are whole");
            drop(sender);
            taking.join().expect("every frame is taken");
            report
        })
    }))
}

/// What a host does with frames, without a ledger.
fn take_all(mut frames: InProcessReceiver, shards: u16) {
    let both = || [lanes::lane("apple"), lanes::lane("pear")];
    let mut shards: Vec<_> = (0..shards).map(|_| (Cursor::default(), both())).collect();
    while let Ok(arrival) = frames.receive(TIMEOUT) {
        let Some(Arrival::Frame(frame, _)) = arrival else { panic!("frames come sooner, and nothing else") };
        let (cursor, lanes) = &mut shards[usize::from(frame.header.shard)];
        assert_eq!(cursor.judge(frame.header.first_seq, frame.ticks().len()), Verdict::All);
        for lane in lanes {
            for new in &frame.new_instruments {
                lane.open(new.id, &new.symbol, &new.key).expect("ids come in order");
            }
            lane.run(frame.header.first_seq, frame.ticks()).expect("every id is open");
            lane.signals().clear();
        }
        cursor.advance_to(frame.end_seq());
    }
}

/// As `orchard replay` does it.
fn hosted(load: Load) -> Counted {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("market.ticks");
    generated::write(&path, load);
    let mut ledger: Box<dyn Ledger> =
        Box::new(SqliteLedger::open(folder.path()).expect("a ledger can be made"));
    let run = ledger.open_run(&Manifest::default()).expect("the ledger is new").run;
    let instance = |name: &str| {
        let configured = Registration::find(name).expect("it is registered").configure(&[]);
        Instance {
            name: name.parse().expect("it is a valid name"),
            configured: configured.expect("defaults fit"),
        }
    };
    let host = HostPlan {
        instances: vec![instance("apple"), instance("pear")],
        shards: 1,
        threads: 2,
        groups: Arc::default(),
        queued_frames: 32,
        record_market: true,
        observer: None,
    };
    let host = RunningHost::start(ledger, run, host).expect("the host starts");
    let plan = FeedPlan { run, ..plan(vec![file(&path)], load) };
    counted(allocations(|| {
        let report = feed::run(&plan, &host.frames(), &FeedControl::default()).expect("the file is whole");
        host.finish().expect("nothing fails");
        report
    }))
}
