//! CSV of formats that only a mapping of their columns makes known.

use std::fmt::Write;

use super::{Input, text};

/// Makes an input of each kind of time, of so many rows.
pub(crate) const ALL: &[fn(u64) -> Input] = &[in_milliseconds, in_rfc_3339, by_pattern];

fn in_milliseconds(rows: u64) -> Input {
    let bytes = text("ts,local_ts,sym,px,qty,aggressor", rows, |walk, out| {
        let (ns, price, size) = walk.step();
        let side = if walk.next(2) == 0 { "buy" } else { "sell" };
        let (ms, local) = (ns / 1_000_000, ns + 3_000_000);
        write!(out, "{ms},{local},BTCUSDT,{price},{size},{side}").expect("a String takes all");
    });
    let mapping = "time=ts:ms,recv=local_ts:ns,symbol=sym,price=px,size=qty,side=aggressor";
    Input { what: "times in ms", file: "x.csv", bytes, mapping: Some(mapping) }
}

fn in_rfc_3339(rows: u64) -> Input {
    let bytes = text("time;symbol;bid;bid_size;ask;ask_size", rows, |walk, out| {
        let (ns, price, size) = walk.step();
        let (_, ask, ask_size) = walk.step();
        let time = jiff::Timestamp::from_nanosecond(ns.into()).expect("a time of our days");
        write!(out, "{time:.6};BTCUSDT;{price};{size};{ask};{ask_size}").expect("a String takes all");
    });
    let mapping =
        "time=time:rfc3339,symbol=symbol,bid=bid,bid_size=bid_size,ask=ask,ask_size=ask_size,delimiter=;";
    Input { what: "times of RFC 3339", file: "x.csv", bytes, mapping: Some(mapping) }
}

fn by_pattern(rows: u64) -> Input {
    let bytes = text("time,symbol,price,size,side", rows, |walk, out| {
        let (ns, price, size) = walk.step();
        let time = jiff::Timestamp::from_nanosecond(ns.into()).expect("a time of our days");
        let time = time.strftime("%d.%m.%Y %H:%M:%S%.6f");
        write!(out, "{time},BTCUSDT,{price},{size},B").expect("a String takes all");
    });
    let mapping = "time=time:%d.%m.%Y %H:%M:%S%.f,symbol=symbol,price=price,size=size,side=side";
    Input { what: "times by a pattern", file: "x.csv", bytes, mapping: Some(mapping) }
}
