//! Each format's reader alone; a frame is a batch of it.

use std::hint::black_box;

use dbn::Schema;
use tick_ingest::Batch;

use crate::counting::allocations;
use crate::inputs::{self, Input};
use crate::{Counted, Load, Path};

pub(crate) fn paths() -> Vec<Path> {
    let from = |format: &str, inputs: fn(u64) -> Vec<Input>| -> Vec<Path> {
        let path = |(place, input): (usize, Input)| {
            let name = format!("reader of {format}: {}", input.what);
            Path::new(name, 0.1, move |load| read(&inputs(rows(load))[place]))
        };
        inputs(1).into_iter().enumerate().map(path).collect()
    };
    let mut paths = from("Binance streams", inputs::binance_stream::all);
    paths.extend(from("CSV", inputs::csv::all));
    paths.extend(from("mapped CSV", inputs::mapped_csv::all));
    paths.extend(from("DBN", |records| {
        [Schema::Mbo, Schema::Mbp1, Schema::Trades].map(|schema| inputs::dbn::input(schema, records)).into()
    }));
    paths
}

/// A quarter of the ticks that other paths have, as all inputs are made for each.
fn rows(load: Load) -> u64 {
    (load.frames * load.frame_ticks / 4) as u64
}

fn read(input: &Input) -> Counted {
    let mut reader = input.open().reader;
    let mut counted = Counted { allocations: 0, frames: 0, ticks: 0 };
    let ((), allocations) = allocations(|| {
        let mut batch = Batch::default();
        let mut more = true;
        while more {
            batch.clear();
            more = reader.read(&mut batch).expect("well-formed");
            black_box(&batch.ticks);
            counted.frames += 1;
            counted.ticks += batch.ticks.len() as u64;
        }
    });
    counted.allocations = allocations;
    counted
}
