//! A typed client in TypeScript, generated from a hub.

mod client;
mod declarations;
mod layout;
mod messages;
mod names;
mod shape;
mod source;

use std::any::type_name;

pub(crate) use shape::named;
pub use shape::{
    AnswerShape, Arguments, EventShape, HubShape, MethodShape, ParameterShape, QuestionShape, TypeShape,
};

use client::Client;

use crate::hub::{Hub, Methods};

/// The source of a client for this hub: its methods, streams, uploads, events and questions with their types, and the types
/// that they carry, with what their Rust declarations say about them.
///
/// It is a class around a connection of `@microsoft/signalr` 8 or later, which it imports only types from: how the
/// connection is built, started and kept is the application's. Nothing in it is `any`, and it passes the compiler at its
/// strictest.
///
/// ```
/// # use std::sync::Arc;
/// use signalr::{Context, Event, Hub, Methods};
///
/// static SAID: Event<(String, String)> = Event::new("Said", &["user", "text"]);
///
/// struct ChatHub;
///
/// impl Hub for ChatHub {
///     fn register(methods: &mut Methods<Self>) {
///         methods.call("Say", ["text"], ChatHub::say).docs("Says it to everyone.");
///         methods.event(&SAID);
///     }
/// }
///
/// impl ChatHub {
///     async fn say(self: Arc<Self>, context: Context, text: String) {}
/// }
///
/// let source = signalr::typescript::<ChatHub>();
/// assert!(source.contains("export class ChatClient {"));
/// assert!(source.contains("say(text: string): Promise<void> {"));
/// assert!(source.contains("Said: (user: string, text: string) => void;"));
/// ```
///
/// A page then says, and cannot say it wrongly:
///
/// ```ts
/// const client = new ChatClient(connection);
/// client.on("Said", (user, text) => show(`${user}: ${text}`));
/// await connection.start();
/// await client.say("hello");
/// ```
///
/// A test that compares it with a file of the page's source keeps both together:
///
/// ```no_run
/// # struct ChatHub;
/// # impl signalr::Hub for ChatHub { fn register(_: &mut signalr::Methods<Self>) {} }
/// let generated = signalr::typescript::<ChatHub>();
/// std::fs::write("page/src/chat.ts", generated).unwrap(); // and `git diff --exit-code` in CI
/// ```
///
/// Types of arguments and results derive [`ts_rs::TS`] beside serde's traits, whose attributes it follows. Integers of 64
/// bits are a `number`, as both protocols carry them: one beyond 2^53 loses digits in JavaScript, so send it as text. Where
/// [`Keys::PascalCase`](crate::Keys) is set, MessagePack has other names than the types here, and pages use JSON.
///
/// # Panics
///
/// Where two types that differ have one name in TypeScript, or a type has a name that the client itself needs: rename one by
/// `#[ts(rename = "…")]`. And where a method takes two uploads without another argument to stand between them, as
/// `@microsoft/signalr` cannot send these.
pub fn typescript<H: Hub>() -> String {
    Client::new(type_name::<H>(), &Methods::<H>::shape()).source()
}
