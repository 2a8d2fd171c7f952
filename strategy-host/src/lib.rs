//! The host, which runs any strategy on any transport, its ledgers, and the paper account.

#![deny(missing_docs, unnameable_types)]

pub mod host;
pub mod ledger;
pub mod market;
pub mod paper;
#[cfg(feature = "rabbitmq")]
pub mod run;
#[cfg(feature = "rabbitmq")]
pub mod status;
pub mod verify;
