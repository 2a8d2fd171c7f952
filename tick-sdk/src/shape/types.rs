//! Types of values, and what is true of a value beside its type.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::{Shape, Texts};

/// The type of a value in JSON.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// A text.
    Text,
    /// A whole number from 0 on.
    Whole {
        /// The greatest.
        most: u64,
    },
    /// A number, which is finite.
    Number,
    /// True or false.
    Truth,
    /// A GUID: text of 32 hexadecimal digits with dashes.
    Guid,
    /// Any JSON.
    Json,
    /// This, or null.
    Optional(&'static Self),
    /// A list of these.
    List(&'static Self),
    /// These by name.
    Map(&'static Self),
    /// An object.
    Object(fn() -> &'static Shape),
    /// Whatever a generic type is given: what its declaration says.
    Parameter,
}

/// What stands for the parameter in the shape of a generic type's declaration.
#[derive(Debug)]
pub enum Parameter {}

impl Shaped for Parameter {
    const TYPE: Type = Type::Parameter;
}

/// What is true of a value beside its type.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// Nothing.
    Any,
    /// A time: RFC 3339 with its zone.
    Time,
    /// A decimal number as text, with every digit.
    Decimal,
    /// One of these texts. A later version may have more.
    OneOf(&'static Texts),
    /// A text of so many characters.
    Length {
        /// The fewest.
        least: u32,
        /// The most.
        most: u32,
    },
    /// A number from here to there.
    Between {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// A number above this one.
    Above(u64),
    /// A list of at most so many items.
    Items(u32),
    /// A JSON object, or null.
    ObjectOrNull,
}

/// A value whose type in JSON is known.
pub trait Shaped {
    /// The type.
    const TYPE: Type;

    /// The shape of an object's type, which is what [`shape!`](crate::shape!) declares.
    ///
    /// # Panics
    /// The type is none of an object.
    fn shape() -> &'static Shape {
        match Self::TYPE {
            Type::Object(shape) => shape(),
            other => panic!("{other:?} is no object"),
        }
    }
}

macro_rules! shaped {
    ($($Name:ty: $kind:expr),* $(,)?) => { $(
        impl Shaped for $Name {
            const TYPE: Type = $kind;
        }
    )* };
}
shaped!(
    String: Type::Text,
    u16: Type::Whole { most: u16::MAX as u64 },
    u32: Type::Whole { most: u32::MAX as u64 },
    u64: Type::Whole { most: u64::MAX },
    f64: Type::Number,
    bool: Type::Truth,
    Uuid: Type::Guid,
    Value: Type::Json,
);

impl<T: Shaped> Shaped for Option<T> {
    const TYPE: Type = Type::Optional(&T::TYPE);
}

impl<T: Shaped> Shaped for Vec<T> {
    const TYPE: Type = Type::List(&T::TYPE);
}

impl<T: Shaped> Shaped for BTreeMap<String, T> {
    const TYPE: Type = Type::Map(&T::TYPE);
}
