//! What a user sees on standard error while ticks go by.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use indicatif::{ProgressBar, ProgressStyle};
use tick_ingest::feed::FeedControl;

use crate::replay::{ReplayProgress, Total};
use crate::text::thousands;

/// Between looks at a terminal's bar, and at memory.
pub(crate) const LOOK: Duration = Duration::from_millis(100);
/// Between lines where there is no terminal.
const LINE: Duration = Duration::from_secs(5);

/// A bar on a terminal, else a line now and then. Watches memory meanwhile.
pub(crate) struct ProgressDisplay {
    view: View,
    last_line: Instant,
    peak_anonymous: u64,
}

enum View {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

impl ProgressDisplay {
    /// Shows nothing when `quiet`.
    pub(crate) fn new(total: Total, quiet: bool) -> Self {
        Self { view: View::new(total, quiet), last_line: Instant::now(), peak_anonymous: 0 }
    }

    /// Shows how far it is; to be called every [`LOOK`].
    pub(crate) fn show(&mut self, progress: &ReplayProgress) {
        self.look_at_memory();
        let is_line_due = self.last_line.elapsed() >= LINE;
        if is_line_due {
            self.last_line = Instant::now();
        }
        self.view.show(progress, is_line_due);
    }

    /// Ends the display; gives the highest anonymous memory seen, in bytes, 0 where the system does
    /// not say.
    pub(crate) fn finish(mut self) -> u64 {
        self.look_at_memory();
        self.view.end();
        self.peak_anonymous
    }

    fn look_at_memory(&mut self) {
        self.peak_anonymous = self.peak_anonymous.max(anonymous_bytes());
    }
}

impl View {
    fn new(total: Total, quiet: bool) -> Self {
        if quiet {
            return Self::Nothing;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Lines;
        }
        let (bar, template) = match total {
            Total::Unknown => (ProgressBar::no_length(), "{spinner} {msg}"),
            Total::Ticks(all) | Total::Bytes(all) => {
                (ProgressBar::new(all), "{wide_bar} {percent:>3} %  {msg}  {eta} left")
            }
        };
        bar.set_style(ProgressStyle::with_template(template).expect("the template is valid"));
        Self::Bar(bar)
    }

    fn show(&self, progress: &ReplayProgress, is_line_due: bool) {
        match self {
            Self::Bar(bar) => {
                if let Some((done, _)) = progress.done() {
                    bar.set_position(done);
                }
                let rate = thousands(progress.ticks_per_second());
                bar.set_message(format!("{} ticks  {rate} ticks/s", thousands(progress.ticks)));
                bar.tick();
            }
            Self::Lines if is_line_due => match progress.percent() {
                Some(percent) => {
                    let share = (percent / 100.0).max(1e-9);
                    let left = progress.elapsed.as_secs_f64() * (1.0 - share) / share;
                    eprintln!("{progress}  {left:.0} s left");
                }
                None => eprintln!("{progress}"),
            },
            Self::Lines | Self::Nothing => {}
        }
    }

    fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// Shows how far a feed is that runs on the caller's thread, until it is dropped.
pub(crate) struct ProgressThread {
    stop: Option<Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl ProgressThread {
    /// Begins to show; `read_bytes` counts the bytes read of all files.
    pub(crate) fn start(
        control: Arc<FeedControl>,
        read_bytes: Arc<AtomicU64>,
        total: Total,
        quiet: bool,
    ) -> Self {
        let (stop, stopped) = bounded::<()>(1);
        let work = move || {
            let mut display = ProgressDisplay::new(total, quiet);
            let started = Instant::now();
            while let Err(crossbeam_channel::RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK) {
                display.show(&ReplayProgress {
                    ticks: control.ticks(),
                    bytes: read_bytes.load(Ordering::Relaxed),
                    total,
                    elapsed: started.elapsed(),
                });
            }
            display.finish();
        };
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(work);
        Self { stop: Some(stop), thread: thread.ok() }
    }
}

impl Drop for ProgressThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only draws: that it failed changes no result.
            let _ = thread.join();
        }
    }
}

/// This process's anonymous memory now, from Linux's own accounting; mapped files are not in it.
#[cfg(target_os = "linux")]
fn anonymous_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Elsewhere it is not known.
#[cfg(not(target_os = "linux"))]
fn anonymous_bytes() -> u64 {
    0
}
