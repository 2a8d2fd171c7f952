//! What hubs send to clients, by name and with the types of its arguments.

use std::marker::PhantomData;

/// A message to clients without an answer: the client's method of this name is called with these arguments.
///
/// ```
/// use signalr::Event;
///
/// const SAID: Event<(String, String)> = Event::new("Said", &["user", "text"]);
/// ```
#[derive(Debug)]
pub struct Event<A> {
    /// As clients register it; JavaScript compares it without case, others exactly.
    pub name: &'static str,
    /// Of the arguments, for the generated client.
    pub parameters: &'static [&'static str],
    arguments: PhantomData<fn() -> A>,
}

impl<A> Event<A> {
    /// `A` is a tuple of the arguments' types.
    pub const fn new(name: &'static str, parameters: &'static [&'static str]) -> Self {
        Self { name, parameters, arguments: PhantomData }
    }
}

/// A message to one client that answers with an `R`.
#[derive(Debug)]
pub struct Question<A, R> {
    /// As the client registers it.
    pub name: &'static str,
    /// Of the arguments, for the generated client.
    pub parameters: &'static [&'static str],
    types: PhantomData<fn() -> (A, R)>,
}

impl<A, R> Question<A, R> {
    /// `A` is a tuple of the arguments' types.
    pub const fn new(name: &'static str, parameters: &'static [&'static str]) -> Self {
        Self { name, parameters, types: PhantomData }
    }
}
