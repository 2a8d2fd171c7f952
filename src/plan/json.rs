//! A plan for machines: one object on one line; times in seconds, rates a second, parts of 1.

use serde_json::{Value, json};

use tick_feed::plan::{Demand, Layout, Node, Resource};

use super::show;

/// Everything that people are shown, and every node.
pub(super) fn plan(demand: &Demand, layouts: &[Layout]) -> String {
    let value = json!({
        "ticks_per_second": demand.ticks,
        "strategies": demand.strategies,
        "p99_seconds": demand.p99,
        "keys": demand.keys.len(),
        "layouts": layouts.iter().map(layout).collect::<Vec<_>>(),
    });
    format!("{value}\n")
}

fn layout(layout: &Layout) -> Value {
    let plan = &layout.plan;
    let binding = plan.binding();
    let hottest = &plan.hottest;
    let part = |resource| plan.part_used(resource).map(number);
    json!({
        "layout": show::placement(layout.placement),
        "fits": plan.fits,
        "feeds": plan.feeds(&layout.brokers),
        "nodes": plan.nodes.len(),
        "shards": plan.shards,
        "binding": name(binding.resource),
        "used": number(binding.used),
        "used_of_ingester": part(Resource::Ingester),
        "used_of_messages": part(Resource::Messages),
        "used_of_bytes": part(Resource::Bytes),
        "used_of_shard": part(Resource::Shard),
        "used_of_latency": part(Resource::Latency),
        "p99_seconds": number(plan.p99),
        "hottest_shard": {
            "shard": hottest.shard,
            "node": hottest.node,
            "share": hottest.share,
            "keys": hottest.keys,
            "first_key": hottest.first_key,
            "first_share": hottest.first_share,
            "most_ticks": number(hottest.most_ticks),
        },
        "by_node": plan.nodes.iter().map(node).collect::<Vec<_>>(),
    })
}

fn node(node: &Node) -> Value {
    json!({
        "budget": node.budget,
        "shards": node.shards,
        "ticks": node.ticks,
        "ticks_per_frame": node.frame_ticks,
        "messages": node.messages,
        "messages_of_full_frames": node.least_messages,
        "bytes_in": node.bytes_in,
        "bytes_out": node.bytes_out,
        "busy": node.busy,
        "p99_seconds": number(node.p99),
    })
}

fn name(resource: Resource) -> &'static str {
    match resource {
        Resource::Ingester => "ingester",
        Resource::Messages => "messages",
        Resource::Bytes => "bytes",
        Resource::Latency => "latency",
        Resource::Shard => "shard",
    }
}

/// JSON has no infinity: `null` is "without end".
fn number(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}
