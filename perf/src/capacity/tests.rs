use proptest::prelude::*;
use tick_feed::budget::Budget;

use super::hosts::Hosts;
use super::ingester::Ingester;
use super::*;

/// Every tick that was due is processed, in flight, or with the ingester: counted one by one. Each
/// simulation in tests comes by here.
pub(super) fn check_conservation(ingester: &Ingester<'_>, hosts: &Hosts) {
    assert!(ingester.unsent() + ingester.sent() >= ingester.due());
    for (processed, waiting) in hosts.processed.iter().zip(hosts.waiting()) {
        assert_eq!(ingester.due(), processed + waiting + ingester.unsent());
    }
    assert_eq!(hosts.to_strategy.count(), hosts.processed.iter().sum::<u64>());
}

fn near(a: f64, b: f64, part: f64) -> bool {
    (a - b).abs() <= part * b.abs()
}

/// As `perf broker --rate` has it.
fn paced(rate: f64) -> Report {
    let scenario =
        Scenario { rate, instruments: 1, frame_bytes: 240_200.0, seconds: 1.0, ..Scenario::default() };
    simulation::simulate(&scenario)
}

#[test]
fn few_ticks_travel_alone() {
    let report = paced(5e3);
    assert!(near(report.ticks_per_frame, 1.0, 0.01), "{}", report.ticks_per_frame);
    assert!(near(report.messages_per_s, 5e3, 0.01), "{}", report.messages_per_s);
}

#[test]
fn at_measured_rates_frames_and_median_are_near_what_was_measured() {
    for (rate, frame, p50) in [(5e3, 1.0, 0.31e6), (30e3, 3.5, 0.41e6), (100e3, 10.3, 0.47e6)] {
        let report = paced(rate);
        assert!(near(report.ticks_per_frame, frame, 0.2), "{rate}: {}", report.ticks_per_frame);
        assert!(near(report.to_strategy.p50 as f64, p50, 0.5), "{rate}: {}", report.to_strategy.p50);
    }
}

#[test]
fn at_full_speed_a_node_is_as_fast_as_was_measured() {
    for (strategies, measured) in [(1, 28.4e6), (2, 19.7e6)] {
        let scenario =
            Scenario { rate: 60e6, strategies, frame_bytes: 327_880.0, seconds: 0.5, ..Scenario::default() };
        let report = simulation::simulate(&scenario);
        assert!(near(report.ticks_out_per_s, measured, 0.05), "{strategies}: {}", report.ticks_out_per_s);
        assert_eq!((report.binding, report.follows()), (Resource::Broker, false));
        assert!(report.ticks_per_frame > 8_000.0, "frames are full: {}", report.ticks_per_frame);
    }
}

#[test]
fn a_small_budget_makes_larger_frames_and_nothing_waits_longer_than_it_lingers() {
    let budget = |budget| Scenario { budget, seconds: 1.0, ..Scenario::default() };
    let report = simulation::simulate(&budget(Budget::same(1_000)));
    assert!(near(report.ticks_per_frame, 1_000.0, 0.05), "{}", report.ticks_per_frame);
    assert!(report.messages_per_s <= 1_010.0, "{}", report.messages_per_s);
    // 100 frames a second are too few for a linger of 5 ms: then ticks wait for messages.
    let report = simulation::simulate(&budget(Budget::same(100)));
    assert!(report.messages_per_s <= 102.0 && report.to_strategy.p50 > 4_000_000);
    let free = simulation::simulate(&budget(Budget::OFF));
    assert!(free.ticks_per_frame < 100.0 && free.to_strategy.max < 1_000_000);
}

#[test]
fn where_messages_are_short_even_shards_wait_equally() {
    let scenario = Scenario { shards: 4, strategies: 2, skew: 0.0, seconds: 1.0, ..Scenario::default() };
    let report = simulation::simulate(&scenario);
    assert!(near(report.messages_per_s, 30e3, 0.01), "all of the budget: {}", report.messages_per_s);
    assert!(report.to_strategy.p99 < 1_000_000, "{:?}", report.to_strategy);

    let market = market::Profile::new(&scenario);
    let feed = &market::spread(&scenario)[0];
    let mut hosts = Hosts::new(&scenario, market.end);
    let mut ingester = Ingester::new(&scenario, &market, feed);
    while ingester.look(&mut hosts) {}
    // A shard that sends as often as the others gathers for as long.
    let frames: Vec<_> = ingester.frames().collect();
    let (least, most) = (frames.iter().min().unwrap(), frames.iter().max().unwrap());
    assert!(near(*least as f64, *most as f64, 0.1), "{frames:?}");
}

#[test]
fn a_burst_waits_and_is_worked_off() {
    let scenario = Scenario {
        rate: 10e6,
        peak: 6.0,
        strategies: 2,
        shards: 4,
        frame_bytes: 327_880.0,
        seconds: 1.0,
        ..Scenario::default()
    };
    let report = simulation::simulate(&scenario);
    assert!(report.follows() && report.binding_use() > 1.0);
    assert!(report.backlog_max > 20 * report.backlog_end, "{} {}", report.backlog_max, report.backlog_end);
    assert!(report.to_strategy.max > 5 * report.to_strategy.p50);
}

#[test]
fn feeds_relieve_the_ingester_and_nodes_do_not() {
    let one =
        Scenario { rate: 60e6, shards: 16, nodes: 4, instances: 4, seconds: 0.1, ..Scenario::default() };
    let wide = Scenario { nodes: 8, ..one.clone() };
    let split = Scenario { feeds: 4, nodes: 1, shards: 4, instances: 1, ..one.clone() };
    assert_eq!(simulation::simulate(&one).binding, Resource::Ingester);
    assert_eq!(simulation::simulate(&wide).binding, Resource::Ingester);
    assert_ne!(simulation::simulate(&split).binding, Resource::Ingester);
}

#[test]
fn every_shard_has_one_instance_and_a_join_moves_only_the_shards_that_it_gets() {
    let scenario = |instances| Scenario { shards: 64, instances, ..Scenario::default() };
    let assigned = |instances| assignment::instance_by_shard(&scenario(instances));
    for instances in 1..6u16 {
        let shards = assignment::shards_by_instance(&scenario(instances));
        assert_eq!(shards.iter().map(|shards| shards.len()).sum::<usize>(), 64);
        for (before, after) in assigned(instances).into_iter().zip(assigned(instances + 1)) {
            assert!(before == after || after == usize::from(instances), "{before} gave a shard to {after}");
        }
    }
}

#[test]
fn a_host_needs_as_much_as_the_shards_that_it_is_assigned() {
    // One shard cannot be shared, so a second instance takes nothing from the first.
    let need = |shards: u16, instances: u16| {
        let spread = market::FeedSpread { shards: vec![1.0 / f64::from(shards); shards.into()], first: 1e-3 };
        let scenario = Scenario { shards, instances, ..Scenario::default() };
        let host = Resource::ALL.iter().position(|one| *one == Resource::Host).unwrap();
        need::needed(&scenario, &spread, 1e6)[host]
    };
    assert_eq!(need(1, 2), need(1, 1));
    let most = assignment::shards_by_instance(&Scenario { shards: 16, instances: 4, ..Scenario::default() })
        .iter()
        .map(|shards| shards.len())
        .max()
        .unwrap();
    assert!(near(need(16, 4), need(16, 1) * most as f64 / 16.0, 1e-9), "{most} shards of 16");
}

#[test]
fn what_contradicts_itself_is_refused_with_advice() {
    let refused = |scenario: Scenario| capacity(&scenario).expect_err("it is refused").to_string();
    assert!(refused(Scenario { rate: 1e12, ..Scenario::default() }).contains("lower --duration"));
    assert!(refused(Scenario { rate: 1e-3, seconds: 1.0, ..Scenario::default() }).contains("raise"));
    assert!(refused(Scenario { frame_bytes: 100.0, ..Scenario::default() }).contains("--frame-bytes"));
    let full = Scenario { peak: 2.0, burst_share: 1.0, ..Scenario::default() };
    assert!(refused(full).contains("--burst-share"));
}

prop_compose! {
    fn scenarios()(
        (rate, peak, seconds) in (1e2..3e6f64, 1.0..20.0f64, 0.02..0.2f64),
        (instruments, skew) in (1..300u32, 0.0..2.0f64),
        (feeds, shards, nodes) in (1..4u16, 1..9u16, 1..5u16),
        (strategies, instances) in (1..4u16, 1..4u16),
        (budget, frame, seed) in (0..40_000u32, 240.0..100e3f64, any::<u64>()),
        day in any::<bool>(),
    ) -> Scenario {
        let budget = if budget < 1_000 { Budget::OFF } else { Budget::same(budget) };
        Scenario {
            rate, peak, day, seconds, instruments, skew, feeds, shards, nodes, strategies, instances, budget,
            frame_bytes: frame, seed, burst: 5_000_000, ..Scenario::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Ticks in are ticks out and backlog (and one by one, in [`check_conservation`]); nothing works
    /// for more than all of its time.
    #[test]
    fn nothing_is_lost_and_nothing_is_busier_than_busy(scenario in scenarios()) {
        let report = simulation::simulate(&scenario);
        prop_assert_eq!(report.ticks_in, report.ticks_out + report.backlog_end);
        prop_assert!(report.backlog_max >= report.backlog_end);
        for one in &report.uses {
            prop_assert!(one.peak.is_none_or(|peak| (0.0..=1.0).contains(&peak)), "{one:?}");
            let is_time = one.peak.is_some();
            prop_assert!(!is_time || (0.0..=1.0).contains(&one.mean), "{one:?}");
            prop_assert!(one.needed_mean <= one.needed_peak * 1.000_001, "{one:?}");
        }
    }

    #[test]
    fn a_seed_decides_everything(scenario in scenarios()) {
        prop_assert_eq!(simulation::simulate(&scenario), simulation::simulate(&scenario));
    }

    /// Where ticks are even over shards; where they are not, another number of nodes may put the
    /// busiest shards together. Twice as many nodes have at most the load that they had, as places
    /// follow budgets.
    #[test]
    fn more_nodes_never_need_more(rate in 1e5..1e8f64, doublings in 1..4u32, strategies in 1..5u16) {
        let spread = market::FeedSpread { shards: vec![1.0 / 64.0; 64], first: 1e-3 };
        let scenario = |nodes| Scenario {
            rate, strategies, nodes, shards: 64, budget: Budget::same(30_000), ..Scenario::default()
        };
        let most = |nodes| {
            let needed = need::needed(&scenario(nodes), &spread, rate);
            needed.iter().copied().fold(0.0, f64::max)
        };
        for power in 0..doublings {
            prop_assert!(most(2 << power) <= most(1 << power));
        }
        for nodes in 1..20 {
            prop_assert!(most(nodes + 1) <= most(nodes) * (1.0 + 1e-9), "{nodes}");
        }
    }
}
