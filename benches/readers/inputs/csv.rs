//! CSV of known formats.

use std::fmt::Write;
use std::sync::Arc;

use tick_ingest::formats::orchard_csv::CsvTickWriter;
use tick_sdk::{Kind, Side, Tick};

use super::{Input, Walk, text};

/// Makes an input of each format, of so many rows.
pub(crate) const ALL: &[fn(u64) -> Input] = &[
    |rows| named("Orchard", "x.csv", orchard(rows, 1)),
    |rows| named("Orchard, 64 symbols in turn", "x.csv", orchard(rows, 64)),
    |rows| named("Binance trades", "BTCUSDT-trades-2024-08-08.csv", binance_trades(rows)),
    |rows| named("Binance aggTrades", "BTCUSDT-aggTrades-2024-08-08.csv", binance_agg_trades(rows)),
    |rows| named("Binance bookTicker", "BTCUSDT-bookTicker-2024-08-08.csv", binance_book_ticker(rows)),
    |rows| named("Tardis trades", "x.csv", tardis_trades(rows)),
    |rows| named("Tardis quotes", "x.csv", tardis_quotes(rows)),
];

fn named(what: &'static str, file: &'static str, bytes: Arc<[u8]>) -> Input {
    Input { what, file, bytes, mapping: None }
}

fn orchard(rows: u64, symbols: u64) -> Arc<[u8]> {
    let mut writer = CsvTickWriter::new(Vec::new());
    let mut walk = Walk::new();
    let name = |i| if i == 0 { "BTCUSDT".to_owned() } else { format!("COIN{i}USDT") };
    let names: Vec<_> = (0..symbols).map(name).collect();
    for i in 0..rows {
        let (ns, _, _) = walk.step();
        let (price, size) = (walk.price * 100_000_000, walk.next(40_000) * 1_000_000);
        let (ts_event, ts_recv) = (ns, ns + 2_000_000);
        let tick = match i % 4 {
            0 => Tick::trade(ts_event, ts_recv, price, size, Side::BUY),
            1 => Tick::quote(Kind::BID, ts_event, ts_recv, price, size),
            _ => Tick::quote(Kind::ASK, ts_event, ts_recv, price, size).last(),
        };
        let symbol = walk.next(symbols) as usize;
        writer.write(&tick, &names[symbol]).expect("a Vec takes everything");
    }
    writer.finish().expect("a Vec takes everything").into()
}

fn binance_trades(rows: u64) -> Arc<[u8]> {
    text("id,price,qty,quote_qty,time,is_buyer_maker", rows, |walk, out| {
        let (ns, price, size) = walk.step();
        let (id, ms) = (ns % 5_000_000_000, ns / 1_000_000);
        let (whole, parts, maker) = (walk.next(9000), walk.next(9999), walk.next(2) == 0);
        write!(out, "{id},{price},{size},{whole}.{parts:04},{ms},{maker}").expect("a String takes all");
    })
}

fn binance_agg_trades(rows: u64) -> Arc<[u8]> {
    let header = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker";
    text(header, rows, |walk, out| {
        let (ns, price, size) = walk.step();
        let (id, ms, maker) = (ns % 5_000_000_000, ns / 1_000_000, walk.next(2) == 0);
        let last = id + 2;
        write!(out, "{},{price},{size},{id},{last},{ms},{maker}", id / 3).expect("a String takes all");
    })
}

fn binance_book_ticker(rows: u64) -> Arc<[u8]> {
    let header =
        "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time";
    text(header, rows, |walk, out| {
        let (ns, price, size) = walk.step();
        let (_, ask, ask_size) = walk.step();
        let (id, ms) = (ns % 5_000_000_000_000, ns / 1_000_000);
        write!(out, "{id},{price},{size},{ask},{ask_size},{ms},{}", ms + 4).expect("a String takes all");
    })
}

fn tardis_trades(rows: u64) -> Arc<[u8]> {
    text("exchange,symbol,timestamp,local_timestamp,id,side,price,amount", rows, |walk, out| {
        let (ns, price, size) = walk.step();
        let side = if walk.next(2) == 0 { "buy" } else { "sell" };
        let (us, local, id) = (ns / 1000, ns / 1000 + 3011, ns % 5_000_000_000);
        write!(out, "binance-futures,BTCUSDT,{us},{local},{id},{side},{price},{size}")
            .expect("a String takes all");
    })
}

fn tardis_quotes(rows: u64) -> Arc<[u8]> {
    let header = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount";
    text(header, rows, |walk, out| {
        let (ns, price, size) = walk.step();
        let (_, ask, ask_size) = walk.step();
        let (us, local) = (ns / 1000, ns / 1000 + 3011);
        write!(out, "binance-futures,BTCUSDT,{us},{local},{ask_size},{ask},{price},{size}")
            .expect("a String takes all");
    })
}
