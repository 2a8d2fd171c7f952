//! Deserialises MessagePack by its rules.

use std::fmt;

use serde::Deserializer;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess,
    Visitor,
};

use super::pascal_case;

/// A deserializer, visitor, access or seed of serde, and how the values in it are read.
#[derive(Clone, Copy)]
pub(in crate::protocol) struct Read<T> {
    inner: T,
    pascal_case: bool,
    /// Of the struct that is read, if its names have to be found.
    fields: &'static [&'static str],
    /// Bytes are no text, though serde would take them where they are UTF-8.
    is_text: bool,
}

impl<T> Read<T> {
    /// With `pascal_case`, fields of structs are `UnitPrice` where JSON has `unitPrice`.
    pub(in crate::protocol) fn new(inner: T, pascal_case: bool) -> Self {
        Self { inner, pascal_case, fields: &[], is_text: false }
    }

    fn with<U>(&self, inner: U) -> Read<U> {
        Read::new(inner, self.pascal_case)
    }

    fn of_struct<U>(&self, inner: U, fields: &'static [&'static str]) -> Read<U> {
        Read { fields: if self.pascal_case { fields } else { &[] }, ..self.with(inner) }
    }

    fn of_text<U>(&self, inner: U) -> Read<U> {
        Read { is_text: true, ..self.with(inner) }
    }

    /// The field that serde knows under another name.
    fn field(&self, name: &str) -> Option<&'static str> {
        self.fields.iter().copied().find(|field| pascal_case(field).eq(name.chars()))
    }
}

macro_rules! forward {
    ($($method:ident $wrapper:ident($($argument:ident: $kind:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.$wrapper(visitor);
            self.inner.$method($($argument,)* visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Read<D> {
    type Error = D::Error;

    forward! {
        deserialize_any with() deserialize_bool with() deserialize_char of_text() deserialize_ignored_any with()
        deserialize_i8 with() deserialize_i16 with() deserialize_i32 with() deserialize_i64 with() deserialize_i128 with()
        deserialize_u8 with() deserialize_u16 with() deserialize_u32 with() deserialize_u64 with() deserialize_u128 with()
        deserialize_f32 with() deserialize_f64 with() deserialize_str of_text() deserialize_string of_text()
        deserialize_bytes with() deserialize_byte_buf with() deserialize_option with() deserialize_unit with()
        deserialize_seq with() deserialize_map with() deserialize_identifier with()
        deserialize_unit_struct with(name: &'static str) deserialize_newtype_struct with(name: &'static str)
        deserialize_tuple with(length: usize) deserialize_tuple_struct with(name: &'static str, length: usize)
        deserialize_enum with(name: &'static str, variants: &'static [&'static str])
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.of_struct(visitor, fields);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident($kind:ty))*) => {$(
        fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

macro_rules! visit_bytes {
    ($($method:ident($kind:ty))*) => {$(
        fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            if self.is_text {
                return Err(E::invalid_type(Unexpected::Bytes(&value), &self));
            }
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Read<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(formatter)
    }

    visit! {
        visit_bool(bool) visit_char(char) visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128) visit_f32(f32) visit_f64(f64)
    }

    visit_bytes! { visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>) }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        let value = self.with(value);
        self.inner.visit_some(value)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        let value = self.with(value);
        self.inner.visit_newtype_struct(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        let elements = self.with(elements);
        self.inner.visit_seq(elements)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        let entries = self.of_struct(entries, self.fields);
        self.inner.visit_map(entries)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        let variant = self.with(variant);
        self.inner.visit_enum(variant)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Read<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        let seed = self.with(seed);
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Read<A> {
    type Error = A::Error;

    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        if self.fields.is_empty() {
            let seed = self.with(seed);
            return self.inner.next_key_seed(seed);
        }
        let key = Key { seed: self.of_struct(seed, self.fields) };
        self.inner.next_key_seed(key)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.with(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Read<A> {
    type Error = A::Error;
    type Variant = Read<A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant), A::Error> {
        let rules = self.with(());
        let (value, variant) = self.inner.variant_seed(rules.with(seed))?;
        Ok((value, rules.with(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Read<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.with(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.with(visitor);
        self.inner.tuple_variant(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.of_struct(visitor, fields);
        self.inner.struct_variant(fields, visitor)
    }
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Read<T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        let deserializer = self.with(deserializer);
        self.inner.deserialize(deserializer)
    }
}

/// Reads the name of a field, and gives the seed the one it knows.
struct Key<T> {
    seed: Read<T>,
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'de, T: DeserializeSeed<'de>> Visitor<'de> for Key<T> {
    type Value = T::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T::Value, E> {
        // What is no field stays as it is, and serde decides on it.
        let name: StrDeserializer<'_, E> = self.seed.field(name).unwrap_or(name).into_deserializer();
        self.seed.inner.deserialize(name)
    }
}
