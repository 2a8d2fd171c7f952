//! Headers of an envelope: names with values of any kind, in their order.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::json_text::HEADER_LEVELS;
use super::{EnvelopeError, JsonText};

/// Headers as consumers see them. Names keep their case, and are looked up without regard to it.
///
/// A .NET consumer copies each header whose name does not begin with `MT-` to all that it sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub(super) Vec<(String, JsonText)>);

impl Headers {
    /// The value of a header.
    pub fn get(&self, name: &str) -> Option<&JsonText> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of a header as a type, where it is there and of this type: `headers.read::<u32>("MT-…")`.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.get(name).and_then(|value| serde_json::from_str(value.as_str()).ok())
    }

    /// Sets a header, in the place of one with the same name.
    pub fn set(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), EnvelopeError> {
        let value = JsonText::of(value, HEADER_LEVELS, "headers")?;
        match self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
        Ok(())
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &JsonText)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_looked_up_in_any_case() {
        let mut headers = Headers::default();
        headers.set("Tenant", "eu").unwrap();
        headers.set("MT-Redelivery-Count", &1).unwrap();
        headers.set("mt-redelivery-count", &2).unwrap();
        assert_eq!(headers.read::<String>("tenant").as_deref(), Some("eu"));
        assert_eq!(headers.read::<u32>("MT-Redelivery-Count"), Some(2));
        assert_eq!(headers.iter().count(), 2);
        assert_eq!(headers.read::<u32>("tenant"), None);
    }
}
