//! The ticks that are sent: one `.ticks` file, generated or made from a capture, so that neither
//! generating nor reading text is measured.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tick_feed::ticks_file::{TicksFile, TicksFileError, TicksWriter};
use tick_ingest::feed::{FeedControl, FeedPlan, Gather, Merged, Pace, SourceSpec, Speed, TickSelection};
use tick_ingest::generate::GenerateOptions;
use tick_ingest::{ReadError, ReadOptions};
use tick_sdk::names::RunId;

use crate::args::LoadArgs;
use crate::trace::Schedule;

/// A market as a file.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its ticks.
    pub(crate) ticks: u64,
    /// The first receive time, in ns since the UNIX epoch.
    pub(crate) first_ts: u64,
    /// From the first receive time to the last, in ns.
    pub(crate) span_ns: u64,
}

/// A file that is repeated holds so many ticks: its symbols and state are not always the
/// same, and it stays in memory.
const REPEATED_TICKS: u64 = 5_000_000;

/// A market that cannot be had.
#[derive(Debug, Error)]
pub enum MarketError {
    /// The capture.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A `.ticks` file.
    #[error("{path}: {source}")]
    File {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        source: TicksFileError,
    },
    /// A capture without ticks.
    #[error("{0}: there is no tick in it, and so nothing to send")]
    Empty(PathBuf),
    /// No room.
    #[error("{path} cannot be written: {source}\n  make room there, or set TMPDIR to a folder with room")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl Market {
    /// The capture that `args` name, or a generated market of `ticks` ticks, or, where that is to be
    /// repeated, of fewer.
    ///
    /// # Errors
    /// The capture cannot be read, or the folder not be written.
    pub(crate) fn make(
        args: &LoadArgs,
        ticks: u64,
        is_repeated: bool,
        folder: &Path,
    ) -> Result<Self, MarketError> {
        let source = match &args.input {
            Some(input) if input.extension().is_some_and(|extension| extension == "ticks") => {
                return Self::open(input.clone());
            }
            Some(input) => SourceSpec::file(input.display().to_string()),
            None => SourceSpec::Generated(GenerateOptions {
                ticks: if is_repeated { ticks.min(REPEATED_TICKS) } else { ticks },
                instruments: args.instruments,
                mean_gap_ns: 10_000,
                ..GenerateOptions::default()
            }),
        };
        let path = folder.join(format!("market-{ticks}-{}.ticks", args.instruments));
        if !path.exists() {
            write(source, &path)?;
        }
        Self::open(path)
    }

    fn open(path: PathBuf) -> Result<Self, MarketError> {
        let file = match TicksFile::open(&path) {
            Ok(file) => file,
            Err(source) => return Err(MarketError::File { path, source }),
        };
        if file.ticks() == 0 {
            return Err(MarketError::Empty(path));
        }
        let (first_ts, last_ts) = file.span();
        Ok(Self { path, ticks: file.ticks(), first_ts, span_ns: last_ts.saturating_sub(first_ts) })
    }

    /// How fast it goes for `rate` ticks/s; `None` is as fast as it is taken.
    fn speed(&self, rate: Option<f64>) -> Speed {
        let seconds = (self.span_ns as f64 * 1e-9).max(1e-9);
        rate.map_or(Speed::Max, |rate| Speed::Times(rate * seconds / self.ticks as f64))
    }

    /// When its ticks are due.
    pub(crate) fn schedule(&self, rate: Option<f64>, control: &Arc<FeedControl>) -> Schedule {
        match self.speed(rate) {
            Speed::Times(factor) => {
                Schedule::Paced { control: control.clone(), first_ts: self.first_ts, scale: 1.0 / factor }
            }
            _ => Schedule::Unpaced,
        }
    }

    /// A run of it, repeated until it is stopped, or once.
    pub(crate) fn feed_plan(
        &self,
        load: &LoadArgs,
        rate: Option<f64>,
        is_repeated: bool,
        control: &FeedControl,
        (frame_ticks, gather): (usize, Gather),
    ) -> FeedPlan {
        FeedPlan {
            run: RunId::random(),
            sources: vec![SourceSpec::file(self.path.display().to_string())],
            read: ReadOptions { stopped: control.stop_flag(), ..ReadOptions::default() },
            selection: TickSelection {
                repeats: if is_repeated { u64::MAX } else { 1 },
                ..TickSelection::default()
            },
            pace: Pace { speed: self.speed(rate), max_gap_ns: None },
            shards: load.shards,
            frame_ticks,
            gather,
            start: Vec::new(),
            groups: Arc::default(),
        }
    }
}

fn write(source: SourceSpec, path: &Path) -> Result<(), MarketError> {
    let failed = |source| MarketError::Write { path: path.to_owned(), source };
    let refused = |source| MarketError::File { path: path.to_owned(), source };
    let file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(failed)?);
    let mut writer = TicksWriter::new(file).map_err(refused)?;
    let mut merged = Merged::open(&[source], &ReadOptions::default(), &TickSelection::default())?;
    let (mut ticks, mut named, mut more) = (Vec::new(), 0, true);
    while more {
        ticks.clear();
        more = merged.read(&mut ticks)?;
        for symbol in &merged.symbols()[named..] {
            writer.add_symbol(symbol).map_err(refused)?;
        }
        named = merged.symbols().len();
        writer.write(&ticks).map_err(refused)?;
    }
    writer.finish().map_err(refused)?.flush().map_err(failed)
}
