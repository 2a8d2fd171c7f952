use proptest::prelude::*;

use super::demand::MESSAGE_BYTES;
use super::*;
use crate::budget::Budget;
use crate::shard_of;

fn brokers() -> Brokers {
    Brokers {
        budget: Budget::default(),
        ingester_ticks: 44e6,
        costs: NodeCosts { message_in: 11e-6, message_out: 9e-6, bytes_in: 2.2e9, bytes_out: 2.75e9 },
        replicas: 1,
        frame_bytes: 256e3,
        shard_ticks: 31.5e6,
        hop: 500e-6,
        headroom: 0.2,
    }
}

fn demand(ticks: f64, strategies: f64, keys: Vec<(String, f64)>) -> Demand {
    let keys = keys.into_iter().map(|(name, share)| Key::new(name, share)).collect();
    Demand { ticks, strategies, p99: None, shards: None, keys }
}

fn find(demand: &Demand, brokers: &Brokers) -> Plan {
    Plan::find(demand, brokers).expect("it can be planned")
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 0.01 * b.abs()
}

fn even(brokers: Brokers) -> Brokers {
    Brokers { budget: Budget::same(30_000), ..brokers }
}

fn used(plan: &Plan, resource: Resource) -> f64 {
    plan.part_used(resource).expect("it is planned")
}

#[test]
fn few_ticks_travel_alone_on_one_node() {
    let plan = find(&demand(5_000.0, 2.0, zipf(100, 1.0)), &brokers());
    assert!(plan.fits && plan.nodes.len() == 1);
    assert_eq!(plan.nodes[0].frame_ticks, 1.0);
    assert!(near(plan.nodes[0].messages, 10_000.0));
    assert!(plan.p99 < 2e-3, "{}", plan.p99);
}

#[test]
fn frames_grow_until_the_budget_carries_them() {
    let plan = Plan::with(&demand(1e6, 2.0, zipf(100, 1.0)), &brokers(), 1, 4);
    // 30,000 messages a second are 15,000 frames, of which heartbeats take 4.
    assert!(near(plan.nodes[0].frame_ticks, 1e6 / 15_000.0), "{}", plan.nodes[0].frame_ticks);
    assert!(near(plan.nodes[0].messages, 30_000.0));
    assert!(plan.nodes[0].least_messages < 400.0);
}

#[test]
fn bytes_bind_where_frames_are_large() {
    let fast = Brokers { ingester_ticks: 1e9, ..even(brokers()) };
    let plan = find(&demand(50e6, 4.0, zipf(10_000, 0.5)), &fast);
    assert!(plan.fits && plan.binding().resource == Resource::Bytes, "{:?}", plan.used);
    // A node takes 12.2M ticks/s for four strategies at the most, and a fifth of that stays unused.
    assert!((6..=8).contains(&plan.nodes.len()), "{}", plan.nodes.len());
    assert!(near(plan.nodes.iter().map(|node| node.ticks).sum(), 50e6));
    assert!(plan.nodes.iter().all(|node| node.ticks < 0.81 * 12.3e6));
}

#[test]
fn messages_bind_where_frames_are_small() {
    let costs = NodeCosts { message_in: 1e-7, message_out: 1e-6, ..brokers().costs };
    let small = Brokers { frame_bytes: MESSAGE_BYTES + TICK_BYTES, costs, ..brokers() };
    let plan = find(&demand(60_000.0, 1.0, zipf(1_000, 0.0)), &small);
    assert_eq!(plan.binding().resource, Resource::Messages);
    // 30,000 and 15,000 each for four more; a fifth of it stays unused.
    assert_eq!((plan.fits, plan.nodes.len()), (true, 5));
    let same = Brokers { budget: Budget::same(30_000), ..small };
    assert_eq!(find(&demand(60_000.0, 1.0, zipf(1_000, 0.0)), &same).nodes.len(), 3);
}

#[test]
fn one_busy_key_is_named_and_no_number_of_nodes_helps() {
    let keys = zipf(8, 2.0);
    let plan = find(&demand(50e6, 4.0, keys.clone()), &brokers());
    assert_eq!((plan.fits, plan.binding().resource), (false, Resource::Shard));
    assert_eq!(plan.hottest.first_key, "S00000");
    assert!(plan.nodes.len() < 10, "{} nodes are no better than fewer", plan.nodes.len());
}

#[test]
fn a_second_strategy_costs_a_node_less_than_the_first() {
    let used = |strategies| {
        let plan = Plan::with(&demand(10e6, strategies, zipf(1, 0.0)), &brokers(), 1, 1);
        used(&plan, Resource::Bytes)
    };
    assert!(used(2.0) < 1.5 * used(1.0));
    assert!(near(used(3.0) - used(2.0), used(2.0) - used(1.0)));
}

#[test]
fn more_than_one_ingester_takes_is_split_into_feeds_and_not_given_more_nodes() {
    let plan = |ticks| find(&demand(ticks, 1.0, zipf(10_000, 0.2)), &even(brokers()));
    let much = plan(80e6);
    assert_eq!((much.fits, much.binding().resource, much.feeds(&brokers())), (false, Resource::Ingester, 3));
    assert!(much.nodes_fit(&brokers()) && much.nodes.len() < 8, "{} nodes carry it", much.nodes.len());
    // What each of the three has to take fits.
    let third = plan(80e6 / 3.0);
    assert_eq!((third.fits, third.feeds(&brokers())), (true, 1));
    assert!(near(used(&third, Resource::Ingester), 80.0 / 3.0 / 44.0));
}

#[test]
fn a_wait_that_is_too_short_is_what_binds() {
    let short = Demand { p99: Some(100e-6), ..demand(1e6, 2.0, zipf(1_000, 0.0)) };
    let plan = find(&short, &brokers());
    assert_eq!((plan.fits, plan.binding().resource), (false, Resource::Latency));
    let long = Demand { p99: Some(5e-3), ..short };
    assert!(find(&long, &brokers()).fits);
}

#[test]
fn replicas_need_as_many_nodes_and_their_time() {
    let demand = demand(1e6, 2.0, zipf(1_000, 0.0));
    let plan = find(&demand, &Brokers { replicas: 3, ..brokers() });
    assert!(plan.nodes.len() >= 3);
    let one = Plan::with(&demand, &brokers(), 3, plan.shards);
    assert!(near(used(&plan, Resource::Bytes), 3.0 * used(&one, Resource::Bytes)));
}

#[test]
fn what_cannot_be_planned_is_an_error_that_says_why() {
    let possible = demand(1e6, 2.0, zipf(10, 0.0));
    let refused = |demand: Demand| Plan::find(&demand, &brokers()).expect_err("it is refused");
    assert_eq!(refused(Demand { ticks: 0.0, ..possible.clone() }), PlanError::InvalidRate(0.0));
    assert!(matches!(refused(Demand { ticks: f64::NAN, ..possible.clone() }), PlanError::InvalidRate(_)));
    assert_eq!(refused(Demand { strategies: 0.5, ..possible.clone() }), PlanError::InvalidStrategies(0.5));
    assert_eq!(refused(Demand { shards: Some(0), ..possible.clone() }), PlanError::NoShards);
    assert_eq!(refused(Demand { keys: Vec::new(), ..possible.clone() }), PlanError::NoTicks);
    assert_eq!(shares(vec![("A".to_owned(), 0.0)]), Err(PlanError::NoTicks));
    for replicas in [0, MAX_NODES + 1] {
        let error = Plan::find(&possible, &Brokers { replicas, ..brokers() }).expect_err("it is refused");
        assert_eq!(error, PlanError::InvalidReplicas { replicas, most: MAX_NODES });
    }
}

#[test]
fn replicated_frames_have_no_layout_of_independent_nodes() {
    let demand = demand(1e6, 2.0, zipf(100, 0.5));
    let placements = |replicas| {
        let layouts = layouts(&demand, &Brokers { replicas, ..brokers() }).expect("it can be planned");
        layouts.into_iter().map(|layout| layout.placement).collect::<Vec<_>>()
    };
    assert_eq!(placements(1), [Placement::OneCluster, Placement::IndependentNodes]);
    assert_eq!(placements(3), [Placement::OneCluster]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever is asked, a plan that fits keeps its promises, and every part is a number.
    #[test]
    fn a_plan_that_fits_keeps_within_everything(
        ticks in 1.0..1e8f64,
        strategies in 1..20u16,
        skew in 0.0..2.0f64,
        instruments in 1..60u32,
        shards in prop::option::of(1..100u16),
    ) {
        let demand = Demand { shards, ..demand(ticks, strategies.into(), zipf(instruments, skew)) };
        let plan = find(&demand, &brokers());
        let total: f64 = plan.nodes.iter().map(|node| node.ticks).sum();
        prop_assert!(near(total, ticks));
        prop_assert_eq!(shard_of(&plan.hottest.first_key, plan.shards), plan.hottest.shard);
        prop_assert!(plan.used.iter().all(|one| !one.used.is_nan()));
        prop_assert!(shards.is_none_or(|shards| shards == plan.shards));
        for node in &plan.nodes {
            prop_assert!(node.frame_ticks >= 1.0 && node.frame_ticks <= brokers().full());
            if plan.fits {
                prop_assert!(node.messages <= 1.001 * f64::from(node.budget.unwrap()));
                prop_assert!(node.busy <= 0.801);
            }
        }
    }
}
