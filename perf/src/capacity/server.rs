//! One thing that serves one after the other, and how busy it is.

/// How long the intervals are over which a peak is taken, in ns: as short as the bursts that a
/// market's operator plans with.
const INTERVAL: u64 = 10_000_000;

/// First come, first served. Times are ns since the start.
#[derive(Clone, Debug)]
pub(super) struct Server {
    free: u64,
    end: u64,
    /// Busy ns of each interval.
    busy: Vec<u64>,
}

impl Server {
    /// What it does after `end` is not counted.
    pub(super) fn new(end: u64) -> Self {
        Self { free: 0, end, busy: vec![0; end.div_ceil(INTERVAL).max(1) as usize] }
    }

    /// When a job that comes at `at` is done.
    pub(super) fn serve(&mut self, at: u64, takes: u64) -> u64 {
        let start = self.free.max(at);
        self.free = start + takes;
        let (mut from, to) = (start, self.free.min(self.end));
        while from < to {
            let interval = from / INTERVAL;
            let part_end = to.min((interval + 1) * INTERVAL);
            self.busy[interval as usize] += part_end - from;
            from = part_end;
        }
        self.free
    }

    /// Busy part of the whole time, 0 to 1.
    pub(super) fn mean(&self) -> f64 {
        self.busy.iter().sum::<u64>() as f64 / self.end as f64
    }

    /// Busy part of the busiest interval, 0 to 1.
    pub(super) fn peak(&self) -> f64 {
        let length = |place: usize| (self.end - place as u64 * INTERVAL).min(INTERVAL);
        let part = |(place, busy): (usize, &u64)| *busy as f64 / length(place) as f64;
        self.busy.iter().enumerate().map(part).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_wait_for_each_other_and_only_the_time_until_the_end_counts() {
        let mut server = Server::new(40_000_000);
        assert_eq!(server.serve(5_000_000, 10_000_000), 15_000_000);
        assert_eq!(server.serve(6_000_000, 5_000_000), 20_000_000);
        assert_eq!((server.mean(), server.peak()), (15.0 / 40.0, 1.0));
        server.serve(39_000_000, 10_000_000);
        assert_eq!(server.mean(), 16.0 / 40.0);
    }
}
