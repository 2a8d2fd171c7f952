//! Captures of Binance's streams with the shapes and the shares of events of a real one.

use std::fmt::Write;

use super::Input;

/// Three book tickers for a trade; and the same with a depth update of 1,600 bytes for every 13 of them.
pub(crate) const ALL: &[fn(u64) -> Input] = &[
    |events| named("bookTicker and trade lines only", capture(events, false)),
    |events| named("with depth updates", capture(events, true)),
];

fn named(what: &'static str, capture: String) -> Input {
    Input { what, file: "in memory", bytes: capture.into_bytes().into(), mapping: None }
}

fn capture(events: u64, with_depth: bool) -> String {
    let mut out = String::new();
    let mut random = 1u64;
    for i in 0..events {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (recv, time) = (1_723_161_255_030_314_667 + i * 150_123, 1_723_161_256_299 + i / 7);
        let price = 6_180_000 + (random >> 40) % 5_000;
        let (bid, ask) = (cents(price), cents(price + 10));
        let (one, two) = (thousandths(random >> 33 & 0x3fff), thousandths(random >> 50));
        if (random >> 60).is_multiple_of(4) {
            let maker = random >> 59 & 1 == 1;
            let id = 5_266_583_935 + i;
            writeln!(out, "{recv} {{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":{time},\"T\":{time},\"s\":\"BTCUSDT\",\"t\":{id},\"p\":\"{bid}\",\"q\":\"{one}\",\"X\":\"MARKET\",\"m\":{maker}}}}}")
                .expect("a String takes all");
        } else {
            let id = 5_123_107_839_020 + i;
            writeln!(out, "{recv} {{\"stream\":\"btcusdt@bookTicker\",\"data\":{{\"e\":\"bookTicker\",\"u\":{id},\"s\":\"BTCUSDT\",\"b\":\"{bid}\",\"B\":\"{one}\",\"a\":\"{ask}\",\"A\":\"{two}\",\"T\":{time},\"E\":{time}}}}}")
                .expect("a String takes all");
        }
        if with_depth && i % 13 == 0 {
            let levels = format!("[\"{bid}\",\"{one}\"],").repeat(35) + "[\"1.00\",\"0.000\"]";
            writeln!(out, "{recv} {{\"stream\":\"btcusdt@depth@0ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{time},\"T\":{time},\"s\":\"BTCUSDT\",\"U\":1,\"u\":2,\"pu\":0,\"b\":[{levels}],\"a\":[{levels}]}}}}")
                .expect("a String takes all");
        }
    }
    out
}

fn cents(n: u64) -> String {
    format!("{}.{:02}", n / 100, n % 100)
}

fn thousandths(n: u64) -> String {
    format!("{}.{:03}", n / 1000, n % 1000)
}
