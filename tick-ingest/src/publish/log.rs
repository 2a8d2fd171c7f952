//! A source that cannot be read twice, as standard input or a pipe: it is written to a log of its
//! own first, and everything that is published comes from there.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use tick_feed::ticks_file::{TicksFile, TicksFileError, TicksLog, TicksLogReader};
use tick_sdk::Tick;

use super::{IngestError, LogError};
use crate::feed::{FeedControl, FeedPlan, Merged, SourceSpec, TickSelection};
use crate::{Counts, ReadError, sources};

/// Whether a source is something else than a file that can be read again.
pub(super) fn is_needed(specs: &[SourceSpec]) -> Result<bool, IngestError> {
    for source in specs {
        let SourceSpec::File { name, .. } = source else { continue };
        let failed = |source| IngestError::Source { file: name.clone(), source };
        let is_file = || fs::metadata(sources::file_of(name)).map(|file| file.is_file()).map_err(failed);
        if name == "-" || !is_file()? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The log of a run's sources, which is not finished.
pub(super) struct SourceLog {
    path: PathBuf,
    log: TicksLog,
}

impl SourceLog {
    /// Begins the log of a new run; that of an earlier run is deleted.
    pub(super) fn begin(folder: &Path) -> Result<Self, LogError> {
        let path = folder.join("log.ticks");
        for old in [path.clone(), folder.join("log.ticks.names")] {
            match fs::remove_file(&old) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(LogError::Remove { path: old, source: error });
                }
                _ => {}
            }
        }
        Self::open(path)
    }

    /// Goes on with the log of a run that is resumed. One that is finished is the plan's only source from
    /// now on, and there is nothing to write: `None`.
    pub(super) fn resume(folder: &Path, plan: &mut FeedPlan) -> Result<Option<Self>, LogError> {
        let path = folder.join("log.ticks");
        if path.exists() && TicksFile::open(&path).is_ok() {
            let name = path.display().to_string();
            plan.sources = vec![SourceSpec::file(name)];
            plan.selection = TickSelection::default();
            return Ok(None);
        }
        Self::open(path).map(Some)
    }

    fn open(path: PathBuf) -> Result<Self, LogError> {
        match TicksLog::open(&path) {
            Ok(log) => Ok(Self { path, log }),
            Err(source) => Err(LogError::File { path, source }),
        }
    }

    /// Reads the log from its first tick on, while it is written.
    pub(super) fn reader(&self) -> Result<TicksLogReader, LogError> {
        self.log.reader().map_err(|source| LogError::File { path: self.path.clone(), source })
    }

    /// Writes what the sources give, until they end or the feed is stopped; what their readers counted.
    pub(super) fn write(mut self, plan: &FeedPlan, control: &FeedControl) -> Result<Counts, IngestError> {
        let path = self.path.clone();
        let failed = |source: TicksFileError| match source {
            TicksFileError::OutOfOrder { .. } => LogError::OutOfOrder { path: path.clone() },
            source => LogError::File { path: path.clone(), source },
        };
        let mut last_counts = Counts::default();
        let parts = read_on_thread(plan);
        let mut ids = Ids::of(&self.log);
        let mut known = Known::of(&self.log);
        loop {
            let part = match parts.recv_timeout(POLL_STOP) {
                // A source that is read no further looks as if it had ended.
                _ if control.is_stopped() => return Ok(last_counts),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
                Ok(part) => part,
            };
            let Part { mut ticks, new_symbols, counts } = part?;
            last_counts = counts;
            ids.symbols.extend(new_symbols);
            let new = known.skip(&ticks)?;
            ids.translate(&mut self.log, &mut ticks[new..]).map_err(failed)?;
            self.log.append(&ticks[new..]).map_err(failed)?;
        }
        self.log.finish().map_err(failed)?;
        Ok(last_counts)
    }
}

/// Some ticks of the sources, the symbols they name first, and what was counted up to here.
struct Part {
    ticks: Vec<Tick>,
    new_symbols: Vec<String>,
    counts: Counts,
}

/// How many parts the sources may be ahead of their log.
const PARTS_AHEAD: usize = 4;

/// Between looks whether the feed was stopped, while a source gives nothing.
const POLL_STOP: Duration = Duration::from_millis(100);

/// Reads the sources on a thread that is never joined: a pipe that gives nothing blocks it without a limit.
fn read_on_thread(plan: &FeedPlan) -> Receiver<Result<Part, ReadError>> {
    let (filled, parts) = bounded(PARTS_AHEAD);
    let failed = filled.clone();
    let (sources, read, selection) = (plan.sources.clone(), plan.read.clone(), plan.selection.clone());
    let reading = move || -> Result<(), ReadError> {
        let mut merged = Merged::open(&sources, &read, &selection)?;
        let mut named = 0;
        loop {
            let mut ticks = Vec::new();
            let more = merged.read_soon(&mut ticks)?;
            let new_symbols = merged.symbols()[named..].to_vec();
            named += new_symbols.len();
            // The receiver is dropped when the feed is stopped.
            if filled.send(Ok(Part { ticks, new_symbols, counts: merged.counts() })).is_err() || !more {
                return Ok(());
            }
        }
    };
    std::thread::spawn(move || {
        if let Err(error) = reading() {
            // As above.
            let _ = failed.send(Err(error));
        }
    });
    parts
}

/// The log's ids of the sources' symbols; a resumed log has its own.
struct Ids {
    /// The sources' symbols, by their own ids.
    symbols: Vec<String>,
    by_source: Vec<Option<u32>>,
    by_symbol: HashMap<String, u32>,
}

impl Ids {
    fn of(log: &TicksLog) -> Self {
        Self {
            symbols: Vec::new(),
            by_source: Vec::new(),
            by_symbol: log.symbols().into_iter().zip(0..).collect(),
        }
    }

    /// Gives ticks the log's ids; each instrument is named with its first tick.
    fn translate(&mut self, log: &mut TicksLog, ticks: &mut [Tick]) -> Result<(), TicksFileError> {
        self.by_source.resize(self.symbols.len(), None);
        for tick in ticks {
            let place = tick.instrument as usize;
            let id = match self.by_source[place] {
                Some(id) => id,
                None => {
                    let symbol = &self.symbols[place];
                    let known = self.by_symbol.get(symbol).copied();
                    let id = known.map_or_else(|| log.add_symbol(symbol), Ok)?;
                    *self.by_source[place].insert(id)
                }
            };
            *tick = tick.of(id);
        }
        Ok(())
    }
}

/// What the log held before: the same input from its beginning is not written twice.
struct Known {
    first: Option<Tick>,
    last_ts_recv: u64,
    /// How many ticks are still to be skipped; `None` before the first one has been read.
    to_skip: Option<u64>,
    ticks: u64,
}

impl Known {
    fn of(log: &TicksLog) -> Self {
        Self { first: log.first(), last_ts_recv: log.last_ts_recv(), to_skip: None, ticks: log.ticks() }
    }

    /// How many of these ticks, which come next, are in the log already.
    fn skip(&mut self, ticks: &[Tick]) -> Result<usize, LogError> {
        let Some(first) = ticks.first() else { return Ok(0) };
        let is_again = self.first.is_some_and(|known| is_same(&known, first));
        let to_skip = self.to_skip.get_or_insert(if is_again { self.ticks } else { 0 });
        let skipped = (*to_skip).min(ticks.len() as u64);
        *to_skip -= skipped;
        if skipped > 0 && *to_skip == 0 && ticks[skipped as usize - 1].ts_recv != self.last_ts_recv {
            return Err(LogError::OtherInput);
        }
        Ok(skipped as usize)
    }
}

/// Whether it is the same tick, whatever its instrument's id.
fn is_same(one: &Tick, other: &Tick) -> bool {
    one.of(0) == other.of(0)
}
