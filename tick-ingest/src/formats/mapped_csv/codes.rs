//! How a column says who was the aggressor of a trade.

use tick_sdk::Side;

use super::mapping::Aggressor;
use crate::BadField;

/// The names and codes of an aggressor, see [`Aggressor::Side`].
#[inline]
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
        _ => Err(BadField::new("maker", "is none of true, t, yes, y, 1; false, f, no, n, 0")),
    }
}
