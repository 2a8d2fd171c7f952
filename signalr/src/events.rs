//! What hubs send to clients, by name and with the types of its arguments.

use std::marker::PhantomData;

use serde::Serialize;
use ts_rs::TS;

use crate::message::Payload;
use crate::protocol::{Codec, PayloadError};
use crate::typescript::Arguments;

/// A message to clients without an answer: the client's method of this name is called with these arguments.
///
/// ```
/// use signalr::Event;
///
/// static SAID: Event<(String, String)> = Event::new("Said", &["user", "text"]);
/// ```
///
/// Each argument has a name; a number of names that is not the number of arguments does not compile:
///
/// ```compile_fail
/// use signalr::Event;
///
/// static SAID: Event<(String, String)> = Event::new("Said", &["user"]);
/// ```
#[derive(Debug)]
pub struct Event<A> {
    /// As clients register it; JavaScript compares it without case, others exactly.
    pub name: &'static str,
    /// Of the arguments, for the generated client.
    pub parameters: &'static [&'static str],
    arguments: PhantomData<fn() -> A>,
}

impl<A: EventArguments> Event<A> {
    /// `A` is a tuple of the arguments' types.
    pub const fn new(name: &'static str, parameters: &'static [&'static str]) -> Self {
        assert!(parameters.len() == A::COUNT, "an event has one name for each argument");
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

impl<A: EventArguments, R> Question<A, R> {
    /// `A` is a tuple of the arguments' types.
    pub const fn new(name: &'static str, parameters: &'static [&'static str]) -> Self {
        assert!(parameters.len() == A::COUNT, "a question has one name for each argument");
        Self { name, parameters, types: PhantomData }
    }
}

/// The arguments of an event or a question: a tuple of up to eight values.
pub trait EventArguments: Arguments + Send + 'static {
    /// How many.
    const COUNT: usize;

    /// As the array that a message carries.
    fn payload(&self, codec: Codec) -> Result<Payload, PayloadError>;
}

impl EventArguments for () {
    const COUNT: usize = 0;

    // As a value `()` is null, where a message needs an array.
    fn payload(&self, codec: Codec) -> Result<Payload, PayloadError> {
        Payload::of(codec, &[(); 0])
    }
}

macro_rules! arguments {
    ($count:literal $($argument:ident)+) => {
        impl<$($argument: Serialize + TS + Send + 'static),+> EventArguments for ($($argument,)+) {
            const COUNT: usize = $count;

            fn payload(&self, codec: Codec) -> Result<Payload, PayloadError> {
                Payload::of(codec, self)
            }
        }
    };
}

arguments!(1 A);
arguments!(2 A B);
arguments!(3 A B C);
arguments!(4 A B C D);
arguments!(5 A B C D E);
arguments!(6 A B C D E F);
arguments!(7 A B C D E F G);
arguments!(8 A B C D E F G H);
