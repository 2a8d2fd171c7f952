//! Types of values in C#.

use tick_sdk::contracts::KnownCommand;
use tick_sdk::shape::{Form, Shape, Type};

/// The type of a value that is always there, and is not null.
pub(super) fn value(kind: Type, form: Form) -> String {
    match kind {
        Type::Text if matches!(form, Form::Time) => "DateTimeOffset".to_owned(),
        // A decimal number stays text, which has every digit.
        Type::Text => "string".to_owned(),
        Type::Whole { most } if most <= i32::MAX as u64 => "int".to_owned(),
        Type::Whole { .. } => "long".to_owned(),
        Type::Number => "double".to_owned(),
        Type::Truth => "bool".to_owned(),
        Type::Guid => "Guid".to_owned(),
        Type::Json if matches!(form, Form::ObjectOrNull) => "JsonElement?".to_owned(),
        Type::Json => "JsonElement".to_owned(),
        Type::Optional(inner) => optional(*inner, form),
        Type::List(item) => format!("IReadOnlyList<{}>", value(*item, form)),
        Type::Map(inner) => format!("IReadOnlyDictionary<string, {}>", value(*inner, form)),
        Type::Object(shape) => part_name(shape()),
        Type::Parameter => "T".to_owned(),
    }
}

/// The type of a value that may be null.
pub(super) fn optional(kind: Type, form: Form) -> String {
    let name = value(kind, form);
    if name.ends_with('?') { name } else { name + "?" }
}

/// The name of an object within another. A command within another message is what was asked for, without an id.
pub(super) fn part_name(shape: &Shape) -> String {
    let is_command = KnownCommand::all().iter().any(|known| known.name == shape.name);
    if is_command { format!("{}Body", shape.name) } else { shape.name.to_owned() }
}
