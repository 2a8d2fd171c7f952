//! The ways of putting nodes together, each with what it comes to.

use super::demand::{Brokers, Demand, Resource};
use super::error::PlanError;
use super::search::Plan;
use crate::budget::Budget;

/// How the nodes of a feed know each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// One cluster, whose further nodes have smaller budgets, as they also carry what their peers' clients
    /// send and know all its queues.
    OneCluster,
    /// Nodes that know nothing of each other, each with a first node's budget.
    IndependentNodes,
}

/// One way of putting nodes together, with its plan.
#[derive(Clone, Debug)]
pub struct Layout {
    /// How the nodes know each other.
    pub placement: Placement,
    /// The nodes' abilities in this layout: its budget is the placement's.
    pub brokers: Brokers,
    /// What it comes to.
    pub plan: Plan,
}

/// A budget that spreads shards evenly, and the nodes that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvenBudget {
    /// Messages a second of every node.
    pub messages: u32,
    /// How many nodes fit with it.
    pub nodes: usize,
}

/// The plan for one cluster of `brokers`, and, where no frame is replicated (which needs a cluster), the plan
/// for independent nodes.
///
/// # Errors
/// Those of [`Plan::find`].
pub fn layouts(demand: &Demand, brokers: &Brokers) -> Result<Vec<Layout>, PlanError> {
    let mut layouts = vec![Layout::new(Placement::OneCluster, demand, brokers.clone())?];
    if brokers.replicas == 1 {
        let budget = brokers.budget.rate(0).map_or(Budget::OFF, Budget::same);
        let independent = Brokers { budget, ..brokers.clone() };
        layouts.push(Layout::new(Placement::IndependentNodes, demand, independent)?);
    }
    Ok(layouts)
}

impl Layout {
    fn new(placement: Placement, demand: &Demand, brokers: Brokers) -> Result<Self, PlanError> {
        Ok(Self { placement, plan: Plan::find(demand, &brokers)?, brokers })
    }

    /// An even budget that needs fewer nodes. Shards follow the budget, so a node with twice the budget has
    /// twice the bytes; where those are what is short, an even spread does with fewer.
    ///
    /// # Errors
    /// Those of [`Plan::find`].
    pub fn even_budget(&self, demand: &Demand) -> Result<Option<EvenBudget>, PlanError> {
        let Self { brokers, plan, .. } = self;
        let Some(least) = plan.nodes.iter().filter_map(|node| node.budget).min() else { return Ok(None) };
        let is_even = plan.nodes.iter().all(|node| node.budget == Some(least));
        if is_even || plan.binding().resource == Resource::Messages {
            return Ok(None);
        }
        let even = Plan::find(demand, &Brokers { budget: Budget::same(least), ..brokers.clone() })?;
        let is_better =
            even.nodes_fit(brokers) && (!plan.nodes_fit(brokers) || even.nodes.len() < plan.nodes.len());
        Ok(is_better.then_some(EvenBudget { messages: least, nodes: even.nodes.len() }))
    }
}
