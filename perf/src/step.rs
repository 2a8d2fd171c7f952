//! One step of a load: how much, how long, and what is waited for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::args::LoadArgs;
use crate::outcome::Step;
use crate::probe::{Point, Probe};
use crate::sampler::{Mark, Sampler};

/// How much, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepPlan {
    /// Ticks/s; `None` for full speed.
    pub(crate) rate: Option<f64>,
    /// `None`: until the market has gone through once.
    pub(crate) duration: Option<Duration>,
    /// Is left out.
    pub(crate) warm_up: Duration,
}

/// Between looks whether something has ended.
const LOOK: Duration = Duration::from_millis(2);
/// What was sent comes through within this time, or not at all.
const DRAIN: Duration = Duration::from_secs(60);
/// After Ctrl-C the wait is shorter.
const DRAIN_STOPPED: Duration = Duration::from_secs(5);

impl StepPlan {
    /// What `args` say of one rate.
    pub(crate) fn new(args: &LoadArgs, rate: Option<f64>) -> Self {
        let duration = args.duration.or_else(|| rate.map(|_| Duration::from_secs(10)));
        let usual = if duration.is_some() { Duration::from_secs(2) } else { Duration::ZERO };
        Self { rate, duration, warm_up: args.warm_up.unwrap_or(usual) }
    }

    /// Ticks of the market that are needed at least, and whether it is repeated.
    pub(crate) fn ticks(&self, args: &LoadArgs) -> (u64, bool) {
        match (self.duration, self.rate) {
            (None, _) => (args.ticks, false),
            (Some(_), None) => (args.ticks, true),
            (Some(duration), Some(rate)) => {
                ((rate * (duration + self.warm_up).as_secs_f64() * 1.1) as u64 + 1_000, true)
            }
        }
    }
}

/// What a step waits for.
pub(crate) struct StepRun<'a> {
    /// How much, and how long.
    pub(crate) plan: StepPlan,
    /// Where ticks are counted.
    pub(crate) probe: &'a Probe,
    /// The last point that ticks come to.
    pub(crate) last: Point,
    /// How often each tick comes there.
    pub(crate) strategies: usize,
    /// Whether everybody who sends has ended.
    pub(crate) has_sent: &'a dyn Fn() -> bool,
    /// Ends sending.
    pub(crate) stop_sending: &'a dyn Fn(),
    /// Whether something has failed, so that waiting is of no use.
    pub(crate) has_failed: &'a dyn Fn() -> bool,
    /// Set at Ctrl-C.
    pub(crate) stop: &'a AtomicBool,
}

impl StepRun<'_> {
    /// Watches the step from its begin to its end.
    pub(crate) fn follow(self, mut sampler: Sampler<'_>) -> Step {
        let ends = self.plan.duration.map(|duration| self.plan.warm_up + duration);
        let mut from = None;
        let mut to = None;
        while !(self.has_sent)() {
            let now = self.probe.origin().elapsed();
            if from.is_none() && now >= self.plan.warm_up {
                from = Some(sampler.mark());
            }
            if ends.is_some_and(|ends| now >= ends) || self.stop.load(Ordering::Acquire) {
                to.get_or_insert_with(|| sampler.mark());
                (self.stop_sending)();
            }
            if (self.has_failed)() {
                (self.stop_sending)();
                break;
            }
            sampler.look();
            std::thread::sleep(LOOK);
        }
        self.drain(&mut sampler);
        let (from, to) = self.bounds(&sampler, from, to);
        sampler.finish(String::new(), self.plan.rate, (from, to), self.last, self.strategies)
    }

    /// What was sent comes through.
    fn drain(&self, sampler: &mut Sampler<'_>) {
        let deadline = Instant::now() + if self.stop.load(Ordering::Acquire) { DRAIN_STOPPED } else { DRAIN };
        let sent = || {
            let entered = self.probe.entered();
            match self.last {
                Point::Sent | Point::Confirmed => entered,
                _ => entered * self.strategies as u64,
            }
        };
        while self.probe.passed(self.last) < sent() && Instant::now() < deadline && !(self.has_failed)() {
            sampler.look();
            std::thread::sleep(LOOK);
        }
    }

    /// With a duration it is from the end of the warm-up to the end of sending; without, from the first
    /// tick until the last one is through.
    fn bounds(&self, sampler: &Sampler<'_>, from: Option<Mark>, to: Option<Mark>) -> (Mark, Mark) {
        let now = sampler.mark();
        match (from, to) {
            (Some(from), Some(to)) if from.at < to.at => (from, to),
            _ => {
                let (first, last) = self.probe.first_and_last(self.last);
                (now.nothing_yet(first, sampler.cpu_before()), now.moved_to(last))
            }
        }
    }
}
