//! What is told while it is measured: lines a second, a histogram log, Prometheus.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusBuilder;
use thiserror::Error;

use crate::args::OutputArgs;
use crate::outcome::Second;
use crate::probe::Point;
use crate::units;

/// Something that was to be told cannot be.
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
    #[error("--prometheus {address}: {reason}\n  name a free port of an address of this machine")]
    Prometheus {
        /// Where it was to be.
        address: SocketAddr,
        /// Why not.
        reason: String,
    },
}

/// Whoever is told.
pub(crate) struct Live {
    has_lines: bool,
    has_header: bool,
    has_gauges: bool,
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
    /// Opens what is wanted.
    ///
    /// # Errors
    /// A file cannot be written, or a port not be taken.
    pub(crate) fn open(args: &OutputArgs) -> Result<Self, LiveError> {
        if let Some(address) = args.prometheus {
            let reason =
                |error: &dyn std::fmt::Display| LiveError::Prometheus { address, reason: error.to_string() };
            // The library says nothing of a port that is taken.
            drop(std::net::TcpListener::bind(address).map_err(|error| reason(&error))?);
            let serving = PrometheusBuilder::new().with_http_listener(address).install();
            serving.map_err(|error| reason(&error))?;
        }
        let log = args.hdr.as_deref().map(IntervalLog::create).transpose()?;
        Ok(Self {
            has_lines: !args.quiet,
            has_header: false,
            has_gauges: args.prometheus.is_some(),
            began: Instant::now(),
            log,
        })
    }

    /// Nothing but lines a second, if those.
    pub(crate) fn lines(has_lines: bool) -> Self {
        Self { has_lines, has_header: false, has_gauges: false, began: Instant::now(), log: None }
    }

    /// Begins another step.
    pub(crate) fn heading(&mut self, text: &str) {
        if self.has_lines {
            eprintln!("\n{text}");
            self.has_header = false;
        }
    }

    /// Tells of a second that began at `from` of its step; `recent` are its latencies by point.
    pub(crate) fn show(&mut self, second: &Second, from: Duration, recent: &[Histogram<u64>; 5]) {
        if self.has_lines {
            self.write_line(second);
        }
        if self.has_gauges {
            set_gauges(second);
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

fn set_gauges(second: &Second) {
    let ticks =
        |stage: &'static str, rate: f64| gauge!("orchard_perf_ticks_per_second", "stage" => stage).set(rate);
    ticks("sent", second.sent);
    ticks("confirmed", second.confirmed);
    ticks("consumed", second.consumed);
    ticks("committed", second.committed);
    gauge!("orchard_perf_messages_per_second").set(second.messages);
    gauge!("orchard_perf_budget_used_ratio").set(second.budget.unwrap_or(0.0));
    gauge!("orchard_perf_blocked_ratio").set(second.blocked);
    let latency = |quantile: &'static str, ns: Option<u64>| {
        let seconds = ns.map_or(f64::NAN, |ns| ns as f64 * 1e-9);
        gauge!("orchard_perf_latency_seconds", "quantile" => quantile).set(seconds);
    };
    latency("0.5", second.p50);
    latency("0.99", second.p99);
    gauge!("orchard_perf_memory_bytes").set(second.memory as f64);
    gauge!("orchard_perf_open_files").set(second.files as f64);
    if let (Some(memory), Some(queued)) = (second.broker_memory, second.queued) {
        gauge!("orchard_perf_broker_memory_bytes").set(memory as f64);
        gauge!("orchard_perf_broker_queued_messages").set(queued as f64);
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
