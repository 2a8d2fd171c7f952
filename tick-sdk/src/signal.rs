//! What a strategy decides, and the compact batch in which decisions are committed.

use thiserror::Error;

use crate::TargetPosition;
use crate::decimal::UNDEFINED_PRICE;

/// The columns of signals as CSV, with the line break, wherever they are written.
pub const SIGNAL_COLUMNS: &str = "run,strategy,instrument,shard,seq,ts_event,side,price\n";

/// The columns of round trips as CSV, with the line break, wherever they are written: times are receive times in ns since
/// the UNIX epoch, money is in the quote unit, the profit is after slippage and fees.
pub const TRADE_COLUMNS: &str =
    "run,strategy,instrument,side,opened_at_ns,closed_at_ns,entry,exit,fees,profit\n";

/// One decision of a strategy about one instrument. Unique by (run, strategy, shard, seq, n); the
/// run, the strategy and the shard are those of the batch that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The causing tick's `ts_event`, or the timer's time, in ns since the UNIX epoch.
    pub ts_event: u64,
    /// The causing tick's `ts_recv`, in ns since the UNIX epoch.
    pub ts_recv: u64,
    /// The causing tick's place in its (run, shard).
    pub seq: u64,
    /// Counts the signals of one (strategy, shard, seq) from 0.
    pub n: u32,
    /// Dense id within (run, shard).
    pub instrument: u32,
    /// The position that it asks for from now on.
    pub side: TargetPosition,
    /// In 1e-9 of the quote unit, as the strategy named it.
    pub price: i64,
    /// The best bid that the strategy's key had seen, [`UNDEFINED_PRICE`] where it had seen none.
    pub bid: i64,
    /// The best ask, likewise.
    pub ask: i64,
}

/// A stored batch that is not one.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "the stored signal batch is damaged at byte {at}: restore the ledger, or begin again with a new --state"
)]
pub struct DamagedBatch {
    /// Where decoding failed.
    pub at: usize,
}

/// Encodes `signals`, in order of (seq, n), as one batch.
///
/// Layout: LEB128 numbers, a record a signal, each field the zigzag difference to the record
/// before where that is small: side, seq, n, instrument, receive time, event time less receive time,
/// price, bid less price, ask less price. A side of the book that is undefined is stored as the side's bit.
pub fn encode_signals(signals: &[Signal], out: &mut Vec<u8>) {
    let mut before = Baseline::default();
    for signal in signals {
        let bid_known = signal.bid != UNDEFINED_PRICE;
        let ask_known = signal.ask != UNDEFINED_PRICE;
        out.push(signal.side as u8 | u8::from(bid_known) << 2 | u8::from(ask_known) << 3);
        put(out, signal.seq.wrapping_sub(before.seq));
        put(out, u64::from(signal.n));
        put(out, u64::from(signal.instrument));
        put_difference(out, signal.ts_recv, before.ts_recv);
        put_difference(out, signal.ts_event, signal.ts_recv);
        put_difference(out, signal.price as u64, before.price as u64);
        if bid_known {
            put_difference(out, signal.bid as u64, signal.price as u64);
        }
        if ask_known {
            put_difference(out, signal.ask as u64, signal.price as u64);
        }
        before = Baseline { seq: signal.seq, ts_recv: signal.ts_recv, price: signal.price };
    }
}

/// Decodes a batch of [`encode_signals`] and appends it to `out`.
///
/// # Errors
/// The bytes are no such batch.
pub fn decode_signals(bytes: &[u8], out: &mut Vec<Signal>) -> Result<(), DamagedBatch> {
    let mut at = 0;
    let mut before = Baseline::default();
    while at < bytes.len() {
        let start = at;
        let signal = decode_one(bytes, &mut at, &before).ok_or(DamagedBatch { at: start })?;
        before = Baseline { seq: signal.seq, ts_recv: signal.ts_recv, price: signal.price };
        out.push(signal);
    }
    Ok(())
}

#[derive(Default)]
struct Baseline {
    seq: u64,
    ts_recv: u64,
    price: i64,
}

fn decode_one(bytes: &[u8], at: &mut usize, before: &Baseline) -> Option<Signal> {
    let bits = *bytes.get(*at)?;
    *at += 1;
    let side = match bits & 3 {
        0 => TargetPosition::Flat,
        1 => TargetPosition::Long,
        2 => TargetPosition::Short,
        _ => return None,
    };
    if bits > 15 {
        return None;
    }
    let seq = before.seq.wrapping_add(get(bytes, at)?);
    let n = u32::try_from(get(bytes, at)?).ok()?;
    let instrument = u32::try_from(get(bytes, at)?).ok()?;
    let ts_recv = get_difference(bytes, at, before.ts_recv)?;
    let ts_event = get_difference(bytes, at, ts_recv)?;
    let price = get_difference(bytes, at, before.price as u64)? as i64;
    let mut book = [UNDEFINED_PRICE; 2];
    for (side, price_of_side) in book.iter_mut().enumerate() {
        if bits & (4 << side) != 0 {
            *price_of_side = get_difference(bytes, at, price as u64)? as i64;
        }
    }
    let [bid, ask] = book;
    Some(Signal { ts_event, ts_recv, seq, n, instrument, side, price, bid, ask })
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_difference(out: &mut Vec<u8>, value: u64, base: u64) {
    let difference = value.wrapping_sub(base) as i64;
    put(out, ((difference << 1) ^ (difference >> 63)) as u64);
}

fn get(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn get_difference(bytes: &[u8], at: &mut usize, base: u64) -> Option<u64> {
    let zigzag = get(bytes, at)?;
    let difference = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
    Some(base.wrapping_add(difference as u64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn any_signal()(
            times in any::<[u64; 3]>(),
            ids in any::<[u32; 2]>(),
            prices in any::<[i64; 3]>(),
            side in 0..3u8,
        ) -> Signal {
            let [ts_event, ts_recv, seq] = times;
            let [n, instrument] = ids;
            let [price, bid, ask] = prices;
            let side = [TargetPosition::Flat, TargetPosition::Long, TargetPosition::Short][side as usize];
            Signal { ts_event, ts_recv, seq, n, instrument, side, price, bid, ask }
        }
    }

    proptest! {
        #[test]
        fn batches_come_back(signals in proptest::collection::vec(any_signal(), 0..50)) {
            let mut bytes = Vec::new();
            encode_signals(&signals, &mut bytes);
            let mut back = Vec::new();
            prop_assert_eq!(decode_signals(&bytes, &mut back), Ok(()));
            prop_assert_eq!(back, signals);
        }

        #[test]
        fn damage_is_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_signals(&bytes, &mut Vec::new());
        }
    }

    #[test]
    fn a_usual_signal_takes_few_bytes() {
        let at = |seq, price| Signal {
            ts_event: 1_723_161_258_362_000_000 + seq * 1000,
            ts_recv: 1_723_161_258_400_000_000 + seq * 1000,
            seq,
            n: 0,
            instrument: 3,
            side: TargetPosition::Long,
            price,
            bid: price - 100_000_000,
            ask: price,
        };
        let mut bytes = Vec::new();
        encode_signals(&[at(100, 61_800_100_000_000), at(160, 61_800_300_000_000)], &mut bytes);
        assert!(bytes.len() < 64, "{} bytes", bytes.len());
    }
}
