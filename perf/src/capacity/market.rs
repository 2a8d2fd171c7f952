//! A market: how many ticks by when, and how they spread over feeds and shards.

use tick_feed::shard_of;

use super::scenario::Scenario;

/// A trading day's half-hours, of their mean: busy at the open and at the close. The shape is assumed.
const HALF_HOURS: [f64; 13] = [2.2, 1.5, 1.15, 0.95, 0.85, 0.75, 0.7, 0.7, 0.7, 0.75, 0.85, 1.0, 1.9];

/// How many ticks all instruments have had by each moment. Times are ns since the start.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pieces: Vec<Piece>,
    pub(super) end: u64,
    pub(super) total: f64,
}

/// From here on ticks come at this rate.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: u64,
    /// Ticks/ns.
    rate: f64,
    /// Ticks before `from`.
    before: f64,
}

impl Profile {
    /// The scenario's mean is kept exactly, wherever its bursts fall.
    pub(super) fn new(scenario: &Scenario) -> Self {
        let end = (scenario.seconds * 1e9) as u64;
        let mean = scenario.rate * 1e-9;
        let bursts = bursts(scenario, end);
        let half_hour = |at: u64| HALF_HOURS[((at as f64 / end as f64) * 13.0).min(12.0) as usize];
        let shape = |at: u64| if scenario.day { half_hour(at) } else { 1.0 };
        let mut cuts = vec![0, end];
        if scenario.day {
            cuts.extend((1..13).map(|part| end / 13 * part));
        }
        cuts.extend(bursts.iter().flat_map(|(from, to)| [*from, *to]));
        cuts.retain(|cut| *cut <= end);
        cuts.sort_unstable();
        cuts.dedup();
        let is_burst = |at: u64| bursts.iter().any(|(from, to)| (*from..*to).contains(&at));
        let spans = || cuts.windows(2).map(|cut| (cut[0], (cut[1] - cut[0]) as f64));
        let in_bursts: f64 = spans().filter(|(at, _)| is_burst(*at)).map(|(_, ns)| ns).sum();
        let quiet: f64 = spans().filter(|(at, _)| !is_burst(*at)).map(|(at, ns)| shape(at) * ns).sum();
        let left = mean * end as f64 - scenario.peak * mean * in_bursts;
        let mut before = 0.0;
        let pieces = spans().map(|(from, ns)| {
            let rate = if is_burst(from) { scenario.peak * mean } else { shape(from) * left / quiet };
            let piece = Piece { from, rate, before };
            before += rate * ns;
            piece
        });
        let pieces: Vec<_> = pieces.collect();
        Self { pieces, end, total: before }
    }

    /// Ticks of all instruments before `at`.
    pub(super) fn ticks(&self, at: u64) -> f64 {
        let at = at.min(self.end);
        let piece = self.pieces[self.pieces.partition_point(|piece| piece.from <= at) - 1];
        piece.before + piece.rate * (at - piece.from) as f64
    }

    /// When so many ticks have come; `u64::MAX` for more than ever come.
    pub(super) fn when(&self, ticks: f64) -> u64 {
        if ticks > self.total {
            return u64::MAX;
        }
        let next = self.pieces.partition_point(|piece| piece.before < ticks);
        let piece = self.pieces[next.saturating_sub(1)];
        piece.from + ((ticks - piece.before) / piece.rate).max(0.0).round() as u64
    }

    /// The highest rate, in ticks/s.
    pub(super) fn peak(&self) -> f64 {
        self.pieces.iter().map(|piece| piece.rate).fold(0.0, f64::max) * 1e9
    }
}

/// Bursts from and to, one in each of as many equal parts of the time, somewhere in it.
fn bursts(scenario: &Scenario, end: u64) -> Vec<(u64, u64)> {
    if scenario.peak <= 1.0 || scenario.burst == 0 {
        return Vec::new();
    }
    let busy = scenario.burst_share / scenario.peak * end as f64;
    let count = (busy / scenario.burst as f64).round().max(1.0) as u64;
    let (part, length) = (end / count, (busy / count as f64) as u64);
    let mut state = scenario.seed;
    let place = |number| {
        let from = part * number + draw(&mut state) % (part - length).max(1);
        (from, from + length)
    };
    (0..count).map(place).collect()
}

/// SplitMix64.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What falls to each shard of one feed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FeedSpread {
    /// Of all ticks of the market, by shard.
    pub(super) shards: Vec<f64>,
    /// The most that one instrument has of all ticks.
    pub(super) first: f64,
}

impl FeedSpread {
    pub(super) fn share(&self) -> f64 {
        self.shards.iter().sum()
    }
}

/// Instrument number i has a share proportional to 1/i^skew. Who splits a market into feeds balances
/// them by what is known of the day before: the busiest instruments first, each to the feed that has
/// the least. Within a feed the product's hash decides.
pub(super) fn spread(scenario: &Scenario) -> Vec<FeedSpread> {
    let empty = FeedSpread { shards: vec![0.0; scenario.shards.into()], first: 0.0 };
    let mut feeds = vec![empty; scenario.feeds.into()];
    let mut shares = vec![0.0_f64; feeds.len()];
    let weight = |i: u32| f64::from(i + 1).powf(-scenario.skew);
    let total: f64 = (0..scenario.instruments).map(weight).sum();
    for number in 0..scenario.instruments {
        let share = weight(number) / total;
        let least = (0..shares.len()).min_by(|a, b| shares[*a].total_cmp(&shares[*b])).unwrap_or(0);
        shares[least] += share;
        let feed = &mut feeds[least];
        feed.shards[usize::from(shard_of(&format!("S{number:05}"), scenario.shards))] += share;
        feed.first = feed.first.max(share);
    }
    feeds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_kept_and_a_burst_has_its_rate() {
        for (day, peak) in [(false, 1.0), (false, 10.0), (true, 10.0)] {
            let scenario = Scenario { rate: 1e6, peak, day, seconds: 2.0, ..Scenario::default() };
            let profile = Profile::new(&scenario);
            assert!((profile.total - 2e6).abs() < 1.0, "{}", profile.total);
            assert!(profile.peak() >= peak * 1e6 * 0.999);
            assert_eq!(profile.ticks(profile.end), profile.total);
        }
    }

    #[test]
    fn when_is_the_inverse_of_ticks() {
        let scenario = Scenario { rate: 1e6, peak: 5.0, day: true, seconds: 1.0, ..Scenario::default() };
        let profile = Profile::new(&scenario);
        for ticks in [1.0, 777.0, 250_000.0, 999_999.0] {
            assert!((profile.ticks(profile.when(ticks)) - ticks).abs() < 0.01, "{ticks}");
        }
        assert_eq!(profile.when(1e6 + 1.0), u64::MAX);
    }

    #[test]
    fn shares_add_up_and_feeds_are_balanced() {
        let scenario = Scenario { instruments: 10_000, feeds: 4, shards: 8, ..Scenario::default() };
        let feeds = spread(&scenario);
        let total: f64 = feeds.iter().map(FeedSpread::share).sum();
        assert!((total - 1.0).abs() < 1e-9);
        assert!(feeds.iter().all(|feed| (feed.share() - 0.25).abs() < 0.02));
    }

    #[test]
    fn an_instrument_is_where_the_product_has_it() {
        let scenario = Scenario { instruments: 1, shards: 7, ..Scenario::default() };
        let spread = spread(&scenario);
        assert_eq!(spread[0].shards[usize::from(shard_of("S00000", 7))], 1.0);
    }
}
