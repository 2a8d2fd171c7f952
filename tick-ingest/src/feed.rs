//! A feed: sources → one order in time → filters → pace → sharded frames.
//!
//! What a run's ticks are, and in which order, follows from the [`FeedPlan`] alone, never from how
//! frames are cut or how fast they go.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use thiserror::Error;
use tick_feed::ticks_file::TicksFileError;
use tick_feed::ticks_file::{LogRead, TicksLogReader};
use tick_feed::transport::{FrameSender, TransportError};
use tick_sdk::Tick;
use tick_sdk::groups::Groups;
use tick_sdk::names::RunId;

use crate::formats::ticks;
use crate::generate::GenerateOptions;
use crate::{Batch, Counts, FileOptions, ReadError, ReadOptions};

mod check;
mod control;
mod cut;
mod merge;
mod ordered;
mod pace;
mod source;
mod symbols;
#[cfg(test)]
mod tests;

pub use check::{SelectionError, check};
pub use control::FeedControl;
pub use merge::Merged;
pub use pace::{Pace, Speed};

use cut::Cutter;
use pace::Clock;

/// How ticks outside the filters are left out, and how the rest is repeated.
#[derive(Clone, Debug, Default)]
pub struct TickSelection {
    /// Only these symbols, as they are after prefixing.
    pub symbols: Option<HashSet<String>>,
    /// Only ticks with at least this `ts_recv`.
    pub from: Option<u64>,
    /// Only ticks with a `ts_recv` below this.
    pub to: Option<u64>,
    /// How often the sources are played, with times that go on; 0 and 1 are once.
    pub repeats: u64,
    /// How far, in ns of `ts_recv`, a source may be out of order.
    pub reorder_ns: u64,
}

/// Where ticks come from.
#[derive(Clone, Debug)]
pub enum SourceSpec {
    /// A file, or standard input for `-`, and what its symbols are prefixed with.
    File {
        /// Its path.
        name: String,
        /// Put before each of its symbols; empty for nothing.
        prefix: String,
        /// How this one is read, where that is not as all others are.
        own: Box<FileOptions>,
    },
    /// A generated market.
    Generated(GenerateOptions),
}

impl SourceSpec {
    /// The file at this path, with its symbols as they are; `-` is standard input, `a.zip/member.csv` a file in an
    /// archive. Folders and patterns become files by [`expand`](crate::sources::expand).
    pub fn file(name: impl Into<String>) -> Self {
        Self::prefixed(name, "")
    }

    /// The same, with something before each of its symbols.
    pub fn prefixed(name: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self::File { name: name.into(), prefix: prefix.into(), own: Box::default() }
    }
}

/// Everything that decides which frames a run has.
#[derive(Clone, Debug)]
pub struct FeedPlan {
    /// The run.
    pub run: RunId,
    /// In the order in which equal times are taken.
    pub sources: Vec<SourceSpec>,
    /// How each is read.
    pub read: ReadOptions,
    /// Which ticks are taken.
    pub selection: TickSelection,
    /// How fast.
    pub pace: Pace,
    /// How many shards.
    pub shards: u16,
    /// At most so many ticks a frame.
    pub frame_ticks: usize,
    /// When a frame that is not full is sent.
    pub gather: Gather,
    /// For each shard the first tick to send; 0 where nothing is said. Ticks before it are counted and
    /// named, and neither sent nor waited for; a shard's first frame then names all its instruments
    /// so far.
    pub start: Vec<u64>,
    /// Groups of instruments.
    pub groups: Arc<Groups>,
}

/// When a frame that is not full is sent.
#[derive(Clone, Copy, Debug)]
pub struct Gather {
    /// After at most so many ticks of the whole run every shard says how far the run is, even one
    /// that has none itself: signals of the others wait for it.
    pub flush_ticks: usize,
    /// At a pause a frame is sent where the sender says that it would leave at once.
    pub eager: bool,
    /// A paced tick waits at most about so long for others.
    pub linger: Duration,
}

impl Default for Gather {
    /// For a transport within the process, which never waits for a message's cost.
    fn default() -> Self {
        Self { flush_ticks: 1 << 16, eager: true, linger: Duration::MAX }
    }
}

/// What a feed did.
#[derive(Clone, Debug, Default)]
pub struct FeedReport {
    /// Ticks sent.
    pub ticks: u64,
    /// Frames sent, those without ticks included.
    pub frames: u64,
    /// Instruments with at least one tick.
    pub instruments: u64,
    /// First and last `ts_recv` sent, in ns since the UNIX epoch.
    pub span: Option<(u64, u64)>,
    /// First and last `ts_recv` that the sources were read to have, whatever was selected of them by time;
    /// they are read no further than the selection's end.
    pub offered: Option<(u64, u64)>,
    /// What the readers counted.
    pub counts: Counts,
    /// Whether it was stopped before the end.
    pub interrupted: bool,
}

/// A feed that cannot go on.
#[derive(Debug, Error)]
pub enum FeedError {
    /// A source cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nobody takes the frames.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The log of a source cannot be read.
    #[error("the log of the sources cannot be read: {0}")]
    Log(#[source] TicksFileError),
    /// There are fewer ticks than were sent before.
    #[error(
        "the sources give {ticks} ticks to shard {shard}, and {start} were sent before\n  they have changed: \
         begin another run"
    )]
    Short {
        /// The shard.
        shard: u16,
        /// What it has now.
        ticks: u64,
        /// What was sent before.
        start: u64,
    },
}

/// Sends the whole run, or what precedes the stop of `control`.
///
/// # Errors
/// A source cannot be read, or nobody takes the frames.
pub fn run(
    plan: &FeedPlan,
    sender: &impl FrameSender,
    control: &FeedControl,
) -> Result<FeedReport, FeedError> {
    let cutter = Cutter::new(plan, sender);
    match mappable(plan)? {
        Some(name) => run_mapped(&name, plan, cutter, control),
        None => run_merged(plan, cutter, control),
    }
}

/// The `.ticks` file that can be read from its map, block by block: the only source, and all of it.
fn mappable(plan: &FeedPlan) -> Result<Option<String>, ReadError> {
    let TickSelection { symbols: None, from: None, to: None, repeats: 0 | 1, reorder_ns: _ } =
        &plan.selection
    else {
        return Ok(None);
    };
    match &plan.sources[..] {
        [SourceSpec::File { name, prefix, .. }] if prefix.is_empty() => {
            Ok(source::is_ticks_file(name)?.then(|| name.clone()))
        }
        _ => Ok(None),
    }
}

/// As one shard and at full speed blocks are lent as they are; else their ticks are copied once, into
/// frames.
fn run_mapped(
    name: &str,
    plan: &FeedPlan,
    mut cutter: Cutter<'_, impl FrameSender>,
    control: &FeedControl,
) -> Result<FeedReport, FeedError> {
    let is_lent = plan.shards == 1 && plan.pace.is_max();
    let file = ticks::map(name)?;
    let mut pace = plan.pace.start();
    let mut report = FeedReport::default();
    for index in 0..file.blocks() {
        if control.is_stopped() {
            report.interrupted = true;
            break;
        }
        let (block, known) = file.block(index).map_err(|error| ticks::refused(name, error))?;
        let ticks = block.as_slice();
        if is_lent {
            let named = cutter.instruments() as usize;
            let new = &file.symbols()[named..(known as usize).max(named)];
            cutter.send_mapped(&block, new, plan.frame_ticks)?;
            control.sent(ticks.len() as u64);
        } else {
            cutter.name(&file.symbols()[..known as usize]);
            send_paced(ticks, &mut cutter, &mut pace, &mut report, control)?;
            if !plan.pace.is_max() {
                cutter.hurry()?;
            }
        }
        report.counts.lines += ticks.len() as u64;
        let bytes = size_of_val(ticks) as u64;
        report.counts.bytes += bytes;
        plan.read.read_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
    if is_lent {
        report.span = (file.ticks() > 0).then(|| file.span());
    }
    cutter.finish(report)
}

fn run_merged(
    plan: &FeedPlan,
    mut cutter: Cutter<'_, impl FrameSender>,
    control: &FeedControl,
) -> Result<FeedReport, FeedError> {
    let mut merged = Merged::open(&plan.sources, &plan.read, &plan.selection)?;
    let mut pace = plan.pace.start();
    let mut report = FeedReport::default();
    let mut ticks = Vec::new();
    let mut more = true;
    while more && !report.interrupted {
        ticks.clear();
        more = merged.read(&mut ticks)?;
        // A source that was given up on looks as if it had ended.
        report.interrupted = control.is_stopped();
        cutter.name(merged.symbols());
        send_paced(&ticks, &mut cutter, &mut pace, &mut report, control)?;
        if !plan.pace.is_max() {
            cutter.hurry()?;
        }
    }
    report.counts = merged.counts();
    if report.counts.bad_lines > 0 {
        let malformed = report.counts.bad_lines;
        tracing::info!(run = %plan.run, malformed, "left malformed lines out");
    }
    report.offered = merged.offered();
    cutter.finish(report)
}

/// Sends ticks as they are due, and what has waited for the linger at every pause.
fn send_paced(
    ticks: &[Tick],
    cutter: &mut Cutter<'_, impl FrameSender>,
    pace: &mut Clock,
    report: &mut FeedReport,
    control: &FeedControl,
) -> Result<(), TransportError> {
    let mut rest = ticks;
    while let Some(first) = rest.first() {
        if control.is_stopped() {
            report.interrupted = true;
            break;
        }
        let span = report.span.get_or_insert((first.ts_recv, first.ts_recv));
        let skipped = cutter.skip(rest)?;
        if skipped > 0 {
            span.1 = rest[skipped - 1].ts_recv;
            control.sent(skipped as u64);
            rest = &rest[skipped..];
            continue;
        }
        control.begin();
        let due = pace.due(rest);
        if due == 0 {
            let patience = cutter.pause()?;
            control.wait(pace.time_to(first).min(patience));
            continue;
        }
        let (now, later) = rest.split_at(due);
        span.1 = now.last().map_or(span.1, |tick| tick.ts_recv);
        cutter.send(now)?;
        control.sent(due as u64);
        rest = later;
    }
    Ok(())
}

/// Sends the ticks of a log as they come, up to its end or the stop of `control`. Sources and
/// selection of the plan are not looked at: what is in the log was selected before.
///
/// # Errors
/// The log cannot be read, or nobody takes the frames.
pub fn run_log(
    plan: &FeedPlan,
    mut log: TicksLogReader,
    sender: &impl FrameSender,
    control: &FeedControl,
) -> Result<FeedReport, FeedError> {
    let mut cutter = Cutter::new(plan, sender);
    let mut pace = plan.pace.start();
    let mut report = FeedReport::default();
    let (mut ticks, mut named) = (Vec::new(), 0);
    let mut patience = Duration::ZERO;
    while !report.interrupted {
        ticks.clear();
        let read = log.read(&mut ticks, Batch::TICKS, patience.min(LOOK_FOR_STOP)).map_err(FeedError::Log)?;
        if control.is_stopped() {
            report.interrupted = true;
            break;
        }
        match read {
            LogRead::End => break,
            // Whatever the pace: nothing more is there, so nothing is to be gathered.
            LogRead::Idle => patience = cutter.pause()?,
            LogRead::Ticks => {
                let new = log.symbols_from(named);
                named += new.len();
                cutter.name_more(new);
                send_paced(&ticks, &mut cutter, &mut pace, &mut report, control)?;
                patience = Duration::ZERO;
            }
        }
    }
    cutter.finish(report)
}

/// How often a feed that waits for its log looks whether it is to stop.
const LOOK_FOR_STOP: Duration = Duration::from_millis(100);
