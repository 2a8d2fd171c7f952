//! Frames as bytes, and recorded for live prices.

use live::LiveMarket;
use rkyv::util::AlignedVec;
use tick_feed::{Frame, FrameFlags, FrameHeader, NewInstrument};
use tick_sdk::names::RunId;

use crate::counting::allocations;
use crate::generated::INSTRUMENTS;
use crate::{Counted, Load, Path, generated};

pub(crate) fn paths() -> Vec<Path> {
    vec![
        Path::new("a frame to bytes", 1.1, encode),
        // What shares the received bytes, which are read in place.
        Path::new("received bytes to a frame", 1.1, decode),
        // Candles of a second that has passed; and whoever hands changes over now and then.
        Path::new("live prices of frames", 0.5, record),
    ]
}

fn frames(load: Load) -> Vec<Frame> {
    let frame = |(number, ticks): (usize, &[_])| {
        let header = FrameHeader {
            run: RunId([1; 16]),
            shard: 0,
            shards: 1,
            attempt: 0,
            first_seq: (number * load.frame_ticks) as u64,
            published_at: 0,
            watermark: 0,
            flags: FrameFlags::TICKS,
        };
        Frame::owned(header, ticks.to_vec())
    };
    generated::ticks(load).chunks(load.frame_ticks).enumerate().map(frame).collect()
}

fn counted(frames: &[Frame], allocations: u64) -> Counted {
    let ticks = frames.iter().map(|frame| frame.ticks().len() as u64).sum();
    Counted { allocations, frames: frames.len() as u64, ticks }
}

fn encode(load: Load) -> Counted {
    let frames = frames(load);
    let mut out = AlignedVec::new();
    let ((), allocations) = allocations(|| {
        for frame in &frames {
            frame.encode(&mut out).expect("the frame is small enough");
        }
    });
    counted(&frames, allocations)
}

fn decode(load: Load) -> Counted {
    let frames = frames(load);
    let mut out = AlignedVec::new();
    let encoded = |frame: &Frame| {
        frame.encode(&mut out).expect("the frame is small enough");
        out.to_vec()
    };
    let bodies: Vec<_> = frames.iter().map(encoded).collect();
    let ((), allocations) = allocations(|| {
        for body in bodies {
            Frame::decode(body).expect("the frame is whole");
        }
    });
    counted(&frames, allocations)
}

fn record(load: Load) -> Counted {
    let mut frames = frames(load);
    let market = LiveMarket::default();
    let recorder = market.begin("feed/a", "");
    let symbol = |id| format!("S{id}");
    let name = |id| NewInstrument { id, symbol: symbol(id), key: symbol(id) };
    if let Some(first) = frames.first_mut() {
        first.new_instruments = (0..INSTRUMENTS).map(name).collect();
        recorder.record(first);
    }
    let ((), allocations) = allocations(|| frames[1..].iter().for_each(|frame| recorder.record(frame)));
    counted(&frames[1..], allocations)
}
