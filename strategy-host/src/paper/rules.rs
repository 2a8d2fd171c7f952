//! At which price a signal is filled, and what that costs.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use thiserror::Error;
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::signal::Signal;
use tick_sdk::{TargetPosition, decimal};

/// How signals are filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PaperRules {
    /// Which price.
    pub fill: Fill,
    /// How much worse than it: a buy pays this share more, a sell gets this share less.
    pub slippage_bp: BasisPoints,
    /// The share of the price paid for each fill.
    pub fee_bp: BasisPoints,
}

/// The price before slippage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// The signal's own price.
    #[default]
    Signal,
    /// The other side of the book at that tick: a buy at the ask, a sell at the bid; where that side
    /// is empty, the signal's own price.
    Cross,
}

impl Fill {
    /// `signal` or `cross`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Cross => "cross",
        }
    }
}

/// A share in 1e-4, exact to nine decimals, from -10,000 (a rebate of the whole price) to 10,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BasisPoints {
    /// In 1e-9 of a basis point.
    raw: i64,
}

/// A text that is no [`BasisPoints`].
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{text:?} {reason}: give basis points as a decimal number from -10000 to 10000, such as 0.5")]
pub struct BasisPointsError {
    text: String,
    reason: String,
}

/// 10,000 basis points in 1e-9 of one: what a share is divided by.
const WHOLE: i64 = 10_000 * tick_sdk::decimal::UNITS_PER_ONE;

impl FromStr for BasisPoints {
    type Err = BasisPointsError;

    fn from_str(text: &str) -> Result<Self, BasisPointsError> {
        let error = |reason: String| BasisPointsError { text: text.to_owned(), reason };
        let raw = decimal::parse_price(text.as_bytes()).map_err(|reason| error(reason.to_string()))?;
        if raw.abs() > WHOLE {
            return Err(error("is more than the whole price".to_owned()));
        }
        Ok(Self { raw })
    }
}

impl fmt::Display for BasisPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::format_decimal(self.raw))
    }
}

impl Serialize for BasisPoints {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl BasisPoints {
    /// This share of `|price|`, to the nearest unit, halves away from zero.
    fn of(self, price: i128) -> i128 {
        let (share, whole) = (price.abs() * i128::from(self.raw), i128::from(WHOLE));
        (share + share.signum() * (whole / 2)) / whole
    }
}

/// A price before slippage.
pub(super) struct Quoted {
    pub(super) price: i64,
    /// The side of the book that the rules ask for was empty.
    pub(super) is_fallback: bool,
}

impl PaperRules {
    /// The price before slippage of a fill in `direction`; `None` where there is none at all.
    pub(super) fn quoted(&self, direction: TargetPosition, signal: &Signal) -> Option<Quoted> {
        let other_side = if direction == TargetPosition::Long { signal.ask } else { signal.bid };
        let (price, is_fallback) = match self.fill {
            Fill::Signal => (signal.price, false),
            Fill::Cross if other_side == UNDEFINED_PRICE => (signal.price, true),
            Fill::Cross => (other_side, false),
        };
        (price != UNDEFINED_PRICE).then_some(Quoted { price, is_fallback })
    }

    /// `price` made worse by the slippage.
    pub(super) fn slipped(&self, direction: TargetPosition, price: i64) -> i128 {
        let price = i128::from(price);
        let slippage = self.slippage_bp.of(price);
        if direction == TargetPosition::Long { price + slippage } else { price - slippage }
    }

    /// What a fill at `price` costs.
    pub(super) fn fee_of(&self, price: i128) -> i128 {
        self.fee_bp.of(price)
    }
}
