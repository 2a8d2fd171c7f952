//! The one pass over a body that refuses what could be understood in two ways, or would exhaust a reader.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::EnvelopeError;
use super::error::beginning;

/// Checks that `text` is JSON of at most `levels` objects and lists within each other, that no name stands
/// twice in an object, and that every text and number can be read.
pub(super) fn check(text: &str, levels: usize) -> Result<(), EnvelopeError> {
    let refusal = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let outcome = Walk { levels, refusal: &refusal }.deserialize(&mut reader).and_then(|()| reader.end());
    match (outcome, refusal.into_inner()) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(refusal)) => Err(refusal),
        (Err(error), None) => Err(EnvelopeError::Json(error)),
    }
}

/// Visits a value and all that stands in it. Each level takes some of the stack, hence the bound.
#[derive(Clone, Copy)]
struct Walk<'a> {
    /// How many more levels may open.
    levels: usize,
    /// Where a refusal goes: serde's errors carry only text.
    refusal: &'a RefCell<Option<EnvelopeError>>,
}

impl Walk<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.levels.checked_sub(1) {
            Some(levels) => Ok(Self { levels, ..self }),
            None => Err(self.refuse(EnvelopeError::TooDeep)),
        }
    }

    fn refuse<E: serde::de::Error>(self, error: EnvelopeError) -> E {
        self.refusal.replace(Some(error));
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        // The reader refuses these itself; it is not said anywhere that it always will.
        if number.is_finite() { Ok(()) } else { Err(E::custom("number out of range")) }
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while list.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut names = Names::default();
        while let Some(Name(name)) = object.next_key()? {
            if names.has(&name) {
                return Err(self.refuse(EnvelopeError::NameTwice { name: beginning(&name) }));
            }
            names.add(name);
            object.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// So many names are compared one by one, which for the few that most objects have costs less than hashing.
const FEW: usize = 16;

/// The names of an object so far.
#[derive(Default)]
struct Names<'a> {
    first: Vec<Cow<'a, str>>,
    rest: HashSet<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    fn has(&self, name: &str) -> bool {
        self.first.iter().any(|known| known == name) || (!self.rest.is_empty() && self.rest.contains(name))
    }

    fn add(&mut self, name: Cow<'a, str>) {
        if self.first.len() < FEW {
            self.first.push(name);
        } else {
            self.rest.insert(name);
        }
    }
}

/// A name in an object, borrowed from the body where nothing in it is escaped.
#[derive(serde::Deserialize, PartialEq, Eq, Hash)]
#[serde(transparent)]
pub(super) struct Name<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);
