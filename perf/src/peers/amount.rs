//! Sizes of bodies, and how many are on their way at once.

use tick_sdk::quantity::parse_bytes;

/// The largest body that is measured.
const MAX_BODY_BYTES: u64 = 64 << 20;

/// The size of a body in bytes, up to 64M.
pub(super) fn parse_body_bytes(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text).map_err(|error| error.to_string())?;
    if bytes > MAX_BODY_BYTES {
        return Err(format!("'{text}' is more than a body may have: write 64M or less"));
    }
    Ok(bytes)
}

/// The window for bodies of this size: 16 MiB in flight, from 16 messages to 1000.
pub(super) fn window(body_bytes: u64) -> u64 {
    ((16 << 20) / body_bytes.max(1)).clamp(16, 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_a_limit() {
        assert_eq!(parse_body_bytes("160K"), Ok(163_840));
        assert_eq!(parse_body_bytes("64M"), Ok(64 << 20));
        assert!(parse_body_bytes("65M").is_err() && parse_body_bytes("0").is_err());
    }

    #[test]
    fn a_window_is_16_mib_within_bounds() {
        assert_eq!([1024, 16 << 10, 160 << 10, 2 << 20].map(window), [1000, 1000, 102, 16]);
    }
}
