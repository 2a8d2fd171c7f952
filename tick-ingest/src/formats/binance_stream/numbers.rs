//! Whole numbers and times of an event.

use super::json::eight_digits;

/// # Errors
/// Why it is no whole number that fits.
#[inline]
pub(super) fn whole_number(digits: &[u8]) -> Result<u64, &'static str> {
    // 19 digits cannot overflow the sum.
    if digits.len() > 19 || digits.is_empty() {
        return unusual_number(digits);
    }
    let mut number: u64 = 0;
    let mut rest = digits;
    while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
        let Some(value) = eight_digits(u64::from_le_bytes(*eight)) else { return unusual_number(digits) };
        number = number * 100_000_000 + value;
        rest = behind;
    }
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return unusual_number(digits);
        }
        number = number * 10 + u64::from(digit);
    }
    Ok(number)
}

/// # Errors
/// What is wrong with a text that is not simply digits.
#[cold]
pub(super) fn unusual_number(text: &[u8]) -> Result<u64, &'static str> {
    match text {
        [b'-', ..] => Err("is negative, and times count from 1970"),
        _ if text.is_empty() || !text.iter().all(u8::is_ascii_digit) => Err("is not a whole number"),
        _ => {
            let text = std::str::from_utf8(text).unwrap_or_default();
            text.parse().map_err(|_| "does not fit 64 bits")
        }
    }
}

/// Milli- or microseconds, distinguished by magnitude, as nanoseconds.
#[inline]
pub(super) fn nanoseconds(time: u64) -> Result<u64, &'static str> {
    const FIRST_MICROSECONDS: u64 = 100_000_000_000_000;
    let unit = if time < FIRST_MICROSECONDS { 1_000_000 } else { 1_000 };
    time.checked_mul(unit).ok_or("lies beyond the year 2554, which nanoseconds in 64 bits cannot hold")
}
