//! Broker nodes: what they are given, against what they may be given. Only the management API says it, which need not
//! be enabled.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use broker::BrokerUrl;
use broker::management::{Management, ManagementError, NodeFacts};
use futures_util::future::join_all;
use gateway::hubs::payloads::NodeState;
use tick_feed::budget::Budget;
use tick_feed::budget::measured::{BUDGET_FILE, MeasuredBudget};
use tokio::time::Instant;

/// A broker renews its statistics about as often.
const EVERY: Duration = Duration::from_secs(4);
/// Where none of the nodes says anything, they are asked again after this time.
const SILENT: Duration = Duration::from_secs(30);

/// The nodes.
pub(super) struct Nodes {
    nodes: Vec<Node>,
    next: Mutex<Option<Instant>>,
}

struct Node {
    /// Host and port.
    address: String,
    management: Result<Management, ManagementError>,
    /// 0 for any number.
    budget: u64,
}

/// What was said of a node: messages a second, and whether it takes none.
type Said = (Option<f64>, Option<String>);

impl Nodes {
    /// The first is asked at this address, where there is one.
    pub(super) fn new(brokers: &[BrokerUrl], management: Option<&str>) -> Self {
        // The one that was measured for this machine, where it was.
        let measured = MeasuredBudget::read(Path::new(BUDGET_FILE)).ok().flatten();
        let budget = measured.map_or_else(Budget::default, |(budget, _)| budget);
        let node = |(place, url): (usize, &BrokerUrl)| Node {
            address: url.address(),
            management: match management.filter(|_| place == 0) {
                Some(address) => Management::at(address, url),
                None => Ok(Management::beside(url)),
            },
            budget: budget.rate(place).unwrap_or(0).into(),
        };
        Self { nodes: brokers.iter().enumerate().map(node).collect(), next: Mutex::default() }
    }

    /// How they are; `None` while what was last said stands.
    pub(super) async fn look(&self) -> Option<Vec<NodeState>> {
        let next = *self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.is_some_and(|next| Instant::now() < next) {
            return None;
        }
        let said = join_all(self.nodes.iter().map(Node::ask)).await;
        let rest = if said.iter().all(Option::is_none) { SILENT } else { EVERY };
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + rest);
        let nodes = self.nodes.iter().zip(said).map(|(node, said)| {
            let (messages_per_second, alarm) = said.unwrap_or_default();
            NodeState { node: node.address.clone(), messages_per_second, budget: node.budget, alarm }
        });
        Some(nodes.collect())
    }
}

impl Node {
    async fn ask(&self) -> Option<Said> {
        let asked = async {
            let management = self.management.as_ref().map_err(Clone::clone)?;
            let published = management.published().await?;
            let nodes = management.nodes().await?;
            let own = nodes.iter().find(|node| node.name == published.node);
            let per_second = match nodes.len() {
                0 | 1 => published.per_second,
                // Of a cluster the sum says nothing of one node.
                _ => management.published_by_node().await?.remove(&published.node),
            };
            Ok::<_, ManagementError>((per_second, alarm(&nodes, own)))
        };
        let said = asked.await;
        if let Err(error) = &said {
            tracing::debug!(node = self.address, %error, "what a broker node is given is not known");
        }
        said.ok()
    }
}

/// Why a node takes nothing: an alarm of one node blocks publishers at all of its cluster.
fn alarm(nodes: &[NodeFacts], own: Option<&NodeFacts>) -> Option<String> {
    let with = |what: fn(&NodeFacts) -> bool, text: &str| {
        let node = nodes.iter().find(|node| node.running && what(node))?;
        Some(match own {
            Some(own) if own.name == node.name => text.to_owned(),
            _ => format!("{text}, at {}", node.name),
        })
    };
    with(|node| node.memory_alarm, "it has too little memory")
        .or_else(|| with(|node| node.disk_alarm, "its disk is nearly full"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_of_any_node_blocks_all() {
        let node = |name: &str, memory_alarm, disk_alarm| NodeFacts {
            name: name.to_owned(),
            running: true,
            memory_alarm,
            disk_alarm,
        };
        let nodes = [node("a", false, false), node("b", false, true)];
        assert_eq!(alarm(&nodes, Some(&nodes[0])).as_deref(), Some("its disk is nearly full, at b"));
        assert_eq!(alarm(&nodes, Some(&nodes[1])).as_deref(), Some("its disk is nearly full"));
        assert_eq!(alarm(&nodes[..1], Some(&nodes[0])), None);
        let gone = NodeFacts { running: false, ..node("b", true, true) };
        assert_eq!(alarm(&[nodes[0].clone(), gone], Some(&nodes[0])), None);
    }
}
