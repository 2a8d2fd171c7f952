//! Why nothing can be planned.

use thiserror::Error;

/// What makes a plan impossible before anything is computed. A demand that no number of nodes carries is no
/// error: its plan says what runs out.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PlanError {
    /// There are no keys, or not one tick falls to any of them.
    #[error("there is not one tick to plan with: give a source with ticks, or a number of instruments")]
    NoTicks,
    /// The rate is not a number above 0.
    #[error("{0} ticks a second is not a rate: give one above 0")]
    InvalidRate(f64),
    /// The number of strategies is not at least 1.
    #[error("{0} is not a number of strategies: give at least 1")]
    InvalidStrategies(f64),
    /// The number of shards is 0.
    #[error("a feed has at least 1 shard: give a number above 0, or let the plan choose it")]
    NoShards,
    /// Each copy is to be on more nodes than a plan has, or on none.
    #[error("{replicas} copies of each frame cannot be planned: a plan has 1 to {most} nodes")]
    InvalidReplicas {
        /// How many nodes keep each copy.
        replicas: u16,
        /// The most nodes of any plan.
        most: u16,
    },
}
