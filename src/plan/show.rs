//! A plan for people.

use tick_feed::plan::{
    Brokers, Demand, Layout, MAX_NODES, Node, Placement, Plan, PlanError, Resource, TICK_BYTES, Use,
};

use super::PlanArgs;
use crate::duration::format_duration;
use crate::text::{bytes, counted, printable, table, thousands};

/// How many nodes are shown one by one.
const NODES: usize = 6;

/// What is asked, each layout beside the other, then each with its nodes and its hottest shard.
pub(super) fn plan(args: &PlanArgs, demand: &Demand, layouts: &[Layout]) -> Result<String, PlanError> {
    let mut text = asked(args, demand);
    text.push('\n');
    text.push_str(&side_by_side(demand, layouts));
    for layout in layouts {
        text.push('\n');
        text.push_str(&one(args, demand, layout)?);
    }
    Ok(text)
}

/// The name of a way of putting nodes together, for people and for machines.
pub(super) fn placement(placement: Placement) -> &'static str {
    match placement {
        Placement::OneCluster => "one cluster",
        Placement::IndependentNodes => "independent nodes",
    }
}

fn asked(args: &PlanArgs, demand: &Demand) -> String {
    let into = demand.ticks * TICK_BYTES;
    let source = match args.sources.files.as_slice() {
        [] => format!("Zipf {}", args.spread.skew),
        files => printable(&files.join(", ")),
    };
    let busiest = demand.keys.iter().max_by(|a, b| a.share.total_cmp(&b.share));
    let busiest = busiest.map_or(String::new(), |key| {
        format!("; the busiest, {}, has {} of the ticks", printable(&key.name), percent(key.share))
    });
    format!(
        "Demand   {} ticks/s to {}: {} in, {} out\nSpread   {} ({source}){busiest}\n",
        whole(demand.ticks),
        strategies(demand.strategies),
        per_second(into),
        per_second(into * demand.strategies),
        counted(demand.keys.len() as u64, key_noun(args)),
    )
}

fn side_by_side(demand: &Demand, layouts: &[Layout]) -> String {
    let mut rows = Vec::new();
    let mut row = |name: &str, cell: &dyn Fn(&Layout) -> String| {
        let mut cells = vec![name.to_owned()];
        cells.extend(layouts.iter().map(cell));
        rows.push(cells);
    };
    row("", &|layout| placement(layout.placement).to_owned());
    row("Nodes", &|layout| layout.plan.nodes.len().to_string());
    row("Shards", &|layout| layout.plan.shards.to_string());
    row("Ticks a frame", &|layout| range(&layout.plan, |node| node.frame_ticks));
    row("Messages/s, expected", &|layout| sum(&layout.plan, |node| node.messages));
    row("Messages/s, full frames", &|layout| sum(&layout.plan, |node| node.least_messages));
    row("Budget, messages/s", &|layout| match layout.plan.nodes[0].budget {
        Some(_) => sum(&layout.plan, |node| node.budget.map_or(0.0, f64::from)),
        None => "off".to_owned(),
    });
    row("p99 to a strategy", &|layout| wait(layout.plan.p99));
    let resources = [
        (Resource::Ingester, "Used of the ingester"),
        (Resource::Messages, "Used of messages"),
        (Resource::Bytes, "Used of a node's time"),
        (Resource::Shard, "Used of one shard's"),
        (Resource::Latency, "Used of the p99 allowed"),
    ];
    for (resource, name) in resources {
        if resource != Resource::Latency || demand.p99.is_some() {
            row(name, &|layout| layout.plan.part_used(resource).map_or(String::new(), percent));
        }
    }
    row("Binding", &|layout| name(layout.plan.binding().resource).to_owned());
    row("Carries up to, ticks/s", &|layout| match layout.plan.binding() {
        Use { resource: Resource::Latency, .. } => "-".to_owned(),
        Use { used, .. } => whole(demand.ticks / used),
    });
    row("Verdict", &|layout| verdict(&layout.plan).to_owned());
    table(&rows)
}

fn key_noun(args: &PlanArgs) -> &'static str {
    if args.spread.groups.is_some() { "group or instrument" } else { "instrument" }
}

fn strategies(count: f64) -> String {
    if count == 1.0 { "1 strategy".to_owned() } else { format!("{count} strategies") }
}

fn verdict(plan: &Plan) -> &'static str {
    if plan.fits {
        "fits"
    } else if plan.binding().used > 1.0 {
        "does not fit"
    } else {
        "too little headroom"
    }
}

/// One layout: its nodes, its hottest shard, and what follows.
fn one(args: &PlanArgs, demand: &Demand, layout: &Layout) -> Result<String, PlanError> {
    let Layout { brokers, plan, .. } = layout;
    let name = placement(layout.placement);
    let mut text = format!("{}{}\n", name[..1].to_uppercase(), &name[1..]);
    text.push_str(&nodes(plan));
    for line in hottest(demand, brokers, plan, key_noun(args)) {
        text.push_str(&format!("  {line}\n"));
    }
    for line in advice(demand, layout)? {
        text.push_str(&format!("  {line}\n"));
    }
    Ok(text)
}

fn nodes(plan: &Plan) -> String {
    let titles =
        ["  node", "shards", "ticks/s", "ticks a frame", "messages/s", "budget", "out", "busy", "p99"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    let row = |number: String, node: &Node| {
        vec![
            number,
            node.shards.to_string(),
            whole(node.ticks),
            whole(node.frame_ticks),
            whole(node.messages),
            node.budget.map_or_else(|| "off".to_owned(), |budget| thousands(budget.into())),
            per_second(node.bytes_out),
            percent(node.busy),
            wait(node.p99),
        ]
    };
    for (number, node) in plan.nodes.iter().take(NODES).enumerate() {
        rows.push(row(format!("  {}", number + 1), node));
    }
    let rest = plan.nodes.get(NODES..).unwrap_or_default();
    if let Some(busiest) = rest.iter().max_by(|a, b| a.busy.total_cmp(&b.busy)) {
        rows.push(row(format!("  max of {} more", rest.len()), busiest));
    }
    table(&rows)
}

fn hottest(demand: &Demand, brokers: &Brokers, plan: &Plan, noun: &str) -> Vec<String> {
    let hot = &plan.hottest;
    let even = hot.share * f64::from(plan.shards);
    let mut lines = vec![format!(
        "The most loaded shard is {}, on node {}: {} of the ticks, {even:.1} times an even share.",
        hot.shard,
        hot.node + 1,
        percent(hot.share)
    )];
    lines.push(format!(
        "It has {}, of which {} alone has {} of the ticks.",
        counted(hot.keys as u64, noun),
        printable(&hot.first_key),
        percent(hot.first_share)
    ));
    let ticks = hot.share * demand.ticks;
    lines.push(format!(
        "Its consumer of each strategy takes {} ticks/s, {} of what one takes.",
        whole(ticks),
        percent(ticks / brokers.shard_ticks)
    ));
    lines.push(format!(
        "However many nodes and feeds: up to {} ticks/s, as {}'s are in one shard on one node.",
        whole(hot.most_ticks),
        printable(&hot.first_key)
    ));
    lines
}

fn advice(demand: &Demand, layout: &Layout) -> Result<Vec<String>, PlanError> {
    let Layout { plan, brokers, .. } = layout;
    let mut lines = Vec::new();
    let Use { resource, used } = plan.binding();
    if !plan.nodes_fit(brokers) {
        let most = if demand.shards.is_some() { " with so many shards" } else { "" };
        lines.push(format!(
            "Nothing up to {MAX_NODES} nodes fits{most}; this comes closest: {} {} is used.",
            percent(used),
            of(resource)
        ));
    }
    if resource == Resource::Shard {
        let alone = plan.hottest.first_share >= 0.5 * plan.hottest.share;
        let advice = if alone {
            "Fewer strategies in one feed, or a faster node, raise that."
        } else {
            "More shards spread what is in it."
        };
        lines.push(advice.to_owned());
    }
    if resource == Resource::Latency {
        lines.push(
            "More nodes or fewer strategies make the wait shorter; so does a larger budget.".to_owned(),
        );
    }
    lines.extend(ingester(demand, layout));
    lines.extend(even_budget(demand, layout)?);
    Ok(lines)
}

/// Where the one ingester is what comes first, or is too slow.
fn ingester(demand: &Demand, layout: &Layout) -> Option<String> {
    let Layout { plan, brokers, .. } = layout;
    let feeds = plan.feeds(brokers);
    if feeds > 1 {
        let each = (demand.ticks / feeds as f64).ceil();
        return Some(format!(
            "One ingester is too few, and no node helps: split the instruments into {feeds} feeds, each with \
             an\n  ingester and nodes of its own. Then plan one: --ticks-per-second {each}."
        ));
    }
    let most = brokers.ingester_ticks * brokers.limit(Resource::Ingester);
    (plan.binding().resource == Resource::Ingester).then(|| {
        format!(
            "Beyond {} ticks/s split the instruments into several feeds, each with an ingester and\n  nodes of \
             its own: no node helps there.",
            whole(most)
        )
    })
}

/// Where bytes are what is short, and an even spread of the shards needs fewer nodes.
fn even_budget(demand: &Demand, layout: &Layout) -> Result<Option<String>, PlanError> {
    let even = layout.even_budget(demand)?;
    Ok(even.map(|even| {
        format!(
            "Shards follow the budget, and here bytes are what is short: with --budget {}, which spreads\n  them \
             evenly, {} would do.",
            even.messages,
            counted(even.nodes as u64, "node")
        )
    }))
}

fn name(resource: Resource) -> &'static str {
    match resource {
        Resource::Ingester => "ingester",
        Resource::Messages => "messages",
        Resource::Bytes => "bytes of a node",
        Resource::Latency => "latency",
        Resource::Shard => "one shard's share",
    }
}

fn of(resource: Resource) -> &'static str {
    match resource {
        Resource::Ingester => "of what one ingester takes",
        Resource::Messages => "of a node's messages",
        Resource::Bytes => "of a node's time",
        Resource::Latency => "of the wait that is allowed",
        Resource::Shard => "of what one shard can take",
    }
}

/// The smallest and the largest of all nodes with shards.
fn range(plan: &Plan, part: impl Fn(&Node) -> f64) -> String {
    let parts = || plan.nodes.iter().filter(|node| node.shards > 0).map(&part);
    let (least, most) = (parts().fold(f64::INFINITY, f64::min), parts().fold(0.0, f64::max));
    let (least, most) = (whole(least), whole(most));
    if least == most { most } else { format!("{least} to {most}") }
}

fn sum(plan: &Plan, part: impl Fn(&Node) -> f64) -> String {
    whole(plan.nodes.iter().map(part).sum())
}

fn whole(number: f64) -> String {
    if number.is_finite() { thousands(number.round() as u64) } else { "no end".to_owned() }
}

fn percent(part: f64) -> String {
    match part * 100.0 {
        part if !part.is_finite() || part > 10_000.0 => "far too much".to_owned(),
        part if part >= 10.0 || part == 0.0 => format!("{part:.0} %"),
        part => format!("{part:.1} %"),
    }
}

fn per_second(number: f64) -> String {
    format!("{}/s", bytes(number.round() as u64))
}

fn wait(seconds: f64) -> String {
    if seconds.is_finite() { format_duration((seconds * 1e9) as u64) } else { "no end".to_owned() }
}
