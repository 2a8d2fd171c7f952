//! Generated tables of ticks are guessed right, whatever their columns are called and in whatever order.

use proptest::prelude::*;
use tick_sdk::{Kind, Side};

use super::{guessed, read_by};

const TIMES: [&str; 6] = ["time", "Timestamp", "trade_time", "ts_ms", "created_time", "<TIME>"];
const SYMBOLS: [&str; 6] = ["symbol", "instrument_name", "instId", "Ticker", "contract", "code"];
const PRICES: [&str; 4] = ["price", "Px", "trade_price", "rate"];
const SIZES: [&str; 5] = ["size", "Qty", "amount", "volume", "size(base)"];
const SIDES: [&str; 4] = ["side", "aggressor", "taker_side", "direction"];
const IDS: [&str; 4] = ["trade_id", "id", "sequence_number", "tid"];
const BIDS: [[&str; 4]; 4] = [
    ["bid", "bid_size", "ask", "ask_size"],
    ["bidPrice1", "bidVolume1", "askPrice1", "askVolume1"],
    ["best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty"],
    ["bid_1_px", "bid_1_sz", "ask_1_px", "ask_1_sz"],
];
const DELIMITERS: [&str; 4] = [",", ";", "\t", "|"];

/// A time in one of the ways people write it.
fn written(style: usize, ms: u64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms as i64).unwrap();
    match style {
        0 => ms.to_string(),
        1 => format!("{}.{:03}", ms / 1000, ms % 1000),
        2 => format!("{ms}000"),
        3 => format!("{ms}000000"),
        4 => time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        5 => time.strftime("%Y.%m.%d %H:%M:%S%.3f").to_string(),
        6 => time.strftime("%Y%m%d-%H:%M:%S%.3f").to_string(),
        _ => time.strftime("%Y-%m-%dD%H:%M:%S%.3f").to_string(),
    }
}

fn joined(rows: &[Vec<String>], order: &[usize], delimiter: &str) -> String {
    let line = |row: &Vec<String>| {
        let cells: Vec<&str> = order.iter().map(|place| row[*place].as_str()).collect();
        cells.join(delimiter) + "\n"
    };
    rows.iter().map(line).collect()
}

fn places(columns: usize) -> impl Strategy<Value = Vec<usize>> {
    Just((0..columns).collect::<Vec<usize>>()).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn trades_are_guessed_right(
        names in (0..TIMES.len(), 0..SYMBOLS.len(), 0..PRICES.len(), 0..SIZES.len(), 0..SIDES.len(), 0..IDS.len()),
        trades in proptest::collection::vec((1u64..5000, 0usize..3, 60_000u64..61_000, 1u64..1000, any::<bool>()), 2..30),
        style in 0usize..8,
        delimiter in 0..DELIMITERS.len(),
        order in places(6),
    ) {
        let (time, symbol, price, size, side, id) = names;
        let header = [TIMES[time], SYMBOLS[symbol], PRICES[price], SIZES[size], SIDES[side], IDS[id]];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        let mut ms = 1_717_200_000_123;
        for (i, (step, symbol, price, size, is_buy)) in trades.iter().enumerate() {
            ms += step;
            rows.push(vec![
                written(style, ms),
                ["BTC-USDT", "ETH-USDT", "SOL-USDT"][*symbol].to_owned(),
                format!("{}.{}", price / 10, price % 10),
                format!("0.{size:03}"),
                if *is_buy { "buy" } else { "sell" }.to_owned(),
                (1_073_391_187 + i).to_string(),
            ]);
        }
        let text = joined(&rows, &order, DELIMITERS[delimiter]);
        let guess = guessed("table.csv", &text);
        let batch = read_by(&guess, "table.csv", &text);
        prop_assert_eq!(batch.ticks.len(), trades.len(), "{}", guess.mapping);
        let mut ms = 1_717_200_000_123;
        for (tick, (step, symbol, price, size, is_buy)) in batch.ticks.iter().zip(&trades) {
            ms += step;
            let side = if *is_buy { Side::BUY } else { Side::SELL };
            prop_assert_eq!((tick.kind, tick.side), (Kind::TRADE, side), "{}", guess.mapping);
            prop_assert_eq!(tick.ts_event, ms * 1_000_000, "{}", guess.mapping);
            prop_assert_eq!((tick.price, tick.size), (*price as i64 * 100_000_000, size * 1_000_000));
            let name = &batch.new_symbols[tick.instrument as usize].symbol;
            prop_assert_eq!(name, ["BTC-USDT", "ETH-USDT", "SOL-USDT"][*symbol]);
        }
    }

    #[test]
    fn quotes_are_guessed_right(
        names in (0..TIMES.len(), 0..SYMBOLS.len(), 0..BIDS.len()),
        quotes in proptest::collection::vec((1u64..5000, 10_000u64..10_100, 1u64..10, 1u64..1000), 2..30),
        style in 0usize..8,
        has_header in any::<bool>(),
        order in places(6),
    ) {
        let (time, symbol, bid) = names;
        let [bid, bid_size, ask, ask_size] = BIDS[bid];
        let header = [TIMES[time], SYMBOLS[symbol], bid, bid_size, ask, ask_size];
        let mut rows = Vec::new();
        if has_header {
            rows.push(header.map(str::to_owned).to_vec());
        }
        let mut ms = 1_717_200_000_123;
        let price = |units: u64| format!("{}.{:04}", units / 10_000, units % 10_000);
        for (step, bid, spread, size) in &quotes {
            ms += step;
            let row = [written(style, ms), "EUR/USD".to_owned(), price(*bid), size.to_string(), price(bid + spread), (size + 5).to_string()];
            rows.push(row.to_vec());
        }
        // Without names the order is what says which is which.
        let order = if has_header { order } else { (0..6).collect() };
        let text = joined(&rows, &order, ",");
        let guess = guessed("table.csv", &text);
        let batch = read_by(&guess, "table.csv", &text);
        prop_assert_eq!(batch.ticks.len(), quotes.len() * 2, "{}", guess.mapping);
        for (ticks, (_, bid, spread, size)) in batch.ticks.chunks(2).zip(&quotes) {
            prop_assert_eq!((ticks[0].kind, ticks[1].kind), (Kind::BID, Kind::ASK), "{}", guess.mapping);
            prop_assert_eq!(ticks[0].price, *bid as i64 * 100_000, "{}", guess.mapping);
            prop_assert_eq!(ticks[1].price, (bid + spread) as i64 * 100_000, "{}", guess.mapping);
            prop_assert_eq!((ticks[0].size, ticks[1].size), (size * 1_000_000_000, (size + 5) * 1_000_000_000));
        }
    }

    #[test]
    fn any_text_is_guessed_or_refused(head in "([a-zA-Z0-9.:,;|\t\"'#%/ -]{0,40}\n){0,8}") {
        let _ = tick_ingest::formats::mapped_csv::guess("x.csv", head.as_bytes(), &Default::default());
    }

    #[test]
    fn any_bytes_are_guessed_or_refused(head in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = tick_ingest::formats::mapped_csv::guess("x.csv", &head, &Default::default());
    }
}
