//! The commands: what each asks, and what it prints. What they do is in the libraries.

#[cfg(feature = "services")]
pub(crate) mod completions;
#[cfg(feature = "services")]
pub(crate) mod contracts;
#[cfg(feature = "services")]
pub(crate) mod ctl;
#[cfg(feature = "rabbitmq")]
pub(crate) mod errors;
pub(crate) mod replay;
pub(crate) mod report;
#[cfg(feature = "services")]
pub(crate) mod serve;
#[cfg(all(feature = "rabbitmq", feature = "services"))]
pub(crate) mod topology;
