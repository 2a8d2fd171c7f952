//! Signals as `orchard replay --signals` writes them, byte for byte.

use std::io::Write;

use tick_sdk::decimal::{UNDEFINED_PRICE, write_decimal};

use super::ReadSignal;

/// Appends a signal's row, with its line break.
pub(crate) fn write_row(signal: &ReadSignal, out: &mut Vec<u8>) {
    write_field(&signal.run, out);
    out.push(b',');
    write_field(&signal.strategy, out);
    out.push(b',');
    write_field(&signal.symbol, out);
    // Writing to memory does not fail.
    let _ = write!(out, ",{},{},{},{},", signal.shard, signal.seq, signal.ts_event, signal.side);
    write_decimal(signal.price.unwrap_or(UNDEFINED_PRICE).into(), out);
    out.push(b'\n');
}

/// A CSV field, quoted where it must be (RFC 4180).
pub(crate) fn write_field(text: &str, out: &mut Vec<u8>) {
    if !text.contains([',', '"', '\n', '\r']) {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}
