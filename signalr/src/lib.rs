//! A SignalR server for axum.
//!
//! From the wire inwards: [`transports`] carry bytes between a client and a [`Handler`]; a hub is the handler that
//! speaks the hub [`protocol`] in a [`conversation`], calls the methods of a [`Hub`], and reaches its [`Clients`]
//! through their [`Outbox`].

#![deny(missing_docs, unnameable_types)]

pub mod backplane;
mod clients;
mod clock;
pub mod conversation;
mod events;
mod hub;
pub mod message;
mod options;
mod outbox;
pub mod protocol;
pub mod transports;
pub mod typescript;
mod user;

pub use clients::{Clients, SendError, Target};
pub use events::{Event, EventArguments, Question};
pub use hub::registration;
pub use hub::{
    AskError, Binding, Call, Context, EventLine, Filter, Hub, HubError, HubServer, MethodLine, Methods, Next,
    Registered, Returned, Shutdown, Upload, UploadError,
};
pub use options::{Keys, Options};
pub use outbox::{Format, Outbox, PushError};
pub use transports::{Connection, ConnectionId, Handler};
pub use typescript::typescript;
pub use user::{Authenticate, Refused, User};

/// The quick start compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
