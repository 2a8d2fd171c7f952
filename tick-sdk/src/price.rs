//! A price, exact to 1e-9 of the quote unit.

use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::decimal::{DecimalError, UNDEFINED_PRICE, UNITS_PER_ONE, format_decimal, parse_price};

/// A price, or a difference of prices, in decimal fixed point: exact to 1e-9 of the quote unit.
///
/// It is ordered, parsed and printed as the decimal number that it is. Sums, differences and multiples are
/// exact, and stay at the largest or smallest price where they would leave the range of about ±9.2e9.
///
/// ```
/// use tick_sdk::Price;
///
/// let bid: Price = "61800.1".parse().unwrap();
/// let ask: Price = "61800.2".parse().unwrap();
/// assert!(ask > bid && ask - bid == "0.1".parse().unwrap());
/// assert_eq!(bid.midpoint(ask).to_string(), "61800.15");
/// assert_eq!((bid + Price::whole(1)).to_string(), "61801.1");
/// assert_eq!(Price::whole(3).as_f64(), 3.0);
/// assert!(ask / bid > 1.0); // a ratio is a plain number
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Price(i64);

impl Price {
    /// 0.
    pub const ZERO: Self = Self(0);
    /// The largest price there is.
    pub const MAX: Self = Self(UNDEFINED_PRICE - 1);
    /// The smallest price there is.
    pub const MIN: Self = Self(-Self::MAX.0);

    /// So many whole quote units.
    pub const fn whole(units: i32) -> Self {
        Self(units as i64 * UNITS_PER_ONE)
    }

    /// The price of a raw number as a [`Tick`](crate::Tick) holds it, in units of 1e-9; `None` for the mark of
    /// an empty side of the book.
    #[inline]
    pub const fn from_raw(raw: i64) -> Option<Self> {
        if raw == UNDEFINED_PRICE { None } else { Some(Self(raw)) }
    }

    /// The raw number, in units of 1e-9.
    #[inline]
    pub const fn raw(self) -> i64 {
        self.0
    }

    /// The price that is nearest to `value` quote units; `None` where there is none, as for NaN.
    pub fn from_f64(value: f64) -> Option<Self> {
        let raw = (value * UNITS_PER_ONE as f64).round();
        // The bounds are rounded to 2^63, which is not a price any more.
        (raw.abs() < i64::MAX as f64).then_some(Self(raw as i64))
    }

    /// In quote units: raw × 1e-9.
    #[inline]
    pub const fn as_f64(self) -> f64 {
        self.0 as f64 * 1e-9
    }

    /// The middle between two prices, rounded down to 1e-9.
    pub const fn midpoint(self, other: Self) -> Self {
        // The middle of two i64 is an i64; a shift rounds down where a division rounds towards 0.
        Self(((self.0 as i128 + other.0 as i128) >> 1) as i64)
    }

    /// The distance from 0.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self::clamped(self.0.saturating_abs())
    }

    const fn clamped(raw: i64) -> Self {
        if raw > Self::MAX.0 {
            Self::MAX
        } else if raw < Self::MIN.0 {
            Self::MIN
        } else {
            Self(raw)
        }
    }
}

impl Add for Price {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::clamped(self.0.saturating_add(other.0))
    }
}

impl Sub for Price {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::clamped(self.0.saturating_sub(other.0))
    }
}

impl Neg for Price {
    type Output = Self;

    fn neg(self) -> Self {
        Self::clamped(self.0.saturating_neg())
    }
}

impl Mul<i64> for Price {
    type Output = Self;

    fn mul(self, factor: i64) -> Self {
        Self::clamped(self.0.saturating_mul(factor))
    }
}

/// The ratio of two prices.
impl Div for Price {
    type Output = f64;

    fn div(self, other: Self) -> f64 {
        self.0 as f64 / other.0 as f64
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format_decimal(self.0))
    }
}

impl fmt::Debug for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Price({self})")
    }
}

impl FromStr for Price {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        parse_price(text.as_bytes()).map(Self)
    }
}

impl From<Price> for i64 {
    fn from(price: Price) -> Self {
        price.0
    }
}

impl TryFrom<i64> for Price {
    type Error = DecimalError;

    fn try_from(raw: i64) -> Result<Self, DecimalError> {
        Self::from_raw(raw).ok_or(DecimalError::OutOfRange)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn prices_are_decimal_numbers() {
        assert_eq!(price("-0.25") + price("1"), price("0.75"));
        assert_eq!(-price("2.5") * 3, price("-7.5"));
        assert_eq!((-price("2.5")).abs(), price("2.5"));
        assert_eq!(Price::whole(-3).to_string(), "-3");
        assert_eq!(format!("{:>6}", price("1.5")), "   1.5");
        assert_eq!(format!("{:?}", price("1.5")), "Price(1.5)");
        assert_eq!(price("3") / price("2"), 1.5);
        assert!("1.2.3".parse::<Price>().is_err());
    }

    #[test]
    fn the_mark_of_an_empty_side_is_not_a_price() {
        assert_eq!(Price::from_raw(UNDEFINED_PRICE), None);
        assert_eq!(Price::MAX + Price::MAX, Price::MAX);
        assert_eq!(Price::MIN - Price::MAX, Price::MIN);
        assert!(serde_json::from_str::<Price>(&UNDEFINED_PRICE.to_string()).is_err());
        assert_eq!(serde_json::from_str::<Price>("1500000000").unwrap(), price("1.5"));
    }

    #[test]
    fn doubles_are_rounded_to_the_nearest_price() {
        assert_eq!(Price::from_f64(61_800.1), Some(price("61800.1")));
        assert_eq!(Price::from_f64(-1e-9), Some(price("-0.000000001")));
        for outside in [f64::NAN, f64::INFINITY, 1e11, -1e11] {
            assert_eq!(Price::from_f64(outside), None, "{outside}");
        }
    }

    proptest! {
        #[test]
        fn arithmetic_never_leaves_the_range(a in any::<i64>(), b in any::<i64>(), factor in any::<i64>()) {
            let [a, b] = [Price::clamped(a), Price::clamped(b)];
            for result in [a + b, a - b, -a, a.abs(), a * factor, a.midpoint(b)] {
                prop_assert!((Price::MIN..=Price::MAX).contains(&result));
            }
            let exact = (i128::from(a.raw()) + i128::from(b.raw())).div_euclid(2);
            prop_assert_eq!(i128::from(a.midpoint(b).raw()), exact);
        }
    }
}
