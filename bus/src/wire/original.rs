//! What an inbox keeps of a delivery.

use serde::{Deserialize, Serialize, Serializer};
use tick_sdk::contracts::envelope::Envelope;

use super::bytes::{self, InvalidBytes};
use super::{Delivery, Properties};

/// A delivery as a command's inbox row keeps it: body, properties and headers intact, so that its answer, its fault
/// and its copy in an error queue can be made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Original {
    /// The delivery.
    pub delivery: Delivery,
}

/// As it is written, and as it is read.
#[derive(Serialize)]
struct Kept<'a> {
    exchange: &'a str,
    key: &'a str,
    properties: &'a Properties,
    body: Body<'a>,
}

/// Bytes that are written in one piece, as which a list of numbers is kept, too.
struct Body<'a>(&'a [u8]);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

#[derive(Deserialize)]
struct Found {
    exchange: String,
    key: String,
    properties: Properties,
    body: Vec<u8>,
}

impl Original {
    /// As bytes of [`NewCommand::original`](crate::store::NewCommand::original).
    pub fn to_bytes(&self) -> Vec<u8> {
        let Delivery { exchange, key, properties, body } = &self.delivery;
        // With room for the rest, so that it need not grow for each part.
        bytes::write(&Kept { exchange, key, properties, body: Body(body) }, body.len() + 512)
    }

    /// Of such bytes.
    ///
    /// # Errors
    /// They are damaged, or of another version of this program.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, InvalidBytes> {
        let Found { exchange, key, properties, body } = bytes::read("a delivery", bytes)?;
        Ok(Self { delivery: Delivery { exchange, key, properties, body } })
    }

    /// Whether it lay in an error queue before: whoever puts a message back leaves where it failed in its headers.
    pub fn was_moved(&self) -> bool {
        self.delivery.was_moved()
    }

    /// The envelope in the body; of raw JSON, what its headers say.
    pub fn envelope(&self) -> Option<Envelope> {
        self.delivery.envelope()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_comes_back_intact() {
        let mut delivery =
            Delivery { exchange: "a".into(), body: vec![0xff, 0, b'{'], ..Delivery::default() };
        delivery.properties.headers.set("x", crate::wire::Value::Octets(vec![0xfe]));
        let bytes = Original { delivery: delivery.clone() }.to_bytes();
        assert_eq!(Original::of_bytes(&bytes).unwrap().delivery, delivery);
        for cut in 0..bytes.len() {
            assert!(Original::of_bytes(&bytes[..cut]).is_err(), "{cut}");
        }
    }
}
