//! Days and seconds of the Gregorian calendar, and the digits that write them.

/// Seconds of a date and a time of day as if they were UTC's; `None` for what is none, or is near the
/// ends of what a tick can hold.
#[inline]
pub(super) fn seconds_since_1970(
    [year, month, day]: [u32; 3],
    [hour, minute, second]: [u32; 3],
) -> Option<u64> {
    let date = (1970..2554).contains(&year) && matches!(month, 1..=12) && day >= 1;
    if !date || day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days_since_1970(year, month, day) * 86_400 + u64::from(hour * 3600 + minute * 60 + second))
}

/// The number in the two bytes at `at`.
#[inline]
pub(super) fn two_digits(text: &[u8], at: usize) -> Option<u32> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then_some(u32::from(tens) * 10 + u32::from(ones))
}

/// A point and one to nine digits, or nothing; in nanoseconds, and what stands behind.
#[inline]
pub(super) fn parse_fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    match text {
        [b'.', digits @ ..] => parse_decimals(digits),
        _ => Some((0, text)),
    }
}

/// One to nine digits that are decimals of a second, in nanoseconds, and what stands behind.
#[inline]
pub(super) fn parse_decimals(digits: &[u8]) -> Option<(u32, &[u8])> {
    const POWERS: [u32; 10] = [0, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    let mut value = 0;
    let mut count = 0;
    for byte in digits.iter().take(9) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value * 10 + u32::from(digit);
        count += 1;
    }
    let rest = &digits[count..];
    if count == 0 || rest.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Some((value * POWERS[count], rest))
}

#[inline]
fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Years are counted from March, so that the leap day is the last.
#[inline]
fn days_since_1970(year: u32, month: u32, day: u32) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    u64::from(year * 365 + leap_days + day_of_year) - 719_468
}
