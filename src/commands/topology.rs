//! `orchard topology`: what Orchard's endpoints need on a broker, and what is there.

use std::io::Write;

use anyhow::{Context, Result};
use broker::BrokerUrl;
use bus::wire::{Difference, QueueKind, Topology};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tick_feed::rabbitmq::event_loop;

use crate::ended::Ended;
use crate::text::{counted, printable};
use crate::topology::{self, Found, Seen};

/// Options of `orchard topology`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct TopologyArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Name what is missing or differs, and what comes of it; declares nothing
    Check(WhereArgs),
    /// Declare what is missing; what exists is neither declared again nor deleted
    Deploy(WhereArgs),
    /// What is wanted and what is there, side by side
    Diff(WhereArgs),
}

#[derive(Debug, Args)]
struct WhereArgs {
    /// The broker
    #[arg(long, alias = "broker", value_name = "URL")]
    url: BrokerUrl,
    /// Its management API, without which types, arguments and bindings cannot be seen; `none` to do without
    /// [default: port 15672 of its host]
    #[arg(long, value_name = "URL")]
    management: Option<String>,
    /// Only this endpoint [default: all of Orchard's]
    #[arg(long, value_name = "NAME")]
    endpoint: Vec<String>,
    /// What the endpoints' queues are: classic, quorum, or quorum:MEMBERS
    #[arg(long, value_name = "TYPE", default_value = "classic", value_parser = parse_queues)]
    queues: QueueKind,
    /// JSON on one line
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
An endpoint is an exchange and a queue of its name; each of its commands has an exchange bound to it, as
MassTransit declares them. What exists and differs is used as it is. A .NET service that declares it otherwise
does not start, and its `Send` to `queue:NAME`, which declares NAME as a classic queue without arguments, never
returns where that is another: have .NET services send to `exchange:NAME`, and deploy this topology first.

Examples:
  orchard topology check --url amqp://guest:guest@localhost:5672/%2f
  orchard topology deploy --queues quorum --url amqp://…
  orchard topology diff --endpoint accounts --url amqp://…

Exit codes: 0 all is as wanted, 1 something differs or failed, 2 wrong usage.";

fn parse_queues(text: &str) -> Result<QueueKind, String> {
    match text.split_once(':').unwrap_or((text, "")) {
        ("classic", "") => Ok(QueueKind::Classic),
        ("quorum", "") => Ok(QueueKind::Quorum { members: None }),
        ("quorum", members) if members.parse().is_ok_and(|members: u32| members > 0) => {
            Ok(QueueKind::Quorum { members: members.parse().ok() })
        }
        _ => Err("write classic, quorum, or quorum:MEMBERS".to_owned()),
    }
}

pub(crate) fn run(args: TopologyArgs) -> Result<Ended> {
    event_loop()?.block_on(act(args.action))
}

async fn act(action: Action) -> Result<Ended> {
    let (Action::Check(place) | Action::Deploy(place) | Action::Diff(place)) = &action;
    let wanted = topology::wanted(&place.endpoint, place.queues);
    let connection = topology::connect(&place.url).await?;
    let declared = match action {
        Action::Deploy(_) => topology::deploy(&connection, &wanted).await?,
        Action::Check(_) | Action::Diff(_) => Vec::new(),
    };
    let found = topology::look(&connection, place.management.as_deref(), &wanted).await?;
    connection.close().await?;
    let differences = topology::differences(&wanted, &found.topology);
    let text = match (&action, place.json) {
        (_, true) => format!("{}\n", json_of(&declared, &found, &differences)),
        (Action::Diff(_), _) => both_sides(&wanted, &found),
        (Action::Check(_) | Action::Deploy(_), _) => advice(&declared, &wanted, &found, &differences),
    };
    crate::stdout::stdout().write_all(text.as_bytes()).context("writing to standard output")?;
    if differences.is_empty() {
        return Ok(Ended::Done);
    }
    let (count, verb) = (counted(differences.len() as u64, "difference"), "from what is wanted");
    Err(anyhow::anyhow!("{count} {verb}"))
}

/// What was declared, what differs and what to do.
fn advice(declared: &[String], wanted: &Topology, found: &Found, differences: &[Difference]) -> String {
    let mut text = String::new();
    for what in declared {
        text.push_str(&format!("declared {}\n", printable(what)));
    }
    for Difference { what, wanted, found, advice, .. } in differences {
        text.push_str(&format!(
            "{}\n  wanted: {}\n  found:  {}\n  {}\n",
            printable(what),
            printable(wanted),
            printable(found),
            printable(advice)
        ));
    }
    if differences.is_empty() {
        text.push_str(&format!(
            "{}, {} and {} are as wanted\n",
            counted(wanted.exchanges.len() as u64, "exchange"),
            counted(wanted.queues.len() as u64, "queue"),
            counted(wanted.bindings.len() as u64, "binding")
        ));
    }
    text.push_str(&unseen(&found.seen));
    text
}

/// Everything that is wanted, and what it is: ` ` as wanted, `-` wanted and not so, `+` found instead.
fn both_sides(wanted: &Topology, found: &Found) -> String {
    let mut text = format!("--- wanted\n+++ {}\n", printable(&seen_by(&found.seen)));
    let lines = |topology: &Topology| {
        let exchanges =
            topology.exchanges.iter().map(|(name, exchange)| format!("exchange {name}: {exchange}"));
        let queues = topology.queues.iter().map(|(name, queue)| format!("queue {name}: {queue}"));
        let bindings = topology.bindings.iter().map(ToString::to_string);
        exchanges.chain(queues).chain(bindings).collect::<Vec<_>>()
    };
    let (wanted, there) = (lines(wanted), lines(&found.topology));
    for line in &wanted {
        let mark = if there.contains(line) { ' ' } else { '-' };
        text.push_str(&format!("{mark} {}\n", printable(line)));
    }
    for line in there.iter().filter(|line| !wanted.contains(line)) {
        text.push_str(&format!("+ {}\n", printable(line)));
    }
    text.push_str(&unseen(&found.seen));
    text
}

fn seen_by(seen: &Seen) -> String {
    match seen {
        Seen::Management(address) => format!("found by the management API at {address}"),
        Seen::Passive(_) => "found by passive declarations".to_owned(),
    }
}

fn unseen(seen: &Seen) -> String {
    match seen {
        Seen::Management(_) => String::new(),
        Seen::Passive(why) => format!(
            "only what exists was seen: types, arguments and bindings are known to the management API alone\n  {}\n",
            printable(why.lines().next().unwrap_or_default())
        ),
    }
}

fn json_of(declared: &[String], found: &Found, differences: &[Difference]) -> Value {
    let differences: Vec<_> = differences
        .iter()
        .map(|difference| {
            json!({
                "what": difference.what, "wanted": difference.wanted, "found": difference.found,
                "advice": difference.advice, "isAbsent": difference.is_absent,
            })
        })
        .collect();
    let sees_all = matches!(found.seen, Seen::Management(_));
    json!({ "declared": declared, "differences": differences, "seesAll": sees_all, "seenBy": seen_by(&found.seen) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_types_are_read() {
        assert_eq!(parse_queues("classic"), Ok(QueueKind::Classic));
        assert_eq!(parse_queues("quorum"), Ok(QueueKind::Quorum { members: None }));
        assert_eq!(parse_queues("quorum:3"), Ok(QueueKind::Quorum { members: Some(3) }));
        for wrong in ["", "classic:1", "quorum:0", "quorum:x", "stream"] {
            assert!(parse_queues(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn both_sides_are_shown_and_what_cannot_be_seen_is_said() {
        let wanted = Topology::of(&["nobody"], QueueKind::Quorum { members: None });
        let there = Topology::of(&["nobody"], QueueKind::Classic);
        let found = Found { topology: there, seen: Seen::Passive("refused\nmore".to_owned()) };
        let expected = "\
--- wanted
+++ found by passive declarations
  exchange nobody: fanout, durable
- queue nobody: quorum, durable, x-queue-type=quorum
  binding of nobody to queue nobody
+ queue nobody: classic, durable
only what exists was seen: types, arguments and bindings are known to the management API alone
  refused
";
        assert_eq!(both_sides(&wanted, &found), expected);
        let differences = topology::differences(&wanted, &found.topology);
        let text = advice(&[], &wanted, &found, &differences);
        assert!(text.contains("never returns"), "{text}");
    }
}
