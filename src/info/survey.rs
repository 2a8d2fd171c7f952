//! Everything that is found out about a file by reading it once.

use std::time::{Duration, Instant};

use tick_ingest::formats::mapped_csv::Guess;
use tick_ingest::input::Compression;
use tick_ingest::{Batch, Counts, Format, ReadError, ReadOptions, Reader, detect};
use tick_sdk::{Kind, Tick};

/// What is in a file.
pub(crate) struct Survey {
    pub(crate) file: String,
    pub(crate) format: Format,
    pub(crate) compression: Compression,
    /// Of a format that has several.
    pub(crate) schema: Option<&'static str>,
    /// As it is on disk; `None` for standard input.
    pub(crate) file_bytes: Option<u64>,
    /// How a CSV of no known kind was read.
    pub(crate) guess: Option<Guessed>,
    pub(crate) ticks: u64,
    /// Trades, bids, asks, and those of unknown kind.
    pub(crate) kinds: [u64; 4],
    /// In order of first appearance, which is their ids'; one need not have a tick.
    pub(crate) instruments: Vec<Instrument>,
    pub(crate) first_ticks: Vec<Tick>,
    /// Earliest and latest `ts_recv`.
    pub(crate) received: Option<(u64, u64)>,
    /// Earliest and latest `ts_event`.
    pub(crate) event: Option<(u64, u64)>,
    pub(crate) late: Option<Late>,
    pub(crate) counts: Counts,
    pub(crate) elapsed: Duration,
    /// What the reading ended with before the file did.
    pub(crate) stopped_by: Option<ReadError>,
}

/// A mapping that was not given but guessed.
pub(crate) struct Guessed {
    pub(crate) guess: Guess,
    /// What reads the file the same way.
    pub(crate) command: String,
}

/// What one instrument has.
pub(crate) struct Instrument {
    /// With the file's prefix.
    pub(crate) symbol: String,
    pub(crate) market: Option<String>,
    /// Trades, bids, asks, and ticks of unknown kind.
    pub(crate) kinds: [u64; 4],
    /// First and last price, of each kind.
    prices: [Option<(i64, i64)>; 4],
}

/// How far a file is out of order.
pub(crate) struct Late {
    pub(crate) ticks: u64,
    /// The first late one's line or record, counted from 1.
    pub(crate) first_line: u64,
    /// The latest one's distance from the time already reached.
    pub(crate) largest_ns: u64,
}

impl Late {
    /// A `--reorder` that would hold them.
    pub(crate) fn window(&self) -> String {
        format!("{}ms", self.largest_ns / 1_000_000 + 1)
    }
}

impl Instrument {
    pub(crate) fn ticks(&self) -> u64 {
        self.kinds.iter().sum()
    }

    /// First and last price: of its trades, of its bids where it has none, else of its asks.
    pub(crate) fn prices(&self) -> Option<(i64, i64)> {
        self.prices.iter().find_map(|prices| *prices)
    }
}

impl Survey {
    /// Whether the file has lines or records and none of them is a tick.
    pub(crate) fn has_no_ticks(&self) -> bool {
        self.ticks == 0 && self.counts.lines > 0
    }

    /// The instruments that have ticks.
    pub(crate) fn traded(&self) -> impl Iterator<Item = &Instrument> {
        self.instruments.iter().filter(|instrument| instrument.ticks() > 0)
    }

    /// Reads a file to its end, or to what stops that; keeps its first `first` ticks.
    ///
    /// # Errors
    /// The file cannot be opened, or is of no known format.
    pub(crate) fn read(
        file: &str,
        prefix: &str,
        options: &ReadOptions,
        first: usize,
    ) -> Result<Self, ReadError> {
        let started = Instant::now();
        let opened = detect::open(file, options)?;
        let mut survey = Self {
            file: file.to_owned(),
            format: opened.format,
            compression: opened.compression,
            schema: opened.schema,
            file_bytes: (file != "-").then(|| tick_ingest::sources::packed_bytes(file).ok()).flatten(),
            guess: None,
            ticks: 0,
            kinds: [0; 4],
            instruments: Vec::new(),
            first_ticks: Vec::new(),
            received: None,
            event: None,
            late: None,
            counts: Counts::default(),
            elapsed: Duration::ZERO,
            stopped_by: None,
        };
        survey.stopped_by = survey.read_on(opened.reader, prefix, first).err();
        survey.elapsed = started.elapsed();
        Ok(survey)
    }

    fn read_on(&mut self, mut reader: Box<dyn Reader>, prefix: &str, first: usize) -> Result<(), ReadError> {
        let mut batch = Batch::default();
        let mut more = Ok(true);
        while matches!(more, Ok(true)) {
            batch.clear();
            more = reader.read(&mut batch);
            // What was good before an error counts, too.
            self.add(&batch, prefix, first);
        }
        more.map(|_| ())
    }

    fn add(&mut self, batch: &Batch, prefix: &str, first: usize) {
        self.counts.add(&batch.counts);
        self.instruments.extend(batch.new_symbols.iter().map(|named| Instrument {
            symbol: format!("{prefix}{}", named.symbol),
            market: named.market.clone(),
            kinds: [0; 4],
            prices: [None; 4],
        }));
        let missing = first.saturating_sub(self.first_ticks.len());
        self.first_ticks.extend(batch.ticks.iter().take(missing));
        self.ticks += batch.ticks.len() as u64;
        for tick in &batch.ticks {
            let kind = usize::from(tick.kind.0.wrapping_sub(Kind::TRADE.0).min(3));
            self.kinds[kind] += 1;
            let instrument = &mut self.instruments[tick.instrument as usize];
            instrument.kinds[kind] += 1;
            if tick.has_price() {
                instrument.prices[kind].get_or_insert((tick.price, tick.price)).1 = tick.price;
            }
            extend_span(&mut self.received, tick.ts_recv);
            extend_span(&mut self.event, tick.ts_event);
        }
        for late in &batch.late {
            let late_ns = late.high - batch.ticks[late.index].ts_recv;
            let known = self.late.get_or_insert(Late { ticks: 0, first_line: late.line, largest_ns: 0 });
            known.ticks += 1;
            known.largest_ns = known.largest_ns.max(late_ns);
        }
    }
}

#[inline]
fn extend_span(span: &mut Option<(u64, u64)>, time: u64) {
    let (first, last) = span.unwrap_or((time, time));
    *span = Some((first.min(time), last.max(time)));
}
