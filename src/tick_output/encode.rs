//! Ticks of a run to the bytes of a file, and what was counted on the way.

use std::io::Write;

use anyhow::{Error, Result};
use tick_feed::ticks_file::{TicksFileError, TicksWriter};
use tick_ingest::formats::orchard_csv::{CsvTickWriter, CsvWriteError};
use tick_sdk::Tick;

use super::OutputFormat;

/// Writes ticks in either format.
///
/// A `.ticks` file numbers its instruments in the order of their first ticks, so the ids of the run,
/// in which a symbol need not have a tick, are exchanged for the file's own.
pub(super) struct TickEncoder<W: Write> {
    sink: Sink<W>,
    /// The file's id of each of the run's; [`UNSEEN`] until its first tick.
    ids: Vec<u32>,
    /// Ticks with the file's ids.
    renumbered: Vec<Tick>,
    pub(super) tally: Tally,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) ticks: u64,
    /// Trades, bids, asks, and those of unknown kind.
    pub(super) kinds: [u64; 4],
    pub(super) instruments: u32,
    /// First and last `ts_recv`.
    pub(super) span: Option<(u64, u64)>,
}

enum Sink<W: Write> {
    Ticks(TicksWriter<W>),
    Csv(CsvTickWriter<W>),
}

const UNSEEN: u32 = u32::MAX;

impl<W: Write> TickEncoder<W> {
    pub(super) fn new(format: OutputFormat, out: W) -> Result<Self> {
        let sink = match format {
            OutputFormat::Ticks => Sink::Ticks(TicksWriter::new(out).map_err(ticks_error)?),
            OutputFormat::Csv => Sink::Csv(CsvTickWriter::new(out)),
        };
        Ok(Self { sink, ids: Vec::new(), renumbered: Vec::new(), tally: Tally::default() })
    }

    /// Writes the next ticks; `symbols` are the run's so far, by id.
    ///
    /// # Errors
    /// The output's own; a tick or symbol that the format has no room for.
    pub(super) fn write(&mut self, ticks: &[Tick], symbols: &[String]) -> Result<()> {
        let (Some(first), Some(last)) = (ticks.first(), ticks.last()) else { return Ok(()) };
        self.tally.span = Some((self.tally.span.map_or(first.ts_recv, |span| span.0), last.ts_recv));
        self.tally.ticks += ticks.len() as u64;
        self.ids.resize(symbols.len(), UNSEEN);
        self.renumbered.clear();
        for tick in ticks {
            self.tally.kinds[usize::from(tick.kind.0.wrapping_sub(1).min(3))] += 1;
            let mut id = self.ids[tick.instrument as usize];
            if id == UNSEEN {
                id = self.name(tick.instrument, symbols)?;
            }
            match &mut self.sink {
                Sink::Ticks(_) => self.renumbered.push(tick.of(id)),
                Sink::Csv(csv) => {
                    csv.write(tick, &symbols[tick.instrument as usize]).map_err(csv_error)?;
                }
            }
        }
        self.write_renumbered()
    }

    /// Gives an instrument the file's next id.
    #[cold]
    fn name(&mut self, instrument: u32, symbols: &[String]) -> Result<u32> {
        // A block says how many instruments are known at its end. A name comes after all ticks
        // before it, so that the file does not depend on how ticks were batched.
        self.write_renumbered()?;
        let id = match &mut self.sink {
            Sink::Ticks(file) => file.add_symbol(&symbols[instrument as usize]).map_err(ticks_error)?,
            Sink::Csv(_) => self.tally.instruments,
        };
        self.ids[instrument as usize] = id;
        self.tally.instruments += 1;
        Ok(id)
    }

    fn write_renumbered(&mut self) -> Result<()> {
        if let Sink::Ticks(file) = &mut self.sink {
            file.write(&self.renumbered).map_err(ticks_error)?;
            self.renumbered.clear();
        }
        Ok(())
    }

    /// Writes what is gathered, and returns the output and what it holds.
    ///
    /// # Errors
    /// The output's own.
    pub(super) fn finish(self) -> Result<(W, Tally)> {
        let out = match self.sink {
            Sink::Ticks(file) => file.finish().map_err(ticks_error)?,
            Sink::Csv(csv) => csv.finish()?,
        };
        Ok((out, self.tally))
    }
}

/// The operating system's own error is shown once, not as its own cause.
fn ticks_error(error: TicksFileError) -> Error {
    match error {
        TicksFileError::Io(io) => io.into(),
        other => other.into(),
    }
}

fn csv_error(error: CsvWriteError) -> Error {
    match error {
        CsvWriteError::Io(io) => io.into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tick_sdk::Side;

    fn file(batches: &[&[Tick]], symbols: &[String]) -> Vec<u8> {
        let mut encoder = TickEncoder::new(OutputFormat::Ticks, Vec::new()).unwrap();
        for batch in batches {
            encoder.write(batch, symbols).unwrap();
        }
        encoder.finish().unwrap().0
    }

    #[test]
    fn a_ticks_file_does_not_depend_on_how_its_ticks_were_batched() {
        let symbols: Vec<String> = ["A", "without ticks", "B", "C"].map(str::to_owned).into();
        // C appears right behind a block's end, and B in its middle.
        let instrument = |at: u64| match at {
            0..1000 => 0,
            4096.. => 3,
            _ => 2,
        };
        let tick = |at: u64| Tick::trade(at, at, 1, 1, Side::BUY).of(instrument(at));
        let ticks: Vec<Tick> = (0..5000).map(tick).collect();
        let whole = file(&[&ticks], &symbols);
        for batch in [1, 7, 4096] {
            let batches: Vec<&[Tick]> = ticks.chunks(batch).collect();
            assert!(file(&batches, &symbols) == whole, "batches of {batch}");
        }
    }

    #[test]
    fn kinds_and_instruments_with_ticks_are_counted() {
        let symbols: Vec<String> = ["A", "B"].map(str::to_owned).into();
        let mut encoder = TickEncoder::new(OutputFormat::Csv, Vec::new()).unwrap();
        let quote = |kind| Tick::quote(kind, 5, 5, 1, 1).of(1);
        let ticks = [Tick::trade(3, 3, 1, 1, Side::SELL).of(1), quote(tick_sdk::Kind::BID)];
        encoder.write(&ticks, &symbols).unwrap();
        encoder.write(&[quote(tick_sdk::Kind::ASK)], &symbols).unwrap();
        let (_, tally) = encoder.finish().unwrap();
        assert_eq!((tally.kinds, tally.instruments, tally.span), ([1, 1, 1, 0], 1, Some((3, 5))));
    }
}
