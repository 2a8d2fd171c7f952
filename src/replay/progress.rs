//! What a user sees on standard error while a replay goes on.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use crossbeam_channel::{Sender, bounded};
use indicatif::{ProgressBar, ProgressStyle};
use tick_ingest::feed::{FeedControl, SourceSpec};

use crate::text::thousands;

/// How much there is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Total {
    /// So many ticks.
    Ticks(u64),
    /// So many bytes of files.
    Bytes(u64),
    /// Nobody knows.
    Unknown,
}

impl Total {
    /// What `sources`, played `repeats` times, hold: ticks where they are known, else bytes of files.
    ///
    /// # Errors
    /// A file is not there.
    pub(crate) fn of(sources: &[SourceSpec], repeats: u64) -> Result<Self> {
        let repeats = repeats.max(1);
        if let [SourceSpec::Generated(options)] = sources {
            return Ok(Self::Ticks(options.ticks.saturating_mul(repeats)));
        }
        let mut bytes = 0;
        for source in sources {
            match source {
                SourceSpec::File { name, .. } if name != "-" => {
                    bytes += std::fs::metadata(name).with_context(|| name.clone())?.len();
                }
                _ => return Ok(Self::Unknown),
            }
        }
        Ok(Self::Bytes(bytes.saturating_mul(repeats)))
    }
}

/// Shows progress until it is dropped or finished; watches memory meanwhile.
pub(crate) struct Progress {
    stop: Option<Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    peak_anonymous: Arc<AtomicU64>,
}

/// Between looks at a terminal's bar, and at memory.
const LOOK: Duration = Duration::from_millis(100);
/// Between lines where there is no terminal.
const LINE: Duration = Duration::from_secs(5);

impl Progress {
    /// Begins to show; `read_bytes` counts the bytes read of all files.
    pub(crate) fn start(
        control: Arc<FeedControl>,
        read_bytes: Arc<AtomicU64>,
        total: Total,
        quiet: bool,
    ) -> Self {
        let (stop, stopped) = bounded::<()>(1);
        let peak_anonymous = Arc::new(AtomicU64::new(0));
        let peak = peak_anonymous.clone();
        let work = move || {
            let view = View::new(total, quiet);
            let started = Instant::now();
            let mut last_line = started;
            loop {
                let ended =
                    !matches!(stopped.recv_timeout(LOOK), Err(crossbeam_channel::RecvTimeoutError::Timeout));
                peak.fetch_max(anonymous_bytes(), Ordering::Relaxed);
                if ended {
                    return view.end();
                }
                let line_due = last_line.elapsed() >= LINE;
                if line_due {
                    last_line = Instant::now();
                }
                let done = match total {
                    Total::Ticks(all) => Some((control.ticks(), all)),
                    Total::Bytes(all) => Some((read_bytes.load(Ordering::Relaxed), all)),
                    Total::Unknown => None,
                };
                view.show(control.ticks(), done, started.elapsed(), line_due);
            }
        };
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(work);
        Self { stop: Some(stop), thread: thread.ok(), peak_anonymous }
    }

    /// Ends the display; gives the highest anonymous memory seen, in bytes, 0 where the system does
    /// not tell.
    pub(crate) fn finish(mut self) -> u64 {
        self.end();
        self.peak_anonymous.load(Ordering::Relaxed)
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only draws: that it failed changes no result.
            let _ = thread.join();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

enum View {
    Bar(ProgressBar),
    Lines,
    Nothing,
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

    fn show(&self, ticks: u64, done: Option<(u64, u64)>, elapsed: Duration, line_due: bool) {
        let rate = thousands((ticks as f64 / elapsed.as_secs_f64()) as u64);
        let message = format!("{} ticks  {rate} ticks/s", thousands(ticks));
        match self {
            Self::Bar(bar) => {
                if let Some((done, all)) = done {
                    bar.set_position(done.min(all));
                }
                bar.set_message(message);
                bar.tick();
            }
            Self::Lines if line_due => match done {
                Some((done, all)) if all > 0 => {
                    let share = (done as f64 / all as f64).min(1.0);
                    let left = elapsed.as_secs_f64() * (1.0 - share) / share.max(1e-9);
                    eprintln!("{message}  {:.0} %  {left:.0} s left", share * 100.0);
                }
                _ => eprintln!("{message}"),
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

/// This process's anonymous memory now, from Linux's own accounting; mapped files are not in it.
fn anonymous_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
