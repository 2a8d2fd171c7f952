//! Strategies and the recorder alone, on ticks in memory.

use std::sync::Arc;

use strategy_host::market::Market;
use tick_sdk::host::{Lane, Registration};

use crate::counting::allocations;
use crate::generated::{self, INSTRUMENTS};
use crate::{Counted, Load, Path};

pub(crate) fn paths() -> Vec<Path> {
    let lane = |name: &'static str| Path::new(format!("{name}'s lane"), 0.1, move |load| run(name, load));
    vec![lane("apple"), lane("pear"), Path::new("the market's recorder", 0.1, record)]
}

/// A lane that knows every instrument.
pub(crate) fn lane(name: &str) -> Box<dyn Lane> {
    let configured = Registration::find(name).expect("it is registered").configure(&[]);
    configured.expect("defaults fit").lane(&Arc::default())
}

fn run(name: &str, load: Load) -> Counted {
    let ticks = generated::ticks(load);
    let mut lane = lane(name);
    for id in 0..INSTRUMENTS {
        lane.open(id, &format!("S{id}"), &format!("S{id}")).expect("ids come in order");
    }
    let frames = ticks.chunks(load.frame_ticks);
    let count = frames.len() as u64;
    let ((), allocations) = allocations(|| {
        let mut seq = 0;
        for frame in frames {
            lane.run(seq, frame).expect("every id is open");
            seq += frame.len() as u64;
            lane.signals().clear();
        }
    });
    Counted { allocations, frames: count, ticks: ticks.len() as u64 }
}

fn record(load: Load) -> Counted {
    let ticks = generated::ticks(load);
    let mut market = Market::default();
    for id in 0..INSTRUMENTS {
        market.open(id, "X").expect("ids are dense");
    }
    let frames = ticks.chunks(load.frame_ticks);
    let count = frames.len() as u64;
    let ((), allocations) = allocations(|| {
        for frame in frames {
            market.run(frame).expect("every id is open");
        }
    });
    Counted { allocations, frames: count, ticks: ticks.len() as u64 }
}
