//! What is shown while it is measured: lines a second, a histogram log, Prometheus.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use thiserror::Error;

use crate::args::OutputArgs;
use crate::outcome::Second;
use crate::probe::Point;
use crate::prometheus::Prometheus;
use crate::units;

/// An output that cannot be written or served.
#[derive(Debug, Error)]
pub enum LiveError {
    /// The histogram log.
    #[error("--hdr {path}: {reason}\n  name a file that can be written")]
    Log {
        /// Its path.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Prometheus.
    #[error("--prometheus {address}: {source}\n  name a free port of an address of this machine")]
    Prometheus {
        /// Where it was to be.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// Where seconds are shown.
pub(crate) struct Live {
    has_lines: bool,
    has_header: bool,
    prometheus: Option<Prometheus>,
    began: Instant,
    log: Option<IntervalLog>,
}

struct IntervalLog {
    path: PathBuf,
    file: BufWriter<File>,
    serializer: V2DeflateSerializer,
    /// Measuring goes on without it.
    failure: Option<String>,
}

impl Live {
    /// Opens the outputs that are asked for.
    ///
    /// # Errors
    /// A file cannot be written, or a port not be taken.
    pub(crate) fn open(args: &OutputArgs) -> Result<Self, LiveError> {
        let serve =
            |address| Prometheus::serve(address).map_err(|source| LiveError::Prometheus { address, source });
        let prometheus = args.prometheus.map(serve).transpose()?;
        let log = args.hdr.as_deref().map(IntervalLog::create).transpose()?;
        Ok(Self { has_lines: !args.quiet, has_header: false, prometheus, began: Instant::now(), log })
    }

    /// Nothing but lines a second, if those.
    pub(crate) fn lines(has_lines: bool) -> Self {
        Self { has_lines, has_header: false, prometheus: None, began: Instant::now(), log: None }
    }

    /// Begins another step.
    pub(crate) fn heading(&mut self, text: &str) {
        if self.has_lines {
            eprintln!("\n{text}");
            self.has_header = false;
        }
    }

    /// Shows a second that began at `from` of its step; `recent` are its latencies by point.
    pub(crate) fn show(&mut self, second: &Second, from: Duration, recent: &[Histogram<u64>; 5]) {
        if self.has_lines {
            self.write_line(second);
        }
        if let Some(prometheus) = &self.prometheus {
            prometheus.set(second);
        }
        self.log(Duration::from_secs_f64(second.at).saturating_sub(from), recent);
    }

    /// Writes latencies of so long a time until now into the log.
    pub(crate) fn log(&mut self, length: Duration, recent: &[Histogram<u64>; 5]) {
        let to = self.began.elapsed();
        if let Some(log) = &mut self.log {
            log.write(to.saturating_sub(length), length, recent);
        }
    }

    fn write_line(&mut self, second: &Second) {
        if !std::mem::replace(&mut self.has_header, true) {
            eprintln!(
                "{:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>8} {:>8} {:>7} {:>8}",
                "s",
                "sent",
                "confirmed",
                "consumed",
                "committed",
                "messages",
                "budget",
                "p50",
                "p99",
                "blocked",
                "broker"
            );
        }
        let nothing = || "–".to_owned();
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let time = |ns: Option<u64>| ns.map_or_else(nothing, units::time);
        eprintln!(
            "{:>6.1} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>8} {:>8} {:>7} {:>8}{}",
            second.at,
            units::rate(second.sent),
            units::rate(second.confirmed),
            units::rate(second.consumed),
            units::rate(second.committed),
            units::rate(second.messages),
            second.budget.map_or_else(nothing, percent),
            time(second.p50),
            time(second.p99),
            percent(second.blocked),
            second.broker_memory.map_or_else(nothing, |bytes| units::bytes(bytes as f64)),
            if second.warm_up { "  warm-up" } else { "" }
        );
    }

    /// Ends the log.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn close(mut self) -> Result<(), LiveError> {
        self.log.take().map_or(Ok(()), IntervalLog::close)
    }
}

impl IntervalLog {
    fn create(path: &Path) -> Result<Self, LiveError> {
        let failed = |error: io::Error| LiveError::Log { path: path.to_owned(), reason: error.to_string() };
        let mut file = BufWriter::new(File::create(path).map_err(failed)?);
        let mut serializer = V2DeflateSerializer::new();
        let mut heading = IntervalLogWriterBuilder::new();
        heading.add_comment("perf: ns from when a tick was due until it passed a stage");
        heading.with_start_time(SystemTime::now());
        heading.begin_log_with(&mut file, &mut serializer).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, serializer, failure: None })
    }

    fn write(&mut self, from: Duration, length: Duration, recent: &[Histogram<u64>; 5]) {
        for (point, histogram) in Point::ALL.iter().zip(recent).filter(|(_, histogram)| !histogram.is_empty())
        {
            let written = self.write_one(*point, histogram, from, length);
            if let Err(reason) = written {
                self.failure.get_or_insert(reason);
            }
        }
    }

    fn write_one(
        &mut self,
        point: Point,
        histogram: &Histogram<u64>,
        from: Duration,
        length: Duration,
    ) -> Result<(), String> {
        let builder = IntervalLogWriterBuilder::new();
        // Without comments and times a builder writes nothing.
        let mut writer =
            builder.begin_log_with(&mut self.file, &mut self.serializer).map_err(|e| e.to_string())?;
        let tag = Tag::new(point.name());
        writer.write_histogram(histogram, from, length, tag).map_err(|error| format!("{error:?}"))
    }

    fn close(mut self) -> Result<(), LiveError> {
        let flushed = self.file.flush().map_err(|error| error.to_string());
        match self.failure.map_or(flushed, Err) {
            Ok(()) => Ok(()),
            Err(reason) => Err(LiveError::Log { path: self.path, reason }),
        }
    }
}
