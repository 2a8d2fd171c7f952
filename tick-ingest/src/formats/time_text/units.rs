//! Times as numbers of a unit, exactly.

use std::fmt;

use tick_sdk::decimal::parse_digits;

use super::TimeError;

/// A unit that times are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl Unit {
    pub(super) const ALL: [Self; 4] = [Self::Seconds, Self::Millis, Self::Micros, Self::Nanos];

    /// As a mapping writes it.
    pub(super) fn short(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Millis => "ms",
            Self::Micros => "us",
            Self::Nanos => "ns",
        }
    }

    /// How many decimals of it make nanoseconds.
    #[inline]
    const fn decimals(self) -> u32 {
        match self {
            Self::Seconds => 9,
            Self::Millis => 6,
            Self::Micros => 3,
            Self::Nanos => 0,
        }
    }

    #[inline]
    const fn nanoseconds(self) -> u64 {
        10u64.pow(self.decimals())
    }

    /// The unit of a time since the epoch that has so many digits before its point: each unit's numbers
    /// from 1973 to 5138 are told apart.
    #[inline]
    fn of_digits(digits: i64) -> Option<Self> {
        match digits {
            9..=11 => Some(Self::Seconds),
            12..=14 => Some(Self::Millis),
            15..=17 => Some(Self::Micros),
            18..=20 => Some(Self::Nanos),
            _ => None,
        }
    }

    /// The unit of a whole number; see [`of_digits`](Self::of_digits).
    #[inline]
    fn of_number(number: u64) -> Option<Self> {
        match number {
            100_000_000..100_000_000_000 => Some(Self::Seconds),
            100_000_000_000..100_000_000_000_000 => Some(Self::Millis),
            100_000_000_000_000..100_000_000_000_000_000 => Some(Self::Micros),
            100_000_000_000_000_000.. => Some(Self::Nanos),
            _ => None,
        }
    }

    /// Nanoseconds, of a number such as `1723161258362`, `1723161258.362` or `1.7231612e+18`.
    #[inline]
    pub(super) fn parse(self, text: &[u8]) -> Result<u64, TimeError> {
        match parse_digits(text) {
            Some(number) => number.checked_mul(self.nanoseconds()).ok_or(TimeError::After2554),
            None => self.parse_decimal(text),
        }
    }

    fn parse_decimal(self, text: &[u8]) -> Result<u64, TimeError> {
        let short = ShortDecimal::parse(text).and_then(|number| number.in_unit(self));
        short.map_or_else(|| Decimal::parse(text, self)?.in_unit(self), Ok)
    }

    /// The same for a time of day, below 24 hours.
    #[inline]
    pub(super) fn parse_clock(self, text: &[u8]) -> Result<u64, TimeError> {
        const DAY: u64 = 86_400_000_000_000;
        self.parse(text).and_then(|ns| if ns < DAY { Ok(ns) } else { Err(TimeError::NotOfDay) })
    }
}

/// Nanoseconds, of a number whose unit its magnitude shows.
#[inline]
pub(super) fn parse_auto(text: &[u8]) -> Result<u64, TimeError> {
    match parse_digits(text) {
        Some(number) => {
            let unit = Unit::of_number(number).ok_or(TimeError::UnitUnclear)?;
            number.checked_mul(unit.nanoseconds()).ok_or(TimeError::After2554)
        }
        None => parse_auto_decimal(text),
    }
}

fn parse_auto_decimal(text: &[u8]) -> Result<u64, TimeError> {
    if let Some(number) = ShortDecimal::parse(text)
        && let Some(unit) = Unit::of_number(number.digits / 10u64.pow(number.decimals))
        && let Some(ns) = number.in_unit(unit)
    {
        return Ok(ns);
    }
    let number = Decimal::parse(text, Unit::Seconds)?;
    let unit = Unit::of_digits(number.digits_before_point()).ok_or(TimeError::UnitUnclear)?;
    number.in_unit(unit)
}

/// Digits with a point among them, as nearly every time with decimals is written.
struct ShortDecimal {
    digits: u64,
    /// At most 18.
    decimals: u32,
}

impl ShortDecimal {
    /// `None` for what is longer or odd.
    #[inline]
    fn parse(text: &[u8]) -> Option<Self> {
        const LENGTH: usize = 20;
        if text.len() > LENGTH {
            return None;
        }
        let point = text.iter().position(|byte| *byte == b'.').filter(|point| *point > 0)?;
        let mut digits = 0u64;
        for byte in text[..point].iter().chain(&text[point + 1..]) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            // Nineteen digits fit.
            digits = digits * 10 + u64::from(digit);
        }
        Some(Self { digits, decimals: (text.len() - point - 1) as u32 })
    }

    /// `None` for what is finer than a nanosecond or too far away.
    #[inline]
    fn in_unit(&self, unit: Unit) -> Option<u64> {
        let missing = unit.decimals().checked_sub(self.decimals)?;
        self.digits.checked_mul(10u64.pow(missing))
    }
}

/// `digits × 10^exponent`, where the last digit is not 0.
struct Decimal {
    digits: u128,
    exponent: i64,
}

impl Decimal {
    fn parse(text: &[u8], unit: Unit) -> Result<Self, TimeError> {
        let (negative, number) = match text {
            [] => return Err(TimeError::Empty),
            [b'-', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        let wrong = || TimeError::NotANumber(unit);
        let end = number.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (number, exponent) = match end {
            None => (number, 0),
            Some(end) => (&number[..end], parse_exponent(&number[end + 1..]).ok_or_else(wrong)?),
        };
        let point = number.iter().position(|byte| *byte == b'.');
        let whole = &number[..point.unwrap_or(number.len())];
        let fraction = point.map_or(&[][..], |point| &number[point + 1..]);
        if whole.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
            return Err(wrong());
        }
        if negative {
            return Err(TimeError::Before1970);
        }
        Self::of_digits(whole, fraction, exponent)
    }

    fn of_digits(whole: &[u8], fraction: &[u8], exponent: i64) -> Result<Self, TimeError> {
        // Zeros at the end of the decimals say nothing, and must not make the number too long.
        let kept = fraction.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1);
        let mut number = Self { digits: 0, exponent: exponent - kept as i64 };
        for byte in whole.iter().chain(&fraction[..kept]) {
            let digits = number.digits.checked_mul(10);
            let digits = digits.and_then(|digits| digits.checked_add(u128::from(byte - b'0')));
            // So many digits are a time far away, or one far below a nanosecond.
            let beyond = if whole.len() > 20 { TimeError::After2554 } else { TimeError::TooFine };
            number.digits = digits.ok_or(beyond)?;
        }
        while number.digits != 0 && number.digits.is_multiple_of(10) {
            number.digits /= 10;
            number.exponent += 1;
        }
        Ok(number)
    }

    /// How many digits stand before the point, without zeros before them.
    fn digits_before_point(&self) -> i64 {
        self.digits.checked_ilog10().map_or(0, |log| i64::from(log) + 1 + self.exponent)
    }

    fn in_unit(&self, unit: Unit) -> Result<u64, TimeError> {
        if self.digits == 0 {
            return Ok(0);
        }
        let exponent = self.exponent + i64::from(unit.decimals());
        let exponent = u32::try_from(exponent)
            .map_err(|_| if exponent < 0 { TimeError::TooFine } else { TimeError::After2554 })?;
        let value = 10u128.checked_pow(exponent).and_then(|power| power.checked_mul(self.digits));
        value.and_then(|value| u64::try_from(value).ok()).ok_or(TimeError::After2554)
    }
}

/// `18`, `+18`, `-3`; of at most four digits, as no time has more.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"+").or_else(|| text.strip_prefix(b"-")).unwrap_or(text);
    if !(1..=4).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0'));
    Some(if text[0] == b'-' { -value } else { value })
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "seconds",
            Self::Millis => "milliseconds",
            Self::Micros => "microseconds",
            Self::Nanos => "nanoseconds",
        })
    }
}
