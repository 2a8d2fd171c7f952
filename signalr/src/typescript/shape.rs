//! What a hub offers, without its Rust types: what the generated client is made of.

use std::any::type_name;
use std::fmt;

use ts_rs::{Config, TS};

use super::declarations::Declarations;

/// Everything that a client of a hub may call, answer and listen to, in the order in which it was registered.
#[derive(Clone, Debug, Default)]
pub struct HubShape {
    /// What clients call.
    pub methods: Vec<MethodShape>,
    /// What clients are sent.
    pub events: Vec<EventShape>,
    /// What clients are asked.
    pub questions: Vec<QuestionShape>,
}

/// A method that clients call.
#[derive(Clone, Debug)]
pub struct MethodShape {
    /// As it is registered.
    pub name: &'static str,
    /// For the reader of the generated client; may be empty.
    pub docs: &'static str,
    /// In the order in which clients give them; uploads stand among them.
    pub parameters: Vec<ParameterShape>,
    /// What it answers.
    pub answer: AnswerShape,
}

/// What a method answers.
#[derive(Clone, Copy, Debug)]
pub enum AnswerShape {
    /// One result; that of `()` is nothing.
    Once(TypeShape),
    /// Items, until the stream ends or the client cancels it.
    Stream(TypeShape),
}

/// One argument of a method, an event or a question.
#[derive(Clone, Copy, Debug)]
pub struct ParameterShape {
    /// As the application named it.
    pub name: &'static str,
    /// Of the argument, or of an upload's items.
    pub kind: TypeShape,
    /// Whether the client sends a stream of them.
    pub is_upload: bool,
}

/// A message to clients without an answer.
#[derive(Clone, Debug)]
pub struct EventShape {
    /// As clients register it.
    pub name: &'static str,
    /// For the reader of the generated client; may be empty.
    pub docs: &'static str,
    /// None of them is an upload.
    pub parameters: Vec<ParameterShape>,
}

/// A message to one client that answers.
#[derive(Clone, Debug)]
pub struct QuestionShape {
    /// As the client registers it.
    pub name: &'static str,
    /// For the reader of the generated client; may be empty.
    pub docs: &'static str,
    /// None of them is an upload.
    pub parameters: Vec<ParameterShape>,
    /// What the client answers.
    pub answer: TypeShape,
}

/// A Rust type, as TypeScript knows it.
#[derive(Clone, Copy)]
pub struct TypeShape {
    rust_name: fn() -> &'static str,
    is_optional: bool,
    name: fn(&Config) -> String,
    declare: fn(&mut Declarations<'_>),
}

impl TypeShape {
    /// Of a type that derives [`TS`].
    pub fn of<T: TS + 'static>() -> Self {
        Self {
            rust_name: type_name::<T>,
            is_optional: T::IS_OPTION,
            name: T::name,
            declare: |declarations| declarations.declare::<T>(),
        }
    }

    /// How TypeScript writes it.
    pub(super) fn name(self, config: &Config) -> String {
        (self.name)(config)
    }

    /// Whether it is an `Option`, for which clients may leave the last arguments out.
    pub(crate) fn is_optional(self) -> bool {
        self.is_optional
    }

    /// Whether there is no value but one, so that nothing is said by it.
    pub(super) fn is_unit(self) -> bool {
        (self.rust_name)() == type_name::<()>()
    }

    /// Declares it, and before it what it is made of.
    pub(super) fn declare(self, declarations: &mut Declarations<'_>) {
        (self.declare)(declarations);
    }
}

impl fmt::Debug for TypeShape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str((self.rust_name)())
    }
}

/// The arguments of a method, an event or a question: a tuple of them.
pub trait Arguments {
    /// Of each, in order.
    fn types() -> Vec<TypeShape>;
}

macro_rules! arguments {
    ($($name:ident)*) => {
        impl<$($name: TS + 'static),*> Arguments for ($($name,)*) {
            fn types() -> Vec<TypeShape> {
                vec![$(TypeShape::of::<$name>()),*]
            }
        }
    };
}

arguments!();
arguments!(A);
arguments!(A B);
arguments!(A B C);
arguments!(A B C D);
arguments!(A B C D E);
arguments!(A B C D E F);
arguments!(A B C D E F G);
arguments!(A B C D E F G H);

/// Arguments with their names; one without a name is `argument1` and so on.
pub(crate) fn named(names: &[&'static str], types: Vec<TypeShape>) -> Vec<ParameterShape> {
    const UNNAMED: [&str; 8] = [
        "argument1",
        "argument2",
        "argument3",
        "argument4",
        "argument5",
        "argument6",
        "argument7",
        "argument8",
    ];
    let names = names.iter().copied().chain(UNNAMED.into_iter().skip(names.len()));
    types.into_iter().zip(names).map(|(kind, name)| ParameterShape { name, kind, is_upload: false }).collect()
}
