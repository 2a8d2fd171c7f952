//! Counts and sizes as people write them.

/// A size: `1500`, `16K`, `1M`, in powers of 1024, as sizes of messages are.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    let bytes = parse(text, 1024).filter(|bytes| (1..=64 << 20).contains(bytes));
    bytes.ok_or_else(|| format!("'{text}' is no size from 1 byte to 64M: write 16K or 1M"))
}

/// A count: `1500`, `500K`, `2M`, in powers of 1000.
pub(super) fn parse_count(text: &str) -> Result<u64, String> {
    let count = parse(text, 1000).filter(|count| *count > 0);
    count.ok_or_else(|| format!("'{text}' is no count: write 1500, 500K or 2M"))
}

fn parse(text: &str, thousand: u64) -> Option<u64> {
    let (number, unit) = match text.as_bytes().last()? {
        b'K' | b'k' => (&text[..text.len() - 1], thousand),
        b'M' | b'm' => (&text[..text.len() - 1], thousand * thousand),
        _ => (text, 1),
    };
    number.bytes().all(|c| c.is_ascii_digit()).then(|| number.parse::<u64>().ok()?.checked_mul(unit))?
}

/// The window for bodies of this size: 16 MiB in flight, from 16 messages to 1000.
pub(super) fn window(body_bytes: u64) -> u64 {
    ((16 << 20) / body_bytes.max(1)).clamp(16, 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_multiply() {
        assert_eq!(parse_bytes("160K"), Ok(163_840));
        assert_eq!(parse_count("2M"), Ok(2_000_000));
        assert_eq!(parse_count("7"), Ok(7));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "K", "1.5K", "-1", "+1", "0", "1KM", "99999999999999999999", "18446744073709551615M"]
        {
            assert!(parse_bytes(text).is_err(), "{text}");
            assert!(parse_count(text).is_err(), "{text}");
        }
        assert!(parse_bytes("65M").is_err());
    }

    #[test]
    fn a_window_is_16_mib_within_bounds() {
        assert_eq!([1024, 16 << 10, 160 << 10, 2 << 20].map(window), [1000, 1000, 102, 16]);
    }
}
