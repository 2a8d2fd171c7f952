//! Whole numbers to and from decimal digits, eight digits at a time.
//!
//! A word holds eight characters, the first in its lowest byte, each as its difference from `'0'`.

const ONES: u64 = u64::from_le_bytes([1; 8]);
const ASCII_ZEROS: u64 = ONES * 0x30;

/// Digits and nothing else, at most [`u64::MAX`]; `None` for any other text.
#[inline]
pub fn parse_digits(text: &[u8]) -> Option<u64> {
    const POWERS: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];
    if text.len() < 8 || text.len() > 19 {
        return parse_odd_length(text);
    }
    let (words, rest) = text.as_chunks::<8>();
    let mut value: u64 = 0;
    let mut bad = 0;
    for word in words {
        let digits = u64::from_le_bytes(*word) ^ ASCII_ZEROS;
        bad |= not_digits(digits);
        value = value.wrapping_mul(100_000_000).wrapping_add(eight_digits(digits));
    }
    if let (false, Some(last)) = (rest.is_empty(), text.last_chunk::<8>()) {
        // The last eight bytes again, with a zero for each digit that is already counted.
        let digits = (u64::from_le_bytes(*last) ^ ASCII_ZEROS) & (u64::MAX << (64 - 8 * rest.len()));
        bad |= not_digits(digits);
        value = value.wrapping_mul(POWERS[rest.len() & 7]).wrapping_add(eight_digits(digits));
    }
    (bad == 0).then_some(value)
}

fn parse_odd_length(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { value.checked_mul(10)?.checked_add(u64::from(digit)) }
    })
}

/// One to eight characters as the last of a word, with zeros before them.
#[inline]
pub(super) fn load(text: &[u8]) -> u64 {
    // Two loads that overlap put each character where it belongs, twice where they do.
    let word = match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let unused = 8 * (8 - text.len().min(8));
            u64::from(u32::from_le_bytes(*first)) << unused | u64::from(u32::from_le_bytes(*last)) << 32
        }
        _ => {
            let unused = 8 * (8 - text.len());
            text.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)) << (unused & 63)
        }
    };
    word ^ ASCII_ZEROS & (u64::MAX << ((8 * (8 - text.len().min(8))) & 63))
}

/// Where the first point of a word is, as a number of bytes.
#[inline]
pub(super) fn find_point(word: u64) -> Option<usize> {
    const LOW_BITS: u64 = ONES * 0x7f;
    let others = word ^ (ONES * (b'.' ^ b'0') as u64);
    // The high bit of every byte that is zero, exactly.
    let points = !(((others & LOW_BITS) + LOW_BITS) | others | LOW_BITS);
    (points != 0).then(|| points.trailing_zeros() as usize / 8)
}

/// The word without the character at `at`: what stands before it moves up by one.
#[inline]
pub(super) fn without(word: u64, at: usize) -> u64 {
    let from = u64::MAX << (8 * at);
    (word & from << 8) | (word & !from) << 8
}

/// Nonzero where one of eight characters is not a digit.
#[inline]
pub(super) fn not_digits(word: u64) -> u64 {
    (word.wrapping_add(ONES * 0x76) | word) & (ONES * 0x80)
}

/// Eight digits as a number: neighbours are joined to pairs, pairs to fours, fours to eight.
#[inline]
pub(super) fn eight_digits(word: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let pairs = word.wrapping_mul(10).wrapping_add(word >> 8);
    let odd = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let even = ((pairs >> 16) & PAIRS).wrapping_mul(1 + (10_000 << 32));
    odd.wrapping_add(even) >> 32
}

/// Appends `value` in decimal digits.
#[inline]
pub fn write_digits(value: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    out.extend_from_slice(digits_of(value, &mut digits));
}

/// Two digits a division: half as many as one digit a time.
#[inline]
pub(super) fn digits_of(mut value: u64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut at = buffer.len();
    while value >= 100 {
        let pair = value % 100;
        value /= 100;
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&pair_of_digits(pair));
    }
    if value >= 10 {
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&pair_of_digits(value));
    } else {
        at -= 1;
        buffer[at] = b'0' + value as u8;
    }
    &buffer[at..]
}

#[inline]
fn pair_of_digits(pair: u64) -> [u8; 2] {
    [b'0' + (pair / 10) as u8, b'0' + (pair % 10) as u8]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn digits_are_those_of_the_standard_library(raw in any::<u64>(), shift in 0u32..64) {
            let mut out = Vec::new();
            write_digits(raw >> shift, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), (raw >> shift).to_string());
        }

        #[test]
        fn digits_are_what_they_say(value in any::<u64>(), shift in 0u32..64, zeros in 0usize..4) {
            let text = format!("{}{}", "0".repeat(zeros), value >> shift);
            prop_assert_eq!(parse_digits(text.as_bytes()), Some(value >> shift));
        }

        #[test]
        fn other_texts_are_no_digits(text in "[0-9:/a-]{0,21}|[0-9]{0,22}") {
            prop_assert_eq!(parse_digits(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn any_bytes_are_digits_or_not(text in proptest::collection::vec(any::<u8>(), 0..24)) {
            let expected = std::str::from_utf8(&text).ok().filter(|text| !text.starts_with('+'));
            prop_assert_eq!(parse_digits(&text), expected.and_then(|text| text.parse().ok()));
        }
    }
}
