//! Each format's reader alone; a frame is a batch of it.

use std::hint::black_box;

use tick_ingest::Batch;

use crate::counting::allocations;
use crate::inputs::{self, Input};
use crate::{Counted, Path};

pub(crate) fn paths() -> Vec<Path> {
    let formats = [
        ("Binance streams", inputs::binance_stream::ALL),
        ("CSV", inputs::csv::ALL),
        ("mapped CSV", inputs::mapped_csv::ALL),
        ("DBN", inputs::dbn::ALL),
    ];
    let path = |format: &str, make: fn(u64) -> Input| {
        let name = format!("reader of {format}: {}", make(1).what);
        // Making text takes longer than reading it, and fewer batches show as much.
        Path::new(name, 0.1, move |load| read(&make((load.frames * load.frame_ticks / 4) as u64)))
    };
    formats.iter().flat_map(|(format, all)| all.iter().map(move |make| path(format, *make))).collect()
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
