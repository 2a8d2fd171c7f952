//! What is written down while ticks are in flight: when each was due, and when it passed a stage.
//!
//! A frame's ticks pass together, so a few of them stand for all: at most [`SAMPLES`] due times a frame,
//! each with the number of ticks that it stands for. So measuring costs the same for a frame of any size.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tick_sdk::Tick;

/// Due times of one frame, at most.
pub(crate) const SAMPLES: usize = 8;
/// So many frames may be between two stages; more are not sampled, and counted.
const MAX_WAITING: usize = 1 << 18;
/// Latencies from 1 ns to an hour, to three digits.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// A stage that a tick passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Written to the broker, or handed to a host's thread.
    Sent,
    /// The broker has it.
    Confirmed,
    /// In the strategy's thread, checked.
    Delivered,
    /// Through the strategy.
    Signal,
    /// Its effect is stored.
    Committed,
}

impl Point {
    /// In the order in which ticks pass them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Sent, Self::Confirmed, Self::Delivered, Self::Signal, Self::Committed];

    /// Its name in results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Confirmed => "confirmed",
            Self::Delivered => "delivered",
            Self::Signal => "signal",
            Self::Committed => "committed",
        }
    }
}

/// Some ticks of one frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// One past the frame's last tick.
    pub(crate) end_seq: u64,
    ticks: u32,
    count: u8,
    /// Since the step began.
    due_ns: [u64; SAMPLES],
}

impl Sample {
    /// Of ticks that end at `end_seq`, each due at `due` after the step's beginning.
    pub(crate) fn of(end_seq: u64, ticks: &[Tick], due: impl Fn(&Tick) -> u64) -> Self {
        let count = ticks.len().min(SAMPLES);
        let mut due_ns = [0; SAMPLES];
        // The middle of each part, so that neither the first nor the last tick counts for too many.
        for (place, due_ns) in due_ns[..count].iter_mut().enumerate() {
            *due_ns = due(&ticks[(2 * place + 1) * ticks.len() / (2 * count)]);
        }
        Self { end_seq, ticks: ticks.len() as u32, count: count as u8, due_ns }
    }

    /// One tick by itself.
    pub(crate) fn one(due_ns: u64) -> Self {
        let mut all = [0; SAMPLES];
        all[0] = due_ns;
        Self { end_seq: 0, ticks: 1, count: 1, due_ns: all }
    }

    /// Due times, and how many ticks each stands for.
    fn weighed(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let (ticks, count) = (u64::from(self.ticks), u64::from(self.count));
        let share = move |place: u64| (place + 1) * ticks / count - place * ticks / count;
        self.due_ns[..usize::from(self.count)].iter().zip(0..).map(move |(due, place)| (*due, share(place)))
    }
}

/// Everything of one step.
#[derive(Debug)]
pub(crate) struct Probe {
    origin: OnceLock<Instant>,
    /// Ticks due before this, since `origin`, are in no histogram.
    warm_up_ns: u64,
    /// Ticks by the point that they passed; those of several strategies are summed.
    passed: [AtomicU64; 5],
    /// When a point was passed last, in ns since `origin`.
    last_ns: [AtomicU64; 5],
    /// Ticks that were handed over, and when the first of them was.
    entered: AtomicU64,
    first_ns: AtomicU64,
    latencies: [Mutex<Latencies>; 5],
    /// How often something was written down.
    notes: AtomicU64,
    unsampled: AtomicU64,
}

#[derive(Debug)]
struct Latencies {
    all: Histogram<u64>,
    /// Since it was last taken.
    recent: Histogram<u64>,
}

impl Probe {
    /// It begins when it is first asked for the time.
    pub(crate) fn new(warm_up: Duration) -> Self {
        let empty = || Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are valid");
        Self {
            origin: OnceLock::new(),
            warm_up_ns: warm_up.as_nanos() as u64,
            passed: Default::default(),
            last_ns: Default::default(),
            entered: AtomicU64::new(0),
            first_ns: AtomicU64::new(u64::MAX),
            latencies: std::array::from_fn(|_| Mutex::new(Latencies { all: empty(), recent: empty() })),
            notes: AtomicU64::new(0),
            unsampled: AtomicU64::new(0),
        }
    }

    /// When the step began.
    pub(crate) fn origin(&self) -> Instant {
        *self.origin.get_or_init(Instant::now)
    }

    /// Now, since the step began.
    pub(crate) fn now_ns(&self) -> u64 {
        self.origin().elapsed().as_nanos() as u64
    }

    /// So many ticks are handed over now.
    pub(crate) fn enter(&self, ticks: u64) {
        self.first_ns.fetch_min(self.now_ns(), Ordering::Relaxed);
        self.entered.fetch_add(ticks, Ordering::Relaxed);
    }

    /// How many ticks were handed over.
    pub(crate) fn entered(&self) -> u64 {
        self.entered.load(Ordering::Relaxed)
    }

    /// So many ticks pass a point now.
    pub(crate) fn count(&self, point: Point, ticks: u64) {
        self.passed[point as usize].fetch_add(ticks, Ordering::Relaxed);
        self.last_ns[point as usize].fetch_max(self.now_ns(), Ordering::Relaxed);
    }

    /// When the first tick was handed over, and when the last one passed a point.
    pub(crate) fn first_and_last(&self, point: Point) -> (Duration, Duration) {
        let first = self.first_ns.load(Ordering::Relaxed);
        let last = self.last_ns[point as usize].load(Ordering::Relaxed);
        (Duration::from_nanos(first.min(last)), Duration::from_nanos(last))
    }

    /// How many ticks have passed a point.
    pub(crate) fn passed(&self, point: Point) -> u64 {
        self.passed[point as usize].load(Ordering::Relaxed)
    }

    /// Sampled ticks pass a point at this time.
    pub(crate) fn record(&self, point: Point, samples: &[Sample], now_ns: u64) {
        if samples.is_empty() {
            return;
        }
        self.notes.fetch_add(samples.len() as u64, Ordering::Relaxed);
        let mut latencies = lock(&self.latencies[point as usize]);
        for (due, ticks) in samples.iter().flat_map(Sample::weighed) {
            let late = now_ns.saturating_sub(due).clamp(1, LONGEST_NS);
            latencies.recent.saturating_record_n(late, ticks);
            if due >= self.warm_up_ns {
                latencies.all.saturating_record_n(late, ticks);
            }
        }
    }

    /// Latencies of the whole step, but for its warm-up.
    pub(crate) fn latencies(&self, point: Point) -> Histogram<u64> {
        lock(&self.latencies[point as usize]).all.clone()
    }

    /// Latencies since this was last asked.
    pub(crate) fn take_recent(&self, point: Point) -> Histogram<u64> {
        let mut latencies = lock(&self.latencies[point as usize]);
        let recent = latencies.recent.clone();
        latencies.recent.reset();
        recent
    }

    /// How often something was written down.
    pub(crate) fn notes(&self) -> u64 {
        self.notes.load(Ordering::Relaxed)
    }

    /// Frames that were not sampled, as too many were in flight.
    pub(crate) fn unsampled(&self) -> u64 {
        self.unsampled.load(Ordering::Relaxed)
    }

    /// Puts a frame's sample behind those that wait for a point, within the bound.
    pub(crate) fn wait(&self, waiting: &mut VecDeque<Sample>, sample: Sample) {
        if waiting.len() >= MAX_WAITING {
            self.unsampled.fetch_add(1, Ordering::Relaxed);
        } else if waiting.back().is_none_or(|last| last.end_seq < sample.end_seq) {
            waiting.push_back(sample);
        }
    }
}

/// Takes the samples of frames that end at or before `seq`.
pub(crate) fn take_until(waiting: &mut VecDeque<Sample>, seq: u64) -> Vec<Sample> {
    let ended = waiting.partition_point(|sample| sample.end_seq <= seq);
    waiting.drain(..ended).collect()
}

/// A lock whose holder panicked is still sound: nothing here panics in the middle of a change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one note costs: the time of a sample's passing one stage.
pub(crate) fn cost_of_a_note() -> Duration {
    const NOTES: u32 = 20_000;
    let probe = Probe::new(Duration::ZERO);
    let tick: Tick = Tick::trade(0, 0, 0, 0, tick_sdk::Side::NONE);
    let mut waiting = VecDeque::new();
    let started = Instant::now();
    for number in 0..NOTES {
        probe.wait(&mut waiting, Sample::of(u64::from(number) + 1, &[tick; SAMPLES], |_| probe.now_ns()));
        let taken = take_until(&mut waiting, u64::MAX);
        probe.record(Point::Signal, &taken, probe.now_ns());
    }
    started.elapsed() / NOTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(count: u64) -> Vec<Tick> {
        (0..count).map(|ns| Tick::trade(ns, ns, 0, 0, tick_sdk::Side::NONE)).collect()
    }

    #[test]
    fn a_frame_counts_for_all_its_ticks_and_its_samples_are_spread() {
        for count in [1, 7, 8, 9, 8192] {
            let sample = Sample::of(count, &ticks(count), |tick| tick.ts_recv);
            let weighed: Vec<_> = sample.weighed().collect();
            assert_eq!(weighed.iter().map(|(_, ticks)| ticks).sum::<u64>(), count);
            let mean = weighed.iter().map(|(due, ticks)| due * ticks).sum::<u64>() as f64 / count as f64;
            assert!((mean - count as f64 / 2.0).abs() <= 1.0, "{count}: {mean}");
        }
    }

    #[test]
    fn latency_is_from_the_due_time_and_the_warm_up_is_left_out() {
        let probe = Probe::new(Duration::from_nanos(10));
        let sample = |end, due| Sample::of(end, &ticks(1), |_| due);
        probe.record(Point::Signal, &[sample(1, 9), sample(2, 10)], 1_010);
        assert_eq!(probe.latencies(Point::Signal).len(), 1);
        assert_eq!(probe.latencies(Point::Signal).max(), 1_000);
        assert_eq!(probe.take_recent(Point::Signal).len(), 2);
        assert_eq!(probe.take_recent(Point::Signal).len(), 0);
    }

    #[test]
    fn samples_leave_in_order_and_what_is_sent_again_waits_once() {
        let probe = Probe::new(Duration::ZERO);
        let mut waiting = VecDeque::new();
        for end in [10, 20, 20, 15, 30] {
            probe.wait(&mut waiting, Sample::of(end, &ticks(1), |_| 0));
        }
        let ends = |samples: Vec<Sample>| samples.iter().map(|sample| sample.end_seq).collect::<Vec<_>>();
        assert_eq!(ends(take_until(&mut waiting, 29)), [10, 20]);
        assert_eq!(ends(take_until(&mut waiting, 30)), [30]);
    }
}
