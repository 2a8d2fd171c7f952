//! A generated market, in memory and as a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use tick_feed::ticks_file::TicksWriter;
use tick_ingest::generate::{GenerateOptions, Generator};
use tick_ingest::{Batch, Reader};
use tick_sdk::Tick;

use crate::Load;

pub(crate) const INSTRUMENTS: u32 = 16;

pub(crate) fn options(load: Load) -> GenerateOptions {
    let ticks = (load.frames * load.frame_ticks) as u64;
    GenerateOptions { ticks, instruments: INSTRUMENTS, mean_gap_ns: 10_000, ..GenerateOptions::default() }
}

/// All ticks of the market.
pub(crate) fn ticks(load: Load) -> Vec<Tick> {
    let mut ticks = Vec::new();
    for_batches(load, |batch| ticks.extend_from_slice(&batch.ticks));
    ticks
}

/// Writes the market into a `.ticks` file.
pub(crate) fn write(path: &Path, load: Load) {
    let file = BufWriter::new(File::create(path).expect("the file can be made"));
    let mut writer = TicksWriter::new(file).expect("the file can be written");
    for_batches(load, |batch| {
        for symbol in &batch.new_symbols {
            writer.add_symbol(&symbol.symbol).expect("the symbol fits");
        }
        writer.write(&batch.ticks).expect("the file can be written");
    });
    writer.finish().expect("the file can be written").flush().expect("the file can be written");
}

fn for_batches(load: Load, mut work: impl FnMut(&Batch)) {
    let mut generator = Generator::new(options(load));
    let mut batch = Batch::default();
    let mut more = true;
    while more {
        batch.clear();
        more = generator.read(&mut batch).expect("a generator does not fail");
        work(&batch);
    }
}
