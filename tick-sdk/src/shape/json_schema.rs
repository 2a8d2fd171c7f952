//! Shapes as JSON Schema, draft 2020-12, which is also that of OpenAPI 3.1.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Field, Form, Shape, Type};

/// Who reads what a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadBy {
    /// The gateway: null is as good as absent, numbers are taken for text, and members that are not known are refused.
    Gateway,
    /// A client of the gateway: what is always written is required.
    Client,
    /// Whoever takes messages.
    Receiver,
}

/// How schemas are written.
#[derive(Clone, Copy, Debug)]
pub struct JsonSchema {
    /// What stands before the name of a shape in a reference: `#/$defs/`.
    pub references: &'static str,
    /// Who reads what is described.
    pub read_by: ReadBy,
}

impl JsonSchema {
    /// A reference to the schema of a shape.
    pub fn reference(&self, shape: &Shape) -> Value {
        json!({ "$ref": format!("{}{}", self.references, shape.name) })
    }

    /// The schema of an object.
    pub fn object(&self, shape: &Shape) -> Value {
        self.object_of(shape, &Value::Bool(true))
    }

    /// As [`object`](Self::object), of a generic shape whose parameter has this schema.
    pub fn object_of(&self, shape: &Shape, parameter: &Value) -> Value {
        let members = shape.members();
        let is_required = |field: &&&Field| match self.read_by {
            ReadBy::Client => field.is_always_written(),
            ReadBy::Gateway | ReadBy::Receiver => !field.may_be_absent() && field.is_always_written(),
        };
        let required: Vec<_> = members.iter().filter(is_required).map(|field| field.json_name()).collect();
        let properties: Map<_, _> =
            members.iter().map(|field| (field.json_name(), self.member(field, parameter))).collect();
        let mut schema =
            json!({ "type": "object", "description": sentence(&shape.docs()), "properties": properties });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if self.read_by == ReadBy::Gateway {
            schema["additionalProperties"] = false.into();
        }
        schema
    }

    fn member(&self, field: &Field, parameter: &Value) -> Value {
        let is_optional = matches!(field.kind, Type::Optional(_));
        let mut schema = match field.kind {
            // Where it would be null, it is not there.
            Type::Optional(inner) if !field.is_always_written() => {
                self.value_of(*inner, field.form, parameter)
            }
            kind => self.value_of(kind, field.form, parameter),
        };
        if self.read_by == ReadBy::Gateway && field.may_be_absent() && !is_optional {
            schema = nullable(schema);
        }
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), sentence(&field.docs()).into());
        }
        schema
    }

    /// The schema of a value.
    pub fn value(&self, kind: Type, form: Form) -> Value {
        self.value_of(kind, form, &Value::Bool(true))
    }

    fn value_of(&self, kind: Type, form: Form, parameter: &Value) -> Value {
        match kind {
            Type::Text => self.text(form),
            Type::Whole { most } => {
                let format = if most <= i32::MAX as u64 { "int32" } else { "int64" };
                limited(json!({ "type": "integer", "format": format, "minimum": 0 }), form)
            }
            Type::Number => limited(json!({ "type": "number" }), form),
            Type::Truth => json!({ "type": "boolean" }),
            Type::Guid => json!({ "type": "string", "format": "uuid" }),
            Type::Json => match form {
                Form::ObjectOrNull => json!({ "type": ["object", "null"] }),
                _ => json!({}),
            },
            Type::Optional(inner) => nullable(self.value_of(*inner, form, parameter)),
            Type::List(item) => {
                let mut list = json!({ "type": "array", "items": self.value_of(*item, form, parameter) });
                if let Form::Items(most) = form {
                    list["maxItems"] = most.into();
                }
                list
            }
            Type::Map(Type::Text) if self.read_by == ReadBy::Gateway => {
                json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } })
            }
            Type::Map(inner) => {
                json!({ "type": "object", "additionalProperties": self.value_of(*inner, form, parameter) })
            }
            Type::Object(shape) => self.reference(shape()),
            Type::Parameter => parameter.clone(),
        }
    }

    fn text(&self, form: Form) -> Value {
        match form {
            Form::Time => json!({ "type": "string", "format": "date-time" }),
            Form::Decimal => {
                let kind = if self.read_by == ReadBy::Gateway {
                    json!(["string", "number"])
                } else {
                    json!("string")
                };
                json!({ "type": kind, "format": "decimal", "examples": ["61800.1"] })
            }
            Form::OneOf(texts) => {
                let all: Vec<_> = texts.all.iter().map(|known| known.text).collect();
                json!({ "type": "string", "enum": all })
            }
            Form::Length { least, most } => {
                json!({ "type": "string", "minLength": least, "maxLength": most })
            }
            _ => json!({ "type": "string" }),
        }
    }
}

/// Every shape that these lead to, themselves among them, by name.
pub fn reached(from: impl IntoIterator<Item = &'static Shape>) -> BTreeMap<&'static str, &'static Shape> {
    let mut found = BTreeMap::new();
    let mut next: Vec<_> = from.into_iter().collect();
    while let Some(shape) = next.pop() {
        if found.insert(shape.name, shape).is_none() {
            next.extend(shape.members().into_iter().filter_map(|field| field.kind.object()));
        }
    }
    found
}

impl Type {
    /// The shape of the object that it is, or has.
    pub fn object(self) -> Option<&'static Shape> {
        match self {
            Self::Object(shape) => Some(shape()),
            Self::Optional(inner) | Self::List(inner) | Self::Map(inner) => inner.object(),
            _ => None,
        }
    }
}

fn limited(mut schema: Value, form: Form) -> Value {
    match form {
        Form::Between { least, most } => {
            schema["minimum"] = least.into();
            schema["maximum"] = most.into();
        }
        Form::Above(bound) => {
            if let Some(schema) = schema.as_object_mut() {
                schema.remove("minimum");
            }
            schema["exclusiveMinimum"] = bound.into();
        }
        _ => {}
    }
    schema
}

/// The same, or null.
fn nullable(mut schema: Value) -> Value {
    if schema.get("$ref").is_some() {
        return json!({ "anyOf": [schema, { "type": "null" }] });
    }
    match schema.get_mut("type") {
        None => return schema,
        Some(Value::Array(kinds)) if !kinds.contains(&json!("null")) => kinds.push("null".into()),
        Some(Value::Array(_)) => {}
        Some(kind) => *kind = json!([kind.take(), "null"]),
    }
    if let Some(Value::Array(texts)) = schema.get_mut("enum") {
        texts.push(Value::Null);
    }
    schema
}

/// Paragraphs as one.
fn sentence(docs: &str) -> String {
    docs.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::ticks::StartReplay;
    use crate::shape::Shaped;

    fn start_replay(read_by: ReadBy) -> Value {
        JsonSchema { references: "#/$defs/", read_by }.object(StartReplay::shape())
    }

    #[test]
    fn a_body_says_what_the_gateway_takes() {
        let schema = start_replay(ReadBy::Gateway);
        assert_eq!(schema["required"], json!(["files"]));
        assert_eq!(schema["additionalProperties"], false);
        let properties = &schema["properties"];
        assert_eq!(properties["files"]["maxItems"], 1000);
        assert_eq!(properties["symbols"]["type"], json!(["array", "null"]));
        assert_eq!(properties["fee"]["type"], json!(["string", "number", "null"]));
        assert_eq!(properties["fill"]["enum"], json!(["signal", "cross", null]));
        assert_eq!(properties["speed"]["exclusiveMinimum"], 0);
        assert_eq!(
            (&properties["loop"]["minimum"], &properties["loop"]["maximum"]),
            (&json!(1), &json!(1_000_000))
        );
        assert_eq!(properties["strategies"]["items"]["$ref"], "#/$defs/StrategySpec");
    }

    #[test]
    fn an_answer_says_what_is_always_there() {
        let schema = start_replay(ReadBy::Client);
        assert_eq!(schema["required"].as_array().map(Vec::len), Some(16));
        assert_eq!(schema["properties"]["fee"]["type"], json!(["string", "null"]));
        assert!(schema.get("additionalProperties").is_none());
    }
}
