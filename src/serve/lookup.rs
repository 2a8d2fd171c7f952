//! Ticks and candles of past runs, read from the captures as their replays read them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use gateway::{CandlesAsked, FoundCandles, LookupError, TickLookup, TicksAsked};
use live::CandleMaker;
use tick_ingest::ReadError;
use tick_ingest::feed::Merged;
use tick_ingest::replays::{CaptureError, Captures, InvalidReplay, ReplaySources};
use tick_sdk::Tick;
use tick_sdk::contracts::ticks::StartReplay;
use tokio::sync::Semaphore;

/// Captures are read for so long at most: what comes later in them is not found.
const LONGEST: Duration = Duration::from_secs(15);
/// So many look at once.
const AT_ONCE: usize = 2;

/// Reads the folder of captures.
#[derive(Debug)]
pub(super) struct CaptureLookup {
    captures: Captures,
    looking: Semaphore,
    longest: Duration,
}

impl CaptureLookup {
    pub(super) fn new(captures: Captures) -> Self {
        Self { captures, looking: Semaphore::new(AT_ONCE), longest: LONGEST }
    }

    fn not_there(&self, symbol: &str) -> LookupError {
        LookupError::NotThere(format!("the run has no tick of '{symbol}': /api/instruments has the symbols"))
    }

    fn unreadable(&self, error: &ReadError) -> LookupError {
        LookupError::Unreadable(self.captures.shown(&error.to_string()))
    }

    fn open(&self, plan: &StartReplay, symbol: &str) -> Result<Reading, LookupError> {
        if !plan.symbols.is_empty() && !plan.symbols.iter().any(|selected| selected == symbol) {
            return Err(self.not_there(symbol));
        }
        let ReplaySources { sources, mut read, mut selection, .. } =
            ReplaySources::of(plan, &self.captures).map_err(|error| refused(&error))?;
        selection.symbols = Some([symbol.to_owned()].into());
        let (alarm, is_late) = alarm(self.longest)?;
        read.stopped = is_late.clone();
        let merged = Merged::open(&sources, &read, &selection).map_err(|error| self.unreadable(&error))?;
        Ok(Reading { merged, ticks: Vec::new(), is_late, _alarm: alarm })
    }
}

impl TickLookup for CaptureLookup {
    fn ticks(&self, asked: &TicksAsked) -> Result<Vec<Tick>, LookupError> {
        let _looking = self.looking.try_acquire().map_err(|_| LookupError::Busy)?;
        let mut reading = self.open(&asked.plan, &asked.symbol)?;
        let mut found = VecDeque::new();
        let mut later = 0;
        while later < asked.each {
            let Some(ticks) = reading.next().map_err(|error| self.unreadable(&error))? else { break };
            for tick in ticks {
                if tick.ts_recv > asked.around {
                    later += 1;
                } else if found.len() == asked.each {
                    found.pop_front();
                }
                found.push_back(*tick);
                if later == asked.each {
                    break;
                }
            }
        }
        if reading.is_late() {
            let seconds = self.longest.as_secs();
            let reason = format!(
                "the captures cannot be read up to there within {seconds} s: ask for an earlier time, or replay that part \
                 of them alone, with from and to"
            );
            return Err(LookupError::Unreadable(reason));
        }
        if found.is_empty() { Err(self.not_there(&asked.symbol)) } else { Ok(found.into()) }
    }

    fn candles(&self, asked: &CandlesAsked) -> Result<FoundCandles, LookupError> {
        let _looking = self.looking.try_acquire().map_err(|_| LookupError::Busy)?;
        let mut reading = self.open(&asked.plan, &asked.symbol)?;
        let mut maker = CandleMaker::new(asked.count);
        let to = asked.to.unwrap_or(u64::MAX);
        let mut is_beyond = false;
        while !is_beyond {
            let Some(ticks) = reading.next().map_err(|error| self.unreadable(&error))? else { break };
            let before = ticks.iter().take_while(|tick| tick.ts_recv < to);
            is_beyond = before.inspect(|tick| maker.take(tick)).count() < ticks.len();
        }
        let candles = maker.last(asked.interval, asked.count);
        let is_complete = is_beyond || !reading.is_late();
        if candles.is_empty() && is_complete && to == u64::MAX {
            return Err(self.not_there(&asked.symbol));
        }
        Ok(FoundCandles { candles, is_complete })
    }
}

/// Captures that are read.
struct Reading {
    merged: Merged,
    ticks: Vec<Tick>,
    is_late: Arc<AtomicBool>,
    _alarm: Sender<()>,
}

impl Reading {
    /// The next ticks; `None` at the end, and when it takes too long.
    fn next(&mut self) -> Result<Option<&[Tick]>, ReadError> {
        self.ticks.clear();
        let is_more = self.merged.read(&mut self.ticks)?;
        Ok(Some(&self.ticks[..]).filter(|ticks| !self.is_late() && (is_more || !ticks.is_empty())))
    }

    fn is_late(&self) -> bool {
        self.is_late.load(Ordering::Acquire)
    }
}

/// Sets a flag when the sender is still there after so long: a symbol with few ticks is looked for in one go.
fn alarm(longest: Duration) -> Result<(Sender<()>, Arc<AtomicBool>), LookupError> {
    let (sender, is_done) = bounded::<()>(0);
    let is_late = Arc::<AtomicBool>::default();
    let flag = is_late.clone();
    let wait = move || {
        if is_done.recv_timeout(longest) == Err(RecvTimeoutError::Timeout) {
            flag.store(true, Ordering::Release);
        }
    };
    let started = std::thread::Builder::new().name("lookup alarm".to_owned()).spawn(wait);
    started.map_err(|_| LookupError::Busy)?;
    Ok((sender, is_late))
}

fn refused(error: &InvalidReplay) -> LookupError {
    match error {
        InvalidReplay::File(CaptureError::Missing { file }) => {
            LookupError::NotThere(format!("the capture {file:?} is no longer in the folder of captures"))
        }
        other => LookupError::Unreadable(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
