//! Contracts that this program knows, found without a list: the macros that declare them submit them.

use super::envelope::EnvelopeError;

/// Reads a message as its contract, with names in any case, and gives it as this program writes it.
pub type Normalize = fn(&str) -> Result<String, EnvelopeError>;

/// A command that this program knows; [`command!`](crate::command) submits it.
#[derive(Clone, Copy, Debug)]
pub struct KnownCommand {
    /// [`Contract::NAME`](super::Contract::NAME).
    pub name: &'static str,
    /// [`Contract::VERSION`](super::Contract::VERSION).
    pub version: u32,
    /// [`Command::ENDPOINT`](super::Command::ENDPOINT).
    pub endpoint: &'static str,
    /// Reads its message.
    pub normalize: Normalize,
}

/// An event that this program knows; [`event!`](crate::event) submits it.
#[derive(Clone, Copy, Debug)]
pub struct KnownEvent {
    /// [`Contract::NAME`](super::Contract::NAME).
    pub name: &'static str,
    /// [`Contract::VERSION`](super::Contract::VERSION).
    pub version: u32,
    /// [`Event::CONTEXT`](super::Event::CONTEXT).
    pub context: &'static str,
    /// Reads its message.
    pub normalize: Normalize,
}

/// A request that this program knows; [`request!`](crate::request) submits it.
#[derive(Clone, Copy, Debug)]
pub struct KnownRequest {
    /// [`Contract::NAME`](super::Contract::NAME).
    pub name: &'static str,
    /// [`Contract::VERSION`](super::Contract::VERSION).
    pub version: u32,
    /// [`Request::ENDPOINT`](super::Request::ENDPOINT).
    pub endpoint: &'static str,
    /// [`Request::ANSWERS`](super::Request::ANSWERS).
    pub answers: &'static [&'static str],
    /// Reads its message.
    pub normalize: Normalize,
}

inventory::collect!(KnownCommand);
inventory::collect!(KnownEvent);
inventory::collect!(KnownRequest);

impl KnownCommand {
    /// Every command that the program knows, in order of name.
    pub fn all() -> Vec<&'static Self> {
        sorted(inventory::iter::<Self>(), |command| command.name)
    }

    /// Every command of this endpoint that the program knows, in order of name.
    pub fn of_endpoint(endpoint: &str) -> Vec<&'static Self> {
        let mut known = Self::all();
        known.retain(|command| command.endpoint == endpoint);
        known
    }
}

impl KnownEvent {
    /// Every event that the program knows, in order of name.
    pub fn all() -> Vec<&'static Self> {
        sorted(inventory::iter::<Self>(), |event| event.name)
    }

    /// Every event of this context that the program knows, in order of name.
    pub fn of_context(context: &str) -> Vec<&'static Self> {
        let mut known = Self::all();
        known.retain(|event| event.context == context);
        known
    }
}

impl KnownRequest {
    /// Every request that the program knows, in order of name.
    pub fn all() -> Vec<&'static Self> {
        sorted(inventory::iter::<Self>(), |request| request.name)
    }

    /// Every request of this endpoint that the program knows, in order of name.
    pub fn of_endpoint(endpoint: &str) -> Vec<&'static Self> {
        let mut known = Self::all();
        known.retain(|request| request.endpoint == endpoint);
        known
    }
}

fn sorted<T: 'static>(
    known: impl IntoIterator<Item = &'static T>,
    name: fn(&T) -> &'static str,
) -> Vec<&'static T> {
    let mut known: Vec<_> = known.into_iter().collect();
    known.sort_by_key(|contract| name(contract));
    known
}
