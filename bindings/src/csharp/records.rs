//! Records, and texts as constants.

use tick_sdk::shape::{Field, Form, Shape, Texts, Type};

use super::docs::{remarks, summary};
use super::types::{optional, part_name, value};
use crate::messages::{Message, Role};
use crate::source::{Source, pascal_case};

/// A message.
pub(super) fn message(source: &mut Source, Message { shape, role }: &Message) {
    source.line("");
    summary(source, &shape.docs());
    remarks(source, &role.sentence());
    let marker = match role {
        Role::Command { .. } => " : ICommand",
        Role::Event { .. } => " : IEvent",
        Role::Request { .. } | Role::Answer { .. } => "",
    };
    source.block(&format!("public sealed record {}{marker}\n{{", shape.name), "}", 4, |source| {
        if let Some(id) = role.id_property() {
            let (docs, default) = match role {
                Role::Command { .. } => ("The command: a new id unless one is given.", " = Guid.NewGuid();"),
                _ => ("The command that caused it.", ""),
            };
            summary(source, docs);
            let name = pascal_case(id);
            source
                .line(&format!("[JsonPropertyName(\"{id}\")] public Guid {name} {{ get; init; }}{default}"));
        }
        properties(source, shape, Absent::IsEmpty);
    });
}

/// A part of messages or bodies.
pub(super) fn part(source: &mut Source, shape: &Shape) {
    source.line("");
    summary(source, &shape.docs());
    let is_generic = shape.fields.iter().any(|field| is_generic(field.kind));
    let parameter = if is_generic { "<T>" } else { "" };
    let begin = format!("public sealed record {}{parameter}\n{{", part_name(shape));
    source.block(&begin, "}", 4, |source| properties(source, shape, Absent::Throws));
}

fn is_generic(kind: Type) -> bool {
    match kind {
        Type::Parameter => true,
        Type::Optional(inner) | Type::List(inner) | Type::Map(inner) => is_generic(*inner),
        _ => false,
    }
}

fn properties(source: &mut Source, shape: &Shape, absent: Absent) {
    for field in shape.members() {
        summary(source, &docs(field));
        source.line(&property(field, &part_name(shape), absent));
    }
}

/// What a reader makes of an object without a member that is always written.
#[derive(Clone, Copy)]
enum Absent {
    /// It throws: an answer that is none, or of another version.
    Throws,
    /// The member is empty, as MassTransit's own messages are: any service may have sent it.
    IsEmpty,
}

fn property(field: &Field, record: &str, absent: Absent) -> String {
    let name = field.json_name();
    let mut property = pascal_case(&name);
    if property == record {
        // C# takes no member of its type's name.
        property.push_str("Value");
    }
    let (kind, form) = (field.kind, field.form);
    let (declared, default) = match absent {
        _ if field.may_be_absent() => (optional(kind, form), ""),
        Absent::Throws => (format!("required {}", value(kind, form)), ""),
        Absent::IsEmpty => (value(kind, form), empty(kind, form)),
    };
    format!("[JsonPropertyName(\"{name}\")] public {declared} {property} {{ get; init; }}{default}")
}

/// How a member begins whose type's own beginning would be null, and it is not.
fn empty(kind: Type, form: Form) -> &'static str {
    match (kind, form) {
        (Type::Text, Form::Time) => "",
        (Type::Text, _) => " = \"\";",
        (Type::List(_), _) => " = [];",
        (Type::Map(_) | Type::Object(_), _) => " = null!;",
        _ => "",
    }
}

/// What a member means, and what is true of its value.
pub(super) fn docs(field: &Field) -> String {
    let docs = field.docs();
    match form_docs(field.form) {
        Some(form) => format!("{docs} {form}"),
        None => docs,
    }
}

/// What is true of a value, where its type does not say it.
pub(super) fn form_docs(form: Form) -> Option<String> {
    match form {
        Form::Decimal => Some("Decimal text, with every digit.".to_owned()),
        Form::OneOf(texts) => Some(format!("One of `{}`.", pascal_case(texts.name))),
        _ => None,
    }
}

/// Constants of the texts that a member can have.
pub(super) fn texts(source: &mut Source, texts: &Texts) {
    source.line("");
    summary(source, &texts.plain_docs());
    let begin = format!("public static class {}\n{{", pascal_case(texts.name));
    source.block(&begin, "}", 4, |source| {
        for known in texts.all {
            summary(source, known.docs.trim());
            source.line(&format!("public const string {} = \"{}\";", pascal_case(known.name), known.text));
        }
    });
}
