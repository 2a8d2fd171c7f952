//! How a column says who was the aggressor of a trade.

use tick_sdk::Side;

use super::mapping::{Aggressor, Column};
use crate::formats::csv::fields::Fields;
use crate::{BadField, ReadError};

/// Where a row says who was the aggressor, and by which texts.
pub(super) enum AggressorColumn {
    /// Nowhere.
    None,
    /// By the usual names and codes of a side.
    Side(usize),
    /// By a vendor's own texts.
    SideTexts { place: usize, buy: Vec<u8>, sell: Vec<u8> },
    /// By whether the buyer was the maker.
    BuyerIsMaker(usize),
}

impl AggressorColumn {
    pub(super) fn new(
        aggressor: &Aggressor,
        place: impl Fn(&Column) -> Result<usize, ReadError>,
    ) -> Result<Self, ReadError> {
        let bytes = |text: &String| text.trim().as_bytes().to_vec();
        Ok(match aggressor {
            Aggressor::Unknown => Self::None,
            Aggressor::Side(column) => Self::Side(place(column)?),
            Aggressor::SideTexts { column, buy, sell } => {
                Self::SideTexts { place: place(column)?, buy: bytes(buy), sell: bytes(sell) }
            }
            Aggressor::BuyerIsMaker(column) => Self::BuyerIsMaker(place(column)?),
        })
    }

    #[inline(always)]
    pub(super) fn parse(&self, fields: &Fields<'_>) -> Result<Side, BadField> {
        let text = |place: usize| fields.trimmed(place);
        match self {
            Self::None => Ok(Side::NONE),
            Self::Side(place) => aggressor(text(*place)),
            Self::BuyerIsMaker(place) => taker(text(*place)),
            Self::SideTexts { place, buy, sell } => match text(*place) {
                text if text == buy => Ok(Side::BUY),
                text if text == sell => Ok(Side::SELL),
                b"" => Ok(Side::NONE),
                _ => Err(BadField::new("side", "is neither of the two texts that --map names for it")),
            },
        }
    }
}

/// The names and codes of an aggressor, see [`Aggressor::Side`].
#[inline(always)]
pub(super) fn aggressor(text: &[u8]) -> Result<Side, BadField> {
    let is = |names: &[&str]| names.iter().any(|name| text.eq_ignore_ascii_case(name.as_bytes()));
    match text {
        b"buy" | b"B" => Ok(Side::BUY),
        b"sell" | b"S" => Ok(Side::SELL),
        _ if is(Aggressor::BUY) => Ok(Side::BUY),
        _ if is(Aggressor::SELL) => Ok(Side::SELL),
        _ if is(Aggressor::UNKNOWN) => Ok(Side::NONE),
        _ => Err(BadField::new(
            "side",
            "is none of buy, b, bid, bought, 1; sell, s, sold, a, ask, -1, 2; unknown, u, none, n, 0 or empty",
        )),
    }
}

/// The side that took, where the column says whether the buyer was the maker.
#[inline]
pub(super) fn taker(text: &[u8]) -> Result<Side, BadField> {
    let is = |names: &[&str]| names.iter().any(|name| text.eq_ignore_ascii_case(name.as_bytes()));
    match text {
        b"true" => Ok(Side::SELL),
        b"false" => Ok(Side::BUY),
        _ if is(Aggressor::TRUE) => Ok(Side::SELL),
        _ if is(Aggressor::FALSE) => Ok(Side::BUY),
        _ => Err(BadField::new(
            "maker",
            "is none of true, t, yes, y, 1, buy, b; false, f, no, n, 0, -1, sell, s",
        )),
    }
}
