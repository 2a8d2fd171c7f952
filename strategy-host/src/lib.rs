//! The host, which runs any strategy on any transport, its ledgers, and the paper account; with the feature
//! `services` also the context `strategies`: deployments, and what runs commit as events.

#![deny(missing_docs, unnameable_types)]

#[cfg(feature = "services")]
pub mod deployments;
pub mod host;
#[cfg(feature = "rabbitmq")]
pub mod hosts;
pub mod ledger;
pub mod market;
pub mod paper;
#[cfg(feature = "services")]
pub mod publishing;
#[cfg(feature = "rabbitmq")]
pub mod run;
#[cfg(feature = "rabbitmq")]
pub mod status;
pub mod verify;
