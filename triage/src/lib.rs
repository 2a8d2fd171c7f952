//! Messages that failed, on a RabbitMQ broker: what lies in `_error` and `_skipped` queues, those of .NET services
//! (MassTransit's) included, and in the dead letters of feeds; and what becomes of it.
//!
//! [`Triage`] is one broker. It finds the queues, lists and shows what is in them, and requeues, moves or discards
//! what a [`Selection`] takes. Nothing is printed here.
//!
//! ```no_run
//! # async fn example() -> Result<(), triage::TriageError> {
//! use triage::{Names, Selection, Sight, Triage};
//!
//! let triage = Triage::open(&"amqp://guest:guest@localhost/%2f".parse()?, Sight::ManagementBeside).await?;
//! let found = triage.find(&Names::default()).await?;
//! for entry in triage.entries(&found.queues, &Selection::default()).await?.entries {
//!     println!("{} {}: {}", entry.queue, entry.id, entry.reason);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! **Looking changes nothing that counts.** Each message is got, which takes it off its queue until it is given
//! back, and only then is it known. A classic queue has it back in its place when the channel closes, and counts
//! nothing. A quorum queue counts every return, whether by reject, recover, a closed channel or a lost connection
//! (tried on RabbitMQ 3.10), and drops a message that came back more often than its delivery limit. So of what is
//! got from a quorum queue a copy with the same properties and body is published to the same queue and confirmed,
//! and then the original is acknowledged: its count begins anew, and its place is the queue's end. A message is held
//! for some milliseconds; only a process that is killed right then has it counted, once.
//!
//! **Nothing is lost.** What leaves a queue is first confirmed by another one, or synced to a file, and then
//! acknowledged. Whoever is killed in between leaves the message in both places, with the same message id.
//!
//! **Memory is bounded**: messages are looked at in pages of [`PAGE`] messages and [`PAGE_BYTES`] bytes.

#![deny(missing_docs, unnameable_types)]

mod action;
mod entry;
mod error;
mod filter;
mod queues;
mod reading;
mod record;
mod triage;
mod walk;

pub use action::{Acted, Action, Stayed};
pub use entry::{Details, Entry, Kind, Shown};
pub use error::TriageError;
pub use filter::{Filter, Selection};
pub use queues::{FailedQueue, Found, Names, Sight, Source};
pub use record::{Record, RecordError};
pub use triage::{Listed, Survey, Triage};
pub use walk::{PAGE, PAGE_BYTES};
