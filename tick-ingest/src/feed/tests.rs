use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tick_feed::{Frame, FrameFlags, NewInstrument};
use tick_sdk::Tick;

use super::*;

/// What one shard was sent.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sent {
    first_seq: Option<u64>,
    ticks: Vec<Tick>,
    dictionary: Vec<NewInstrument>,
    ends: u32,
}

#[derive(Debug)]
struct Recorder(Mutex<Vec<Sent>>);

impl FrameSender for Recorder {
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError> {
        let sent = &mut self.0.lock().unwrap()[usize::from(frame.header.shard)];
        if frame.header.flags == FrameFlags::HEARTBEAT {
            return Ok(());
        }
        let first = *sent.first_seq.get_or_insert(frame.header.first_seq);
        assert_eq!(frame.header.first_seq, first + sent.ticks.len() as u64, "no holes");
        sent.ticks.extend_from_slice(frame.ticks());
        for new in &frame.new_instruments {
            assert_eq!(new.id as usize, sent.dictionary.len(), "names come in order");
            sent.dictionary.push(new.clone());
        }
        assert_eq!(frame.dictionary_len as usize, sent.dictionary.len());
        assert!(frame.ticks().iter().all(|tick| tick.instrument < frame.dictionary_len));
        sent.ends += u32::from(frame.header.flags == FrameFlags::END_OF_RUN);
        Ok(())
    }
}

const SHARDS: u16 = 3;

fn plan(ticks: u64, frame_ticks: usize, rate: Option<f64>, start: Vec<u64>) -> FeedPlan {
    let market = GenerateOptions { ticks, instruments: 12, seed: 7, ..GenerateOptions::default() };
    FeedPlan {
        run: RunId([1; 16]),
        sources: vec![SourceSpec::Generated(market)],
        read: ReadOptions::default(),
        selection: TickSelection::default(),
        pace: Pace { speed: rate.map_or(Speed::Max, Speed::Rate), max_gap_ns: None },
        shards: SHARDS,
        frame_ticks,
        gather: Gather::default(),
        start,
        groups: Arc::default(),
    }
}

fn run_plan(plan: &FeedPlan) -> Result<Vec<Sent>, FeedError> {
    let recorder = Recorder(Mutex::new(vec![Sent::default(); usize::from(plan.shards)]));
    run(plan, &recorder, &FeedControl::default())?;
    Ok(recorder.0.into_inner().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// From wherever each shard starts, what is sent is the rest of a whole run, with every name.
    #[test]
    fn what_follows_a_start_is_what_a_whole_run_sends_there(
        ticks in 1..3000u64,
        frame_ticks in 1..500usize,
        paced in any::<bool>(),
        shares in prop::collection::vec(0.0..=1.0f64, usize::from(SHARDS)),
    ) {
        let whole = run_plan(&plan(ticks, 128, None, Vec::new())).unwrap();
        let start: Vec<u64> =
            whole.iter().zip(&shares).map(|(sent, share)| (sent.ticks.len() as f64 * share) as u64).collect();
        let rate = paced.then_some(1e9);
        let rest = run_plan(&plan(ticks, frame_ticks, rate, start.clone())).unwrap();
        for ((whole, rest), start) in whole.iter().zip(&rest).zip(&start) {
            prop_assert_eq!(rest.first_seq, Some(*start));
            prop_assert_eq!(&rest.ticks, &whole.ticks[*start as usize..]);
            prop_assert_eq!(&rest.dictionary, &whole.dictionary);
            prop_assert_eq!(rest.ends, 1);
        }
    }
}

#[test]
fn a_start_beyond_the_end_is_an_error() {
    let error = run_plan(&plan(100, 16, None, vec![101, 0, 0])).unwrap_err();
    assert!(error.to_string().contains("101 were sent before"), "{error}");
}

/// Takes one frame a pause, whoever offers it first.
#[derive(Default)]
struct ShortOfBudget {
    tokens: Mutex<u32>,
    frames: Mutex<[u32; SHARDS as usize]>,
}

impl FrameSender for ShortOfBudget {
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError> {
        *self.tokens.lock().unwrap() -= 1;
        self.frames.lock().unwrap()[usize::from(frame.header.shard)] += 1;
        Ok(())
    }

    fn delay(&self, _: u16) -> Duration {
        if *self.tokens.lock().unwrap() > 0 { Duration::ZERO } else { Duration::MAX }
    }
}

#[test]
fn shards_share_a_short_budget() {
    let plan = FeedPlan {
        gather: Gather { linger: Duration::MAX, ..Gather::default() },
        ..plan(0, 1 << 20, None, Vec::new())
    };
    let sender = ShortOfBudget::default();
    let mut cutter = Cutter::new(&plan, &sender);
    cutter.name(&(0..12).map(|number| format!("S{number:05}")).collect::<Vec<_>>());
    for ts in 0..30 {
        let ticks: Vec<Tick> =
            (0..12).map(|id| Tick::trade(ts, ts, 1, 1, tick_sdk::Side::NONE).of(id)).collect();
        cutter.send(&ticks).unwrap();
        *sender.tokens.lock().unwrap() = 1;
        cutter.pause().unwrap();
    }
    assert_eq!(*sender.frames.lock().unwrap(), [10; SHARDS as usize]);
}

/// Keeps the headers of all frames.
#[derive(Default)]
struct Headers(Mutex<Vec<tick_feed::FrameHeader>>);

impl FrameSender for Headers {
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError> {
        self.0.lock().unwrap().push(frame.header);
        Ok(())
    }
}

#[test]
fn an_end_of_run_that_alone_is_left_carries_the_last_receive_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("market.ticks");
    let mut writer = tick_feed::ticks_file::TicksWriter::new(std::fs::File::create(&path).unwrap()).unwrap();
    writer.add_symbol("X").unwrap();
    // More than one block, so that one of them is passed over as a whole.
    let ticks: Vec<Tick> = (1..=20_000).map(|ts| Tick::trade(ts, ts, 1, 1, tick_sdk::Side::NONE)).collect();
    writer.write(&ticks).unwrap();
    writer.finish().unwrap();
    for (start, paced) in [(20_000, false), (20_000, true), (19_999, false)] {
        let plan = FeedPlan {
            sources: vec![SourceSpec::file(path.display().to_string())],
            shards: 1,
            ..plan(0, 1 << 20, paced.then_some(1e12), vec![start])
        };
        let sender = Headers::default();
        run(&plan, &sender, &FeedControl::default()).unwrap();
        let last = *sender.0.lock().unwrap().last().expect("the end is sent");
        assert_eq!((last.flags, last.first_seq), (FrameFlags::END_OF_RUN, 20_000));
        assert_eq!(last.watermark, 20_000, "from {start}, paced: {paced}");
    }
}
