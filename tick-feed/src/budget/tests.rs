use proptest::prelude::*;

use super::*;

fn budget(text: &str) -> Budget {
    text.parse().unwrap()
}

#[test]
fn the_last_number_stands_for_all_further_nodes() {
    let rates = |text, nodes| (0..nodes).map(|node| budget(text).rate(node)).collect::<Vec<_>>();
    assert_eq!(rates("30000,15000", 3), [Some(30_000), Some(15_000), Some(15_000)]);
    assert_eq!(rates("20000", 2), [Some(20_000), Some(20_000)]);
    assert_eq!(rates("30000, 15000,20000", 4)[2..], [Some(20_000), Some(20_000)]);
    assert_eq!(rates("off", 1), [None]);
    assert_eq!(budget("off").weights(2), [1, 1]);
    assert_eq!(budget("30000,15000"), Budget::default());
    assert_eq!(budget("30K,15K"), Budget::default());
    for text in ["off", "30000,15000", "1"] {
        assert_eq!(budget(text).to_string(), text);
    }
    for wrong in ["", "0", "30000,", "-1", "1.5", "on", "99999999999"] {
        assert!(wrong.parse::<Budget>().unwrap_err().contains("30000,15000"), "{wrong}");
    }
}

#[test]
fn a_bucket_begins_full_and_fills_up_no_further() {
    let later = Duration::from_secs(5);
    let mut bucket = TokenBucket::new(Some(30_000), later);
    for _ in 0..300 {
        assert!(bucket.available(later, 1));
        bucket.take(later, 1);
    }
    assert_eq!(bucket.delay(later, 3), Duration::from_micros(100));
    let hour = later + Duration::from_secs(3600);
    bucket.take(hour, 300);
    assert!(!bucket.available(hour, 1));
}

#[test]
fn what_costs_more_than_the_burst_goes_when_the_bucket_is_full() {
    let mut bucket = TokenBucket::new(Some(1_000), Duration::ZERO);
    assert!(bucket.available(Duration::ZERO, 100));
    bucket.take(Duration::ZERO, 100);
    assert_eq!(bucket.delay(Duration::ZERO, 100), Duration::from_millis(100));
}

#[test]
fn without_a_limit_nothing_waits() {
    let mut bucket = TokenBucket::new(None, Duration::ZERO);
    bucket.take(Duration::ZERO, u32::MAX);
    assert_eq!(bucket.delay(Duration::ZERO, u32::MAX), Duration::ZERO);
}

/// Moments in ns with a cost each, in order.
fn requests() -> impl Strategy<Value = Vec<(u64, u32)>> {
    let step = prop_oneof![Just(0), 0..100_000u64, 0..50_000_000u64];
    prop::collection::vec((step, 1..40u32), 1..60).prop_map(|steps| {
        let mut now = 0;
        let at = |(step, cost)| {
            now += step;
            (now, cost)
        };
        steps.into_iter().map(at).collect()
    })
}

proptest! {
    /// Requests that wait for their turn are within the rate and one burst over every stretch of time.
    #[test]
    fn no_stretch_of_time_has_more_than_its_rate_and_one_burst(rate in 1..100_000u32, requests in requests()) {
        let mut bucket = TokenBucket::new(Some(rate), Duration::ZERO);
        let mut taken = Vec::new();
        for (now, cost) in requests {
            if bucket.available(Duration::from_nanos(now), cost) {
                bucket.take(Duration::from_nanos(now), cost);
                taken.push((now, cost));
            }
        }
        let most = taken.iter().map(|(_, cost)| i128::from(*cost) * BILLION).max().unwrap_or(0);
        for first in 0..taken.len() {
            let mut sum = 0;
            for (now, cost) in &taken[first..] {
                sum += i128::from(*cost) * BILLION;
                let span = i128::from(now - taken[first].0);
                prop_assert!(sum <= span * i128::from(rate) + bucket.burst.max(most));
            }
        }
    }

    /// Debt is paid: all that was taken, with or without a wait, is within the rate once it is paid.
    #[test]
    fn debt_is_paid_before_anything_else_leaves(rate in 1..100_000u32, requests in requests()) {
        let mut bucket = TokenBucket::new(Some(rate), Duration::ZERO);
        let mut sum = 0;
        for (now, cost) in requests {
            let before = sum;
            sum += i128::from(cost) * BILLION;
            if bucket.available(Duration::from_nanos(now), 1) {
                prop_assert!(before <= i128::from(now) * i128::from(rate) + bucket.burst);
            }
            bucket.take(Duration::from_nanos(now), cost);
        }
    }

    /// After the delay it is there, and a nanosecond earlier it was not.
    #[test]
    fn the_delay_is_exact(rate in 1..100_000u32, requests in requests(), cost in 1..2_000u32) {
        let mut bucket = TokenBucket::new(Some(rate), Duration::ZERO);
        let mut last = Duration::ZERO;
        for (now, cost) in requests {
            last = Duration::from_nanos(now);
            bucket.take(last, cost);
        }
        let delay = bucket.delay(last, cost);
        prop_assert!(bucket.available(last + delay, cost));
        if let Some(earlier) = delay.checked_sub(Duration::from_nanos(1)) {
            prop_assert!(!bucket.available(last + earlier, cost));
        }
    }

    /// Each node has its share of the shards, to the next whole number, and not in one lump.
    #[test]
    fn shards_are_placed_in_proportion_and_spread(
        shards in 1..300u16,
        weights in prop::collection::vec(0..50_000u32, 1..6),
    ) {
        let places = place_shards(shards, &weights);
        prop_assert_eq!(places.len(), usize::from(shards));
        let total: u32 = weights.iter().sum();
        prop_assume!(total > 0);
        for (node, weight) in weights.iter().enumerate() {
            let share = f64::from(*weight) / f64::from(total);
            let mut count = 0.0;
            for (shard, place) in places.iter().enumerate() {
                count += f64::from(u8::from(usize::from(*place) == node));
                let off = count - share * (shard + 1) as f64;
                prop_assert!(off.abs() < 1.0 + weights.len() as f64, "node {} is {} off", node, off);
            }
            prop_assert!((count - share * f64::from(shards)).abs() < 1.0);
        }
    }
}

#[test]
fn places_are_the_same_for_ever() {
    assert_eq!(place_shards(4, &[30_000]), [0, 0, 0, 0]);
    assert_eq!(place_shards(4, &[30_000, 15_000]), [0, 0, 1, 0]);
    assert_eq!(place_shards(8, &[30_000, 15_000, 15_000]), [0, 1, 2, 0, 0, 1, 2, 0]);
    assert_eq!(place_shards(2, &[1, 1, 1]), [0, 1]);
    assert_eq!(place_shards(3, &[]), [0, 0, 0]);
    assert_eq!(place_shards(0, &[1]), [0u16; 0]);
}
