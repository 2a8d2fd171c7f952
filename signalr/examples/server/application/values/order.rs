//! A message of an application, with what messages have: names, an enum, a list, a map, and what may be missing.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ts_rs::TS;

use super::Decimal;
use super::times::DateTime;

/// `Buy` or `Sell`: a number in JSON, which may be one that has no name; in MessagePack the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, TS)]
#[ts(type = "number | string")]
pub(in super::super) struct Side(pub(in super::super) i32);

const SIDES: [&str; 2] = ["Buy", "Sell"];

impl Side {
    pub(in super::super) const SELL: Self = Self(1);
}

impl Serialize for Side {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_i32(self.0);
        }
        let name = usize::try_from(self.0).ok().and_then(|side| SIDES.get(side));
        name.map_or_else(|| self.0.to_string(), |name| (*name).to_owned()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Side {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return i32::deserialize(deserializer).map(Self);
        }
        match String::deserialize(deserializer)?.as_str() {
            "Buy" => Ok(Self(0)),
            "Sell" => Ok(Self::SELL),
            other => Err(D::Error::unknown_variant(other, &SIDES)),
        }
    }
}

/// An order. What a client leaves out has its default.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub(in super::super) struct Order {
    #[serde(alias = "Id")]
    pub(in super::super) id: i32,
    #[serde(alias = "Name")]
    pub(in super::super) name: String,
    #[serde(alias = "Side")]
    pub(in super::super) side: Side,
    #[serde(alias = "Comment")]
    pub(in super::super) comment: Option<String>,
    #[serde(alias = "Limit")]
    pub(in super::super) limit: Option<f64>,
    #[serde(alias = "Created")]
    pub(in super::super) created: DateTime,
    #[serde(alias = "Legs")]
    pub(in super::super) legs: Vec<Leg>,
    #[serde(alias = "Tags")]
    pub(in super::super) tags: BTreeMap<String, i32>,
}

/// A part of an order.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Leg {
    #[serde(alias = "Symbol")]
    symbol: String,
    #[serde(alias = "Price")]
    price: Decimal,
    #[serde(alias = "Quantity")]
    quantity: i32,
}

impl Order {
    /// The one that hubs give.
    pub(in super::super) fn first() -> Self {
        Self {
            id: 7,
            name: "first".to_owned(),
            side: Side::SELL,
            comment: None,
            limit: Some(1.5),
            created: DateTime::utc("2026-11-29T10:30:15"),
            legs: vec![Leg { symbol: "ESZ6".to_owned(), price: Decimal("5000.25".to_owned()), quantity: 2 }],
            tags: BTreeMap::from([("desk".to_owned(), 1), ("Book".to_owned(), 2)]),
        }
    }
}
