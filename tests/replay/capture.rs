//! A real capture: its exact figures, and the same signals from an independent implementation.
//!
//! Nothing here comes from Orchard: lines are read by `serde_json`, decimals by a few lines of their
//! own, and Apple and Pear are written from their specification.

use serde_json::Value;

use crate::replaying::{CAPTURE, Row, replay};

#[test]
fn a_capture_gives_exactly_these_figures() {
    let replayed = replay(&[CAPTURE]);
    let json = &replayed.json;
    assert_eq!(json["ticks"], 153_491);
    assert_eq!(
        json["ticks_by_kind"],
        serde_json::json!({"trades": 21_313, "bids": 66_089, "asks": 66_089, "others": 0})
    );
    assert_eq!(json["skipped"], serde_json::json!({"depthUpdate": 6_551, "depthSnapshot": 1}));
    assert_eq!(json["instruments"], 1);
    for figure in ["malformed_lines", "duplicates", "gaps", "saturated_sizes"] {
        assert_eq!(json[figure], 0, "{figure}");
    }
    assert_eq!((replayed.signals_of("apple"), replayed.signals_of("pear")), (292, 177));
    assert_eq!(
        (&json["strategies"][0]["signals"], &json["strategies"][1]["signals"]),
        (&292.into(), &177.into())
    );

    let of = |strategy| move |row: &&Row| row.strategy == strategy;
    let apple = replayed.rows.iter().find(of("apple"));
    assert_eq!(apple, Some(&row("apple", 1_723_161_258_362_000_000, "buy", "61800.1")));
    let pear: Vec<_> = replayed.rows.iter().filter(of("pear")).take(2).collect();
    let first = row("pear", 1_723_161_258_650_000_000, "sell", "61800.2");
    let second = row("pear", 1_723_161_262_942_000_000, "flat", "61808.05");
    assert_eq!(pear, [&first, &second]);
}

#[test]
fn an_independent_implementation_makes_the_same_signals() {
    let mut apple = Apple::default();
    let mut pear = Pear::default();
    let mut expected = Vec::new();
    for event in events() {
        match event {
            Event::Trade { ts_event, price } => {
                let side = apple.trade(price);
                expected.extend(side.map(|side| row("apple", ts_event, side, &decimal(price))));
            }
            Event::Quote { ts_event, bid, ask } => {
                let side = pear.quote(bid, ask);
                let price = ((i128::from(bid) + i128::from(ask)).div_euclid(2)) as i64;
                expected.extend(side.map(|side| row("pear", ts_event, side, &decimal(price))));
            }
        }
    }
    let replayed = replay(&[CAPTURE]).rows;
    assert_eq!(replayed.len(), expected.len());
    let different = replayed.iter().zip(&expected).find(|(replayed, expected)| replayed != expected);
    assert_eq!(different, None);
}

fn row(strategy: &str, ts_event: u64, side: &str, price: &str) -> Row {
    let own = str::to_owned;
    Row { strategy: own(strategy), instrument: own("BTCUSDT"), ts_event, side: own(side), price: own(price) }
}

enum Event {
    Trade { ts_event: u64, price: i64 },
    Quote { ts_event: u64, bid: i64, ask: i64 },
}

/// The capture's events in the order of the file, which is that of their receipt.
fn events() -> Vec<Event> {
    let packed = std::fs::File::open(CAPTURE).expect("the capture is there");
    let text = std::io::read_to_string(zstd::Decoder::new(packed).expect("it is packed with zstd"));
    text.expect("it is text").lines().filter_map(event).collect()
}

fn event(line: &str) -> Option<Event> {
    let (_recv, json) = line.split_once(' ').expect("`recv_ns {json}`");
    let value: Value = serde_json::from_str(json).expect("JSON");
    let value = value.get("data").unwrap_or(&value);
    let ts_event = || value["T"].as_u64().expect("milliseconds") * 1_000_000;
    let price = |field: &str| nanos(value[field].as_str().expect("a decimal in quotes"));
    match value["e"].as_str() {
        Some("trade" | "aggTrade") => Some(Event::Trade { ts_event: ts_event(), price: price("p") }),
        Some("bookTicker") => Some(Event::Quote { ts_event: ts_event(), bid: price("b"), ask: price("a") }),
        _ => None,
    }
}

/// A decimal's text in 1e-9, exactly.
fn nanos(text: &str) -> i64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<9}").parse().expect("nine decimals at most")
}

/// The shortest decimal text of 1e-9 units.
fn decimal(nanos: i64) -> String {
    let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Two exponential averages of trades, which cross.
#[derive(Default)]
struct Apple {
    averages: Option<(f64, f64)>,
    remembered: i32,
}

impl Apple {
    fn trade(&mut self, raw: i64) -> Option<&'static str> {
        let p = raw as f64 * 1e-9;
        let (fast, slow) = match self.averages {
            None => (p, p),
            Some((fast, slow)) => (fast + 2.0 / 13.0 * (p - fast), slow + 2.0 / 27.0 * (p - slow)),
        };
        self.averages = Some((fast, slow));
        let sign = i32::from(fast > slow) - i32::from(fast < slow);
        if sign == 0 || sign == self.remembered {
            return None;
        }
        let before = std::mem::replace(&mut self.remembered, sign);
        (before != 0).then_some(if sign > 0 { "buy" } else { "sell" })
    }
}

/// Mean reversion of the mid price.
#[derive(Default)]
struct Pear {
    n: u32,
    mean: f64,
    var: f64,
    position: i32,
}

impl Pear {
    fn quote(&mut self, bid: i64, ask: i64) -> Option<&'static str> {
        let mid = (bid as f64 * 1e-9 + ask as f64 * 1e-9) * 0.5;
        let earlier = self.n;
        self.n += 1;
        if earlier == 0 {
            self.mean = mid;
            return None;
        }
        let a = 2.0 / 201.0;
        let z = if self.var > 0.0 { (mid - self.mean) / self.var.sqrt() } else { 0.0 };
        let d = mid - self.mean;
        self.mean += a * d;
        self.var = (1.0 - a) * (self.var + a * d * d);
        if earlier < 200 {
            return None;
        }
        let (position, side) = match self.position {
            0 if z > 2.0 => (-1, "sell"),
            0 if z < -2.0 => (1, "buy"),
            -1 if z <= 0.0 => (0, "flat"),
            1 if z >= 0.0 => (0, "flat"),
            _ => return None,
        };
        self.position = position;
        Some(side)
    }
}
