//! What services say to each other: commands, events, and the envelope both travel in.
//!
//! A **command** is sent to exactly one endpoint, an **event** is published to whoever listens. They are
//! different kinds of [`Contract`], so that mixing them up does not compile:
//!
//! ```compile_fail
//! use tick_sdk::contracts::{Event, accounts::CreateUser};
//! fn publish<E: Event>(_: &E) {}
//! publish(&CreateUser { email: "a@b.c".into(), name: "A".into() }); // a command cannot be published
//! ```
//! ```compile_fail
//! use tick_sdk::contracts::{Command, accounts::UserDisabled};
//! fn send<C: Command>(_: &C) {}
//! send(&UserDisabled { user_id: Default::default() }); // an event cannot be sent
//! ```
//!
//! A **request** is answered at once with one of its answers, and leaves nothing behind. It is neither of both:
//!
//! ```compile_fail
//! use tick_sdk::contracts::{Command, bus::GetCommand};
//! fn send<C: Command>(_: &C) {}
//! send(&GetCommand { command_id: Default::default() }); // a request cannot be sent as a command
//! ```
//! ```compile_fail
//! use tick_sdk::contracts::{Event, bus::GetCommand};
//! fn publish<E: Event>(_: &E) {}
//! publish(&GetCommand { command_id: Default::default() }); // nor be published
//! ```
//! ```compile_fail
//! use tick_sdk::contracts::{AnswerTo, accounts::UserDisabled, bus::GetCommand};
//! fn answer<A: AnswerTo<GetCommand>>(_: &A) {}
//! answer(&UserDisabled { user_id: Default::default() }); // and only its own answers answer it
//! ```
//!
//! A contract's name and version are written down, never derived from Rust's names: both stay what they are
//! when a type is moved or renamed. Values are plain: text, numbers, lists; text constants instead of enums,
//! so that an older reader takes a newer value.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub mod accounts;
pub mod bus;
pub mod envelope;
mod ids;
mod known;
pub mod results;
pub mod strategies;
pub mod ticks;

pub use ids::{CommandId, ConversationId, InvalidId, MessageId};
pub use known::{KnownCommand, KnownEvent, KnownRequest, Normalize};

/// The namespace of every contract of Orchard, as .NET services know it.
pub const NAMESPACE: &str = "Orchard.Contracts";

/// What a contract is: [`CommandKind`], [`EventKind`], [`RequestKind`] or [`AnswerKind`].
pub trait Kind: sealed::Sealed {
    /// The marker interface that every contract of this kind carries on the wire, if there is one.
    const MARKER: Option<&'static str>;
    /// The property of the message that repeats the envelope's `correlationId`, where .NET services look for it.
    const ID_PROPERTY: Option<&'static str>;
}

/// Contracts that are sent to one endpoint.
#[derive(Debug)]
pub enum CommandKind {}
/// Contracts that are published to whoever listens.
#[derive(Debug)]
pub enum EventKind {}
/// Contracts that are answered.
#[derive(Debug)]
pub enum RequestKind {}
/// Contracts that answer a request.
#[derive(Debug)]
pub enum AnswerKind {}

impl Kind for CommandKind {
    const MARKER: Option<&'static str> = Some("ICommand");
    const ID_PROPERTY: Option<&'static str> = Some("commandId");
}
impl Kind for EventKind {
    const MARKER: Option<&'static str> = Some("IEvent");
    const ID_PROPERTY: Option<&'static str> = Some("correlationId");
}
impl Kind for RequestKind {
    const MARKER: Option<&'static str> = None;
    const ID_PROPERTY: Option<&'static str> = None;
}
impl Kind for AnswerKind {
    const MARKER: Option<&'static str> = None;
    const ID_PROPERTY: Option<&'static str> = None;
}

mod sealed {
    #[expect(unnameable_types, reason = "nobody else may make another kind")]
    pub trait Sealed {}
    impl Sealed for super::CommandKind {}
    impl Sealed for super::EventKind {}
    impl Sealed for super::RequestKind {}
    impl Sealed for super::AnswerKind {}
}

/// A message whose name, version and kind are fixed. Declared by [`command!`](crate::command),
/// [`event!`](crate::event) and [`request!`](crate::request).
pub trait Contract: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name within [`NAMESPACE`], as `StartReplay`.
    const NAME: &'static str;
    /// Raised when a reader of the version before could not read it.
    const VERSION: u32;
    /// What it is: a contract cannot be two of them.
    type Kind: Kind;
}

/// A wish that one endpoint carries out, or refuses with the reason.
pub trait Command: Contract<Kind = CommandKind> {
    /// The one endpoint that it is sent to: the name of the context that carries it out.
    const ENDPOINT: &'static str;
}

/// Something that has happened; it cannot be refused.
pub trait Event: Contract<Kind = EventKind> {
    /// The context whose log it is written to.
    const CONTEXT: &'static str;
}

/// A question that its endpoint answers at once, with one of its answers.
pub trait Request: Contract<Kind = RequestKind> {
    /// The endpoint that answers.
    const ENDPOINT: &'static str;
    /// The names of all that answers it.
    const ANSWERS: &'static [&'static str];
}

/// What answers the request `R`.
pub trait AnswerTo<R: Request>: Contract<Kind = AnswerKind> {}

/// Makes a type a [`Command`]: `command!(CreateUser, version 1, endpoint "accounts");`.
#[macro_export]
macro_rules! command {
    ($Type:ident, version $version:literal, endpoint $endpoint:expr) => {
        impl $crate::contracts::Contract for $Type {
            const NAME: &'static str = ::core::stringify!($Type);
            const VERSION: u32 = $version;
            type Kind = $crate::contracts::CommandKind;
        }
        impl $crate::contracts::Command for $Type {
            const ENDPOINT: &'static str = $endpoint;
        }
        $crate::inventory::submit! {
            $crate::contracts::KnownCommand {
                name: ::core::stringify!($Type),
                version: $version,
                endpoint: $endpoint,
                normalize: $crate::contracts::envelope::normalize::<$Type>,
            }
        }
    };
}

/// Makes a type an [`Event`]: `event!(UserCreated, version 1, context "accounts");`.
#[macro_export]
macro_rules! event {
    ($Type:ident, version $version:literal, context $context:expr) => {
        impl $crate::contracts::Contract for $Type {
            const NAME: &'static str = ::core::stringify!($Type);
            const VERSION: u32 = $version;
            type Kind = $crate::contracts::EventKind;
        }
        impl $crate::contracts::Event for $Type {
            const CONTEXT: &'static str = $context;
        }
        $crate::inventory::submit! {
            $crate::contracts::KnownEvent {
                name: ::core::stringify!($Type),
                version: $version,
                context: $context,
                normalize: $crate::contracts::envelope::normalize::<$Type>,
            }
        }
    };
}

/// Makes a type a [`Request`], and others its answers:
/// `request!(GetCommand, version 1, endpoint "commands", answers [CommandFound, CommandNotFound]);`.
#[macro_export]
macro_rules! request {
    ($Type:ident, version $version:literal, endpoint $endpoint:expr, answers [$($Answer:ident),+ $(,)?]) => {
        impl $crate::contracts::Contract for $Type {
            const NAME: &'static str = ::core::stringify!($Type);
            const VERSION: u32 = $version;
            type Kind = $crate::contracts::RequestKind;
        }
        impl $crate::contracts::Request for $Type {
            const ENDPOINT: &'static str = $endpoint;
            const ANSWERS: &'static [&'static str] = &[$(::core::stringify!($Answer)),+];
        }
        $(
            impl $crate::contracts::Contract for $Answer {
                const NAME: &'static str = ::core::stringify!($Answer);
                const VERSION: u32 = $version;
                type Kind = $crate::contracts::AnswerKind;
            }
            impl $crate::contracts::AnswerTo<$Type> for $Answer {}
        )+
        $crate::inventory::submit! {
            $crate::contracts::KnownRequest {
                name: ::core::stringify!($Type),
                version: $version,
                endpoint: $endpoint,
                answers: <$Type as $crate::contracts::Request>::ANSWERS,
                normalize: $crate::contracts::envelope::normalize::<$Type>,
            }
        }
    };
}
