//! A ledger in a PostgreSQL database, for members on several machines: one transaction and one round
//! trip a commit, whatever the number of lanes.
//!
//! [`PostgresStore`] is for async code; [`PostgresLedger`] is a thread around one, for a host.

mod client;
mod lane;
mod ledger;
mod members;
mod name;
mod runs;
mod schema;
mod store;

pub use ledger::PostgresLedger;
pub use store::PostgresStore;

#[cfg(test)]
mod tests;
