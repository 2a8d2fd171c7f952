//! Serialises by the rules of a protocol into a format of serde.

use std::fmt::Display;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::pascal_case_of_field;

/// A value or a serializer, and what the values written with it, or within it, are held to.
#[derive(Clone, Copy)]
pub(in crate::protocol) struct Write<T> {
    pub(in crate::protocol) inner: T,
    /// JSON has no number that is not finite. Serde's would silently be null.
    pub(in crate::protocol) only_finite: bool,
    /// Fields of structs are `UnitPrice` where JSON has `unitPrice`.
    pub(in crate::protocol) pascal_case: bool,
}

impl<T> Write<T> {
    /// The same rules for another.
    fn with<U>(&self, inner: U) -> Write<U> {
        Write { inner, only_finite: self.only_finite, pascal_case: self.pascal_case }
    }

    fn field(&self, name: &'static str) -> &'static str {
        if self.pascal_case { pascal_case_of_field(name) } else { name }
    }

    fn check_finite<E: Error>(&self, is_finite: bool) -> Result<(), E> {
        if self.only_finite && !is_finite {
            return Err(E::custom("NaN and infinite numbers have no form: send null or text instead"));
        }
        Ok(())
    }
}

impl<T: Serialize + ?Sized> Serialize for Write<&T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.inner.serialize(self.with(serializer))
    }
}

macro_rules! forward {
    ($($method:ident($kind:ty))*) => {$(
        fn $method(self, value: $kind) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )*};
}

impl<S: Serializer> Serializer for Write<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Write<S::SerializeSeq>;
    type SerializeTuple = Write<S::SerializeTuple>;
    type SerializeTupleStruct = Write<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Write<S::SerializeTupleVariant>;
    type SerializeMap = Write<S::SerializeMap>;
    type SerializeStruct = Write<S::SerializeStruct>;
    type SerializeStructVariant = Write<S::SerializeStructVariant>;

    forward! {
        serialize_bool(bool) serialize_char(char) serialize_str(&str) serialize_bytes(&[u8]) serialize_unit_struct(&'static str)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        self.check_finite(value.is_finite())?;
        self.inner.serialize_f32(value)
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        self.check_finite(value.is_finite())?;
        self.inner.serialize_f64(value)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let value = self.with(value);
        self.inner.serialize_some(&value)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.with(value);
        self.inner.serialize_newtype_struct(name, &value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.with(value);
        self.inner.serialize_newtype_variant(name, index, variant, &value)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let rules = self.with(());
        Ok(rules.with(self.inner.serialize_seq(length)?))
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        let rules = self.with(());
        Ok(rules.with(self.inner.serialize_tuple(length)?))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let rules = self.with(());
        Ok(rules.with(self.inner.serialize_tuple_struct(name, length)?))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let rules = self.with(());
        Ok(rules.with(self.inner.serialize_tuple_variant(name, index, variant, length)?))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let rules = self.with(());
        Ok(rules.with(self.inner.serialize_map(length)?))
    }

    fn serialize_struct(self, name: &'static str, length: usize) -> Result<Self::SerializeStruct, S::Error> {
        let rules = self.with(());
        Ok(rules.with(self.inner.serialize_struct(name, length)?))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let rules = self.with(());
        Ok(rules.with(self.inner.serialize_struct_variant(name, index, variant, length)?))
    }
}

macro_rules! elements {
    ($($kind:ident::$method:ident)*) => {$(
        impl<S: $kind> $kind for Write<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                let value = self.with(value);
                self.inner.$method(&value)
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )*};
}

elements! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

macro_rules! fields {
    ($($kind:ident)*) => {$(
        impl<S: $kind> $kind for Write<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), S::Error> {
                let value = self.with(value);
                self.inner.serialize_field(self.field(name), &value)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), S::Error> {
                self.inner.skip_field(self.field(name))
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

/// Keys of maps are the application's: they stay as they are.
impl<S: SerializeMap> SerializeMap for Write<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        let key = self.with(key);
        self.inner.serialize_key(&key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        let value = self.with(value);
        self.inner.serialize_value(&value)
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}
