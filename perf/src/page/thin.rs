//! Series of bounded size: a soak of a day has 86,400 seconds, a plot some hundred columns.

use crate::outcome::Second;

/// The most points of one step.
const MOST: usize = 1_200;

/// `series` itself, or means over as many neighbours as it takes. Of p99, blocked time, budget,
/// queues and memory the worst stays: peaks are what one looks for.
pub(super) fn series(series: &[Second]) -> Vec<Second> {
    let width = series.len().div_ceil(MOST).max(1);
    // Warm-up stays apart, or its rates would leak into the first measured point.
    let edge = series.iter().take_while(|second| second.warm_up).count();
    let (warm_up, measured) = series.split_at(edge);
    warm_up.chunks(width).chain(measured.chunks(width)).map(merged).collect()
}

fn merged(seconds: &[Second]) -> Second {
    let last = seconds[seconds.len() - 1];
    let mean = |of: fn(&Second) -> f64| seconds.iter().map(of).sum::<f64>() / seconds.len() as f64;
    let mut medians: Vec<_> = seconds.iter().filter_map(|second| second.p50).collect();
    medians.sort_unstable();
    let worst = |of: fn(&Second) -> Option<f64>| seconds.iter().filter_map(of).reduce(f64::max);
    Second {
        sent: mean(|second| second.sent),
        confirmed: mean(|second| second.confirmed),
        consumed: mean(|second| second.consumed),
        committed: mean(|second| second.committed),
        messages: mean(|second| second.messages),
        budget: worst(|second| second.budget),
        p50: medians.get(medians.len() / 2).copied(),
        p99: seconds.iter().filter_map(|second| second.p99).max(),
        blocked: worst(|second| Some(second.blocked)).unwrap_or(0.0),
        broker_memory: seconds.iter().filter_map(|second| second.broker_memory).max(),
        queued: seconds.iter().filter_map(|second| second.queued).max(),
        memory: seconds.iter().map(|second| second.memory).max().unwrap_or(0),
        files: seconds.iter().map(|second| second.files).max().unwrap_or(0),
        ..last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_becomes_a_thousand_points_that_keep_their_peaks() {
        let mut day: Vec<_> = (0..86_400)
            .map(|i| Second {
                at: f64::from(i + 1),
                warm_up: i < 10,
                sent: 100.0,
                p99: Some(5),
                ..Second::default()
            })
            .collect();
        day[50_000].p99 = Some(77);
        day[9].sent = 1e9;
        let thin = series(&day);
        assert!(thin.len() <= MOST + 2, "{}", thin.len());
        assert_eq!(thin.last().unwrap().at, 86_400.0);
        assert_eq!(thin.iter().filter_map(|second| second.p99).max(), Some(77));
        assert!(thin.iter().filter(|second| !second.warm_up).all(|second| second.sent == 100.0));
    }

    #[test]
    fn half_a_minute_stays_as_it_is() {
        let short = crate::sample::single().steps[0].series.clone();
        assert_eq!(series(&short), short);
    }
}
