//! What was earned by day and by hour, and how much was held when.

use serde::Serialize;

use super::performance::TradeFigures;
use super::stretches::{self, DAY, FINEST, HOUR};

/// The most days of a result: with more, each stands for two, four and so on.
pub const MAX_DAYS: usize = 400;

/// What was earned in a period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PeriodFigures {
    /// What equity changed by, in 1e-9 of the quote unit.
    pub profit: i128,
    /// Fills of the period, and round trips that were closed in it.
    pub traded: TradeFigures,
    /// For how long positions were held, in ns; two at once count twice.
    pub held_ns: u64,
}

/// One day, or several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DayFigures {
    /// Its midnight (UTC), in ns since the UNIX epoch.
    pub start: u64,
    /// How many days: 1, or a power of two in a run of more than [`MAX_DAYS`].
    pub days: u64,
    /// What was earned.
    pub figures: PeriodFigures,
}

/// One hour of all days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HourFigures {
    /// 0 to 23, in UTC.
    pub hour: u8,
    /// What was earned in it on all days.
    pub figures: PeriodFigures,
}

/// How much was held in a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ExposurePoint {
    /// Where the stretch begins, in ns since the UNIX epoch.
    pub ts_recv: u64,
    /// For how long positions were held within it, in ns; two at once count twice.
    pub held_ns: u64,
    /// The same by the part of the stretch that is within the run and by the number of instruments, 0 to 1.
    pub share: f64,
}

impl PeriodFigures {
    fn add(&mut self, other: &Self) {
        self.profit += other.profit;
        self.traded.add(&other.traded);
        self.held_ns += other.held_ns;
    }
}

/// Days and hours of one strategy.
#[derive(Debug)]
pub(super) struct Periods {
    /// How many days an entry has.
    width: u64,
    /// By the number of the entry since the epoch, those with anything in them; in order.
    days: Vec<(u64, PeriodFigures)>,
    hours: [PeriodFigures; 24],
}

impl Default for Periods {
    fn default() -> Self {
        Self { width: 1, days: Vec::new(), hours: Default::default() }
    }
}

impl Periods {
    /// Changes the figures of the day and hour of `ts_recv`.
    pub(super) fn at(&mut self, ts_recv: u64, change: impl Fn(&mut PeriodFigures)) {
        change(&mut self.hours[(ts_recv / HOUR % 24) as usize]);
        change(self.day(ts_recv));
    }

    /// A position was held from one time to another.
    pub(super) fn hold(&mut self, from: u64, to: u64) {
        let mut at = from;
        while at < to {
            let end = (at / DAY * DAY).saturating_add(DAY).min(to);
            self.day(at).held_ns += end - at;
            at = end;
        }
        let whole_days = to.saturating_sub(from) / DAY;
        self.hours.iter_mut().for_each(|hour| hour.held_ns += whole_days * HOUR);
        let mut at = from.saturating_add(whole_days * DAY);
        while at < to {
            let end = (at / HOUR * HOUR).saturating_add(HOUR).min(to);
            self.hours[(at / HOUR % 24) as usize].held_ns += end - at;
            at = end;
        }
    }

    /// Every day from the run's first to its last, and every hour.
    pub(super) fn finish(mut self, first: u64, last: u64) -> (Vec<DayFigures>, Vec<HourFigures>) {
        let first = self.days.first().map_or(first, |day| first.min(day.0 * self.width * DAY));
        while stretches::count(first, last, self.width * DAY) > MAX_DAYS as u64 {
            self.widen();
        }
        let width = self.width;
        let of_run = first / (width * DAY)..=last / (width * DAY);
        let mut found = self.days.into_iter().peekable();
        let days = of_run.map(|day| DayFigures {
            start: day * width * DAY,
            days: width,
            figures: found.next_if(|found| found.0 == day).map(|found| found.1).unwrap_or_default(),
        });
        let hours = self.hours.into_iter().zip(0..).map(|(figures, hour)| HourFigures { hour, figures });
        (days.collect(), hours.collect())
    }

    fn day(&mut self, ts_recv: u64) -> &mut PeriodFigures {
        let first = self.days.first().map_or(ts_recv, |day| day.0 * self.width * DAY);
        while stretches::count(first.min(ts_recv), first.max(ts_recv), self.width * DAY) > MAX_DAYS as u64 {
            self.widen();
        }
        let day = ts_recv / (self.width * DAY);
        let place = match self.days.binary_search_by_key(&day, |found| found.0) {
            Ok(place) => place,
            Err(place) => {
                self.days.insert(place, (day, PeriodFigures::default()));
                place
            }
        };
        &mut self.days[place].1
    }

    fn widen(&mut self) {
        self.width *= 2;
        self.days.iter_mut().for_each(|day| day.0 /= 2);
        self.days.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                earlier.1.add(&later.1);
            }
            is_same
        });
    }
}

/// For how long positions were held in each stretch of time.
#[derive(Debug)]
pub(super) struct Held {
    stretch_ns: u64,
    /// By the number of the stretch since the epoch, those with a position; in order.
    held: Vec<(u64, u64)>,
}

impl Default for Held {
    fn default() -> Self {
        Self { stretch_ns: FINEST, held: Vec::new() }
    }
}

impl Held {
    /// A position was held from one time to another.
    pub(super) fn hold(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        let first = self.held.first().map_or(from, |held| from.min(held.0 * self.stretch_ns));
        let last = self.held.last().map_or(to - 1, |held| (to - 1).max(held.0 * self.stretch_ns));
        self.lengthen(stretches::length_for(first, last, self.stretch_ns));
        let mut at = from;
        while at < to {
            let stretch = at / self.stretch_ns;
            let end = ((stretch + 1).saturating_mul(self.stretch_ns)).min(to);
            match self.held.binary_search_by_key(&stretch, |held| held.0) {
                Ok(place) => self.held[place].1 += end - at,
                Err(place) => self.held.insert(place, (stretch, end - at)),
            }
            at = end;
        }
    }

    /// Every stretch from the run's first tick to its last, of so many instruments.
    pub(super) fn finish(
        mut self,
        first_ts_recv: u64,
        last_ts_recv: u64,
        instruments: usize,
    ) -> Vec<ExposurePoint> {
        let first =
            self.held.first().map_or(first_ts_recv, |held| first_ts_recv.min(held.0 * self.stretch_ns));
        self.lengthen(stretches::length_for(first, last_ts_recv, self.stretch_ns));
        let stretch_ns = self.stretch_ns;
        let mut found = self.held.into_iter().peekable();
        let of_run = first / stretch_ns..=last_ts_recv / stretch_ns;
        let point = |stretch: u64| {
            let held_ns = found.next_if(|found| found.0 == stretch).map_or(0, |found| found.1);
            let begin = stretch * stretch_ns;
            let end = begin.saturating_add(stretch_ns).min(last_ts_recv);
            let within = end.saturating_sub(begin.max(first_ts_recv)) as f64 * instruments as f64;
            let share = if within > 0.0 { (held_ns as f64 / within).min(1.0) } else { 0.0 };
            ExposurePoint { ts_recv: begin, held_ns, share }
        };
        of_run.map(point).collect()
    }

    fn lengthen(&mut self, stretch_ns: u64) {
        if stretch_ns == self.stretch_ns {
            return;
        }
        let before = std::mem::replace(&mut self.stretch_ns, stretch_ns);
        self.held.iter_mut().for_each(|held| held.0 = held.0 * before / stretch_ns);
        self.held.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                earlier.1 += later.1;
            }
            is_same
        });
    }
}
