//! How many broker nodes and shards a feed needs, and what runs out first: a model of a node's messages,
//! its time, and a tick's wait. Pure: no clock, no I/O.
//!
//! A node is busy for some time with each frame that it takes and with each copy that it delivers, and
//! for some time with each byte of both. It may be given so many messages a second, its budget. A
//! shard is on one node, so its messages and bytes are that node's. Frames are as small as the budget
//! allows, then as a node's time allows, then full. All ticks of a feed pass one ingester, which no
//! number of nodes relieves. Rates are a second, times in seconds.
//!
//! ```
//! use tick_feed::budget::Budget;
//! use tick_feed::plan::{Brokers, Demand, NodeCosts, Plan, PlanError, Resource, keys, zipf};
//! use tick_sdk::groups::Groups;
//!
//! # fn main() -> Result<(), PlanError> {
//! let demand = Demand {
//!     ticks: 5e6,
//!     strategies: 2.0,
//!     p99: None,
//!     shards: None,
//!     keys: keys(&zipf(10_000, 0.8), &Groups::default()),
//! };
//! let brokers = Brokers {
//!     budget: Budget::default(),
//!     ingester_ticks: 44e6,
//!     costs: NodeCosts { message_in: 11e-6, message_out: 9e-6, bytes_in: 2.2e9, bytes_out: 2.75e9 },
//!     replicas: 1,
//!     frame_bytes: 524_288.0,
//!     shard_ticks: 31.5e6,
//!     hop: 500e-6,
//!     headroom: 0.2,
//! };
//! let plan = Plan::find(&demand, &brokers)?;
//! assert!(plan.fits);
//! assert_eq!(plan.nodes.len(), 1);
//! assert_eq!(plan.binding().resource, Resource::Bytes);
//! # Ok(())
//! # }
//! ```

mod demand;
mod error;
mod layout;
mod node;
mod search;
mod spread;
#[cfg(test)]
mod tests;

pub use demand::{Brokers, Demand, NodeCosts, Resource, TICK_BYTES};
pub use error::PlanError;
pub use layout::{EvenBudget, Layout, Placement, layouts};
pub use node::Node;
pub use search::{Hottest, MAX_NODES, Plan, Use};
pub use spread::{Key, keys, shares, zipf};
