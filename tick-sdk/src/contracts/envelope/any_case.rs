//! Reads a message with its names in any case: .NET services may write any.
//!
//! Null is what .NET takes it for: nothing where a value may be absent, an empty list, map or object; where a text,
//! a number or yes or no is expected it is an error.

use std::fmt;
use std::iter::Peekable;

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

/// Reads JSON as `T`. Errors begin with the path of the property that is wrong.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    T::deserialize(AnyCase(serde_json::from_str(text)?))
}

/// A value that matches names of structs in any case. Two names that become one are refused by the struct
/// itself.
struct AnyCase(Value);

/// A list of nothing.
fn no_list() -> List {
    List { values: Vec::new().into_iter(), index: 0 }
}

/// An object of nothing.
fn no_object() -> Properties {
    Properties::of(serde_json::Map::new(), &[])
}

impl<'de> serde::Deserializer<'de> for AnyCase {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(list) => visitor.visit_seq(List { values: list.into_iter(), index: 0 }),
            Value::Object(object) => visitor.visit_map(Properties::of(object, &[])),
            plain => serde::Deserializer::deserialize_any(plain, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Object(object) => visitor.visit_map(Properties::of(object, fields)),
            Value::Null => visitor.visit_map(no_object()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_seq(no_list()) } else { self.deserialize_any(visitor) }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_map(no_object()) } else { self.deserialize_any(visitor) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        serde::Deserializer::deserialize_enum(self.0, name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct identifier ignored_any
    }
}

struct Properties {
    rest: Peekable<serde_json::map::IntoIter>,
    /// The names of the struct that is read; none for a map, whose names are data.
    fields: &'static [&'static str],
}

impl Properties {
    fn of(object: serde_json::Map<String, Value>, fields: &'static [&'static str]) -> Self {
        Self { rest: object.into_iter().peekable(), fields }
    }
}

impl<'de> MapAccess<'de> for Properties {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((name, _)) = self.rest.peek() else { return Ok(None) };
        let field = self.fields.iter().find(|field| field.eq_ignore_ascii_case(name));
        let name = field.map_or_else(|| name.clone(), |field| (*field).to_owned());
        let name: StringDeserializer<Error> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let Some((name, value)) = self.rest.next() else { return Err(Error::custom("a value is missing")) };
        seed.deserialize(AnyCase(value)).map_err(|error| at(&name, &error))
    }
}

struct List {
    values: std::vec::IntoIter<Value>,
    index: usize,
}

impl<'de> SeqAccess<'de> for List {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(value) = self.values.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        seed.deserialize(AnyCase(value)).map(Some).map_err(|error| at(&index, &error))
    }
}

/// The error with one more step of its path before it.
fn at(step: &dyn fmt::Display, error: &Error) -> Error {
    let text = error.to_string();
    // What stands between here and the error is a path already, unless a blank comes before its colon.
    match text.split_once(": ") {
        Some((path, _)) if !path.contains(' ') => Error::custom(format!("{step}.{text}")),
        _ => Error::custom(format!("{step}: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::strategies::{DeployStrategy, SignalsCommitted};
    use crate::contracts::ticks::StartReplay;

    #[test]
    fn names_are_read_in_any_case_and_null_as_nothing() {
        let text = r#"{"COMMANDID": "x", "Files": ["a"], "loop": 2, "symbols": null, "Strategies":
            [{"Strategy": "apple", "PARAMETERS": {"Level": "5", "level": "6"}}]}"#;
        let replay: StartReplay = read(text).unwrap();
        assert_eq!(replay.files, ["a"]);
        assert_eq!(replay.repeats, Some(2));
        assert_eq!(replay.strategies[0].strategy, "apple");
        // Names of parameters are data and keep their case.
        assert_eq!(replay.strategies[0].parameters["Level"], "5");
        assert_eq!(replay.strategies[0].parameters["level"], "6");
    }

    #[test]
    fn errors_name_the_property() {
        let error = |text: &str| read::<SignalsCommitted>(text).unwrap_err().to_string();
        let wrong = r#"{"run":"r","strategy":"s","shard":0,"fromSeq":0,"toSeq":1,"signals":[{"symbol":5}]}"#;
        assert!(error(wrong).starts_with("signals.0.symbol: invalid type"), "{}", error(wrong));
        assert_eq!(read::<DeployStrategy>("{}").unwrap_err().to_string(), "missing field `name`");
        let null = read::<DeployStrategy>(r#"{"name":null,"strategy":"c"}"#).unwrap_err().to_string();
        assert_eq!(null, "name: invalid type: null, expected a string");
        let twice = read::<DeployStrategy>(r#"{"name":"a","Name":"b","strategy":"c"}"#).unwrap_err();
        assert_eq!(twice.to_string(), "duplicate field `name`");
    }
}
