//! The wire: what stands on a RabbitMQ broker, as MassTransit 8 writes and reads it.
//!
//! Nothing here does I/O, reads a clock or makes ids: bytes in, values out, and the other way round.
//! - A [`Reader`] says what a [`Delivery`] is: a command with its ids, a request, an event or a fault of others, a
//!   message for somebody else, or one that cannot be read, with the reason. What a command's inbox row keeps of it
//!   is its [`Original`].
//! - A [`Writer`] makes [`Publication`]s: events of a log, commands, requests and their answers, faults, and the
//!   copies for `_error` and `_skipped` queues.
//! - A [`Topology`] is the exchanges, queues and bindings that a program needs, and how a broker's differ.
//!   [`Target::topology`] is what must be declared before one publication.
//!
//! ```
//! use bus::wire::{Delivery, Home, Incoming, Properties, Reader};
//! use tick_sdk::contracts::CommandId;
//!
//! let body = br#"{"messageType": ["urn:message:Orchard.Contracts:GetCommand"], "message": {}}"#;
//! let delivery = Delivery { body: body.to_vec(), ..Delivery::default() };
//! match Reader::of_endpoint("accounts").read(delivery, CommandId::new()) {
//!     Incoming::Skipped(_) => {} // the accounts answer no requests: it goes to accounts_skipped
//!     other => panic!("{other:?}"),
//! }
//! ```
//!
//! `bus/WIRE.md` says what a .NET team must know; `bus/tests/recordings.rs` compares all of it with what a real
//! MassTransit wrote and read.

mod bytes;
mod delivery;
mod fault;
mod home;
mod incoming;
mod moved;
mod original;
mod properties;
mod publication;
mod raw;
mod reply;
mod target;
mod topology;
mod writer;

pub use bytes::InvalidBytes;
pub use delivery::{Delivery, Reader, Unreadable};
pub use fault::{Exception, Failure};
pub use home::Home;
pub use incoming::{Incoming, IncomingCommand, IncomingEvent, IncomingFault, IncomingRequest, LogPosition};
pub use moved::LONGEST_HEADER_TEXT;
pub use original::Original;
pub use properties::{Properties, Table, Value};
#[cfg(feature = "rabbitmq")]
pub(crate) use publication::CALLER;
pub use reply::ReplyError;
pub use target::{MovedTo, Publication, Target};
pub use topology::{
    Argument, Arguments, Binding, BoundTo, Difference, Exchange, InvalidDefinitions, Queue, QueueKind,
    Topology,
};
pub use writer::{Stamp, Writer};
