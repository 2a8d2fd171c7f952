//! The gateway: commands come in over HTTP and are answered before the work is done; reads come from documents that
//! projections make of events, and from nothing else.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # async fn serve(bus: Arc<bus::Bus>) -> Result<(), gateway::GatewayError> {
//! use gateway::{DocumentPlace, Gateway, GatewayOptions};
//!
//! let options = GatewayOptions { documents: DocumentPlace::File("state/read.sqlite".into()), ..GatewayOptions::default() };
//! let gateway = Gateway::start(bus, options).await?;
//! println!("http://{}", gateway.local_addr());
//! gateway.shutdown(std::time::Duration::from_secs(10)).await;
//! # Ok(())
//! # }
//! ```

#![deny(missing_docs, unnameable_types)]

mod captures;
pub mod documents;
mod http;
pub mod hubs;
mod instant;
mod keeper;
mod lookup;
pub mod projections;
mod reports;
mod serve;
mod ticks;

pub use captures::Captures;
pub use http::{ApiKey, FailedMessages, GatewayState, InvalidKeyHash, Limits, RateLimit, router};
pub use keeper::DocumentKeeper;
pub use lookup::CommandLookup;
pub use projections::{RebuildReport, rebuild};
pub use reports::ReportLookup;
pub use serve::{DocumentPlace, Gateway, GatewayError, GatewayOptions};
pub use ticks::{CandlesAsked, FoundCandles, LookupError, TickLookup, TicksAsked};

#[doc(hidden)]
pub use inventory;
