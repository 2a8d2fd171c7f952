//! A typed client in TypeScript, generated from a hub.

mod client;
mod declarations;
mod layout;
mod messages;
mod names;
mod shape;
mod source;

pub use shape::{AnswerShape, Arguments, EventShape, HubShape, MethodShape, ParameterShape, QuestionShape, TypeShape};

use client::Client;

use crate::hub::{Hub, Methods};

/// The source of a client for this hub: its methods, streams, events and the types of what they carry.
pub fn typescript<H: Hub>() -> String {
    client(std::any::type_name::<H>(), &Methods::<H>::shape())
}

/// The source of a client for a hub of this Rust name.
pub fn client(rust_name: &str, shape: &HubShape) -> String {
    Client::new(rust_name, shape).source()
}
