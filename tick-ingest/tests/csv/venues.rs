//! CSV of Binance and Tardis, known by itself.

use super::*;

#[test]
fn binance_trades_of_futures_have_a_header_and_the_symbol_in_the_name() {
    let text = "id,price,qty,quote_qty,time,is_buyer_maker\n\
                5250000001,61800.10,0.005,309.0005,1723075200015,true\n\
                5250000002,61800.20,1,61800.2,1723075200016,false\n";
    let (format, batch) = read("data/um/BTCUSDT-trades-2024-08-08.csv.gz", text, &ReadOptions::default());
    assert_eq!(format, Format::BinanceTrades);
    let at = 1_723_075_200_015 * MS;
    assert_eq!(
        batch.ticks,
        [
            Tick::trade(at, at, price("61800.1"), 5_000_000, Side::SELL),
            Tick::trade(at + MS, at + MS, price("61800.2"), 1_000_000_000, Side::BUY),
        ]
    );
    assert_eq!(batch.new_symbols[0].symbol, "BTCUSDT");
    assert_eq!(batch.new_symbols[0].market.as_deref(), Some("binance-usdm"));
}

#[test]
fn binance_files_without_header_are_known_by_their_shape() {
    for (name, line, format, market) in [
        (
            "BTCUSDT-trades-2017-08.csv",
            "1,4261.48,0.1,426.148,1502942428322,True,True",
            Format::BinanceTrades,
            "binance-spot",
        ),
        ("-", "1,4261.48,0.1,426.148,1502942428322,True,True", Format::BinanceTrades, "binance-spot"),
        ("-", "1,4261.48,0.1,426.148,1502942428322,true", Format::BinanceTrades, "binance-usdm"),
        ("-", "1,4261.48,0.1,5,7,1502942428322,true", Format::BinanceAggTrades, "binance-usdm"),
        ("-", "1,4261.48,0.1,5,7,1502942428322000,True,True", Format::BinanceAggTrades, "binance-spot"),
    ] {
        let (found, batch) = read(name, line, &options(Some("BTCUSDT"), None));
        assert_eq!(found, format, "{line}");
        let at = 1_502_942_428_322 * MS;
        assert_eq!(batch.ticks, [Tick::trade(at, at, price("4261.48"), 100_000_000, Side::SELL)], "{line}");
        assert_eq!(batch.new_symbols[0].market.as_deref(), Some(market), "{line}");
    }
}

#[test]
fn binance_book_tickers_are_a_bid_and_an_ask() {
    let line = "4711,61800.1,5,61800.2,0.5,1723075200015,1723075200019\n4712,0,0,61800.2,0.5,1723075200016,1723075200020";
    let (format, batch) = read("BTCUSD_PERP-bookTicker-2024-08-08.csv", line, &ReadOptions::default());
    assert_eq!(format, Format::BinanceBookTicker);
    let at = 1_723_075_200_015 * MS;
    let ask = Tick::quote(Kind::ASK, at, at, price("61800.2"), 500_000_000).last();
    assert_eq!(batch.ticks[..2], [Tick::quote(Kind::BID, at, at, price("61800.1"), 5_000_000_000), ask]);
    assert_eq!(batch.ticks[2].price, UNDEFINED_PRICE);
    assert_eq!(batch.new_symbols[0].market.as_deref(), Some("binance-coinm"));
}

#[test]
fn binance_files_that_were_joined_have_a_header_in_their_middle() {
    let path = format!("{}/tests/data/readers/37/BTCUSDT-trades-2022-08.csv", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let (format, batch) = read(&path, &text, &ReadOptions::default());
    assert_eq!((format, batch.ticks.len()), (Format::BinanceTrades, 4));
    assert_eq!(batch.counts.skipped["repeated header"], 1);

    // Milliseconds, then microseconds; a header of every spelling, and the first is none that is repeated.
    let row = |time: &str| format!("1,4261.48,0.1,5,7,{time},True,True\n");
    let headers = [
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker,is_best_match\n",
        "Aggregate tradeId,Price,Quantity,First tradeId,Last tradeId,Timestamp,Was the buyer the maker,Was the trade the best price match\n",
        "aggTradeId,price,qty,firstId,lastId,time,isBuyerMaker,isBestMatch\n",
    ];
    for header in headers {
        let text = [header, &row("1735689599999"), headers[0], &row("1735689600000001"), header].concat();
        let (_, batch) = read("BTCUSDT-aggTrades-2025.csv", &text, &ReadOptions::default());
        let times: Vec<_> = batch.ticks.iter().map(|tick| tick.ts_recv).collect();
        assert_eq!(times, [1_735_689_599_999 * MS, 1_735_689_600_000_001_000], "{header}");
        assert_eq!(batch.counts.skipped["repeated header"], 2);
    }
    let (_, mut parser) =
        open("BTCUSDT-trades-1.csv", b"1,4261.48,0.1,5,1735689599999,True\n", &ReadOptions::default());
    let other =
        parser.line(b"id,price,time,quote_qty,qty,is_buyer_maker", &mut Batch::default()).unwrap_err();
    assert_eq!(
        other.reason,
        "is the header of another kind of file, which begins here: give the files one by one"
    );
}

#[test]
fn binance_markers_at_price_0_and_times_of_another_unit_are_no_trades() {
    let row = |price: &str, size: &str, time: &str| format!("1,{price},{size},-1,-1,{time},true\n");
    let header = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n";
    let at = "1723075200015";
    let text = [header, &row("0.0", "0.0", at), &row("-0", "1", at), &row("2", "0", at)].concat();
    let (_, batch) = read("BTCUSDT-aggTrades-2024-08-08.csv", &text, &ReadOptions::default());
    assert_eq!((batch.ticks.len(), batch.counts.skipped["trade at price 0"]), (1, 2));
    let seconds = bad_line(
        header.trim_end(),
        row("1", "1", "1723075200").trim_end().as_bytes(),
        &options(Some("BTCUSDT"), None),
    );
    assert_eq!(seconds, "time is before 1973 in milliseconds, which Binance's times are in");
}

#[test]
fn sides_that_are_not_there_are_undefined_and_the_others_are_kept() {
    let none = (UNDEFINED_PRICE, 0);
    let sides = [
        ("0", "0", none),
        ("0.00", "-0.0", none),
        ("-0", "0", none),
        ("", "", none),
        ("", "5", none),
        ("NaN", "NaN", none),
        ("null", "null", none),
        ("None", "", none),
        ("N/A", "0", none),
        ("0", "", none),
        ("1.7976931348623157E308", "0", none),
        ("9223372036854775807", "0", none),
        ("1.5", "", (price("1.5"), 0)),
        ("1.5", "nan", (price("1.5"), 0)),
        ("1.5", "0", (price("1.5"), 0)),
        ("0", "2", (0, 2_000_000_000)),
    ];
    let binance =
        "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time";
    let tardis = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount";
    for (bid, size, side) in sides {
        for (name, header, row) in [
            (
                "BTCUSDT-bookTicker-1.csv",
                binance,
                format!("1,{bid},{size},2.5,7,1723075200015,1723075200015"),
            ),
            ("x.csv", tardis, format!("bybit,X,1723075200015000,1723075200015000,7,2.5,{bid},{size}")),
        ] {
            let (_, batch) = read(name, &format!("{header}\n{row}\n"), &ReadOptions::default());
            let found: Vec<_> = batch.ticks.iter().map(|tick| (tick.price, tick.size)).collect();
            assert_eq!(found, [side, (2_500_000_000, 7_000_000_000)], "{row}");
        }
    }
    for (bid, said) in
        [("x,1", "best_bid_price is not a decimal number"), ("1,x", "best_bid_qty is not a decimal number")]
    {
        let row = format!("1,{bid},2.5,7,1723075200015,1723075200015");
        let error = bad_line(binance, row.as_bytes(), &options(Some("BTCUSDT"), None));
        assert_eq!(error, said);
    }
    let marker =
        "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\nbinance-futures,X,1,1,1,buy,0,0\n";
    let (_, batch) = read("x.csv", marker, &ReadOptions::default());
    assert_eq!((batch.ticks.len(), batch.counts.skipped["trade at price 0"]), (0, 1));
}

#[test]
fn binance_says_which_name_is_missing() {
    let header = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n";
    let error = error_of("trades.csv", header, &ReadOptions::default());
    assert!(error.contains("--symbol") && error.contains("aggTrades"), "{error}");
    let book = "4711,61800.1,5,61800.2,0.5,1723075200015,1723075200019\n";
    let error = error_of("BTCUSDT-trades-2024-08-08.csv", book, &ReadOptions::default());
    assert!(error.contains("BTCUSDT") || error.contains("SYMBOL-bookTicker"), "{error}");
    // Seven numbers in a file that is not called a book ticker may be anything.
    let error = error_of("x.csv", book, &options(Some("BTCUSDT"), None));
    assert!(error.contains("--map"), "{error}");
}

#[test]
fn tardis_columns_come_in_any_order() {
    let text = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n\
                binance,BTCUSDT,1723075200015001,1723075200018002,1,sell,61800.1,0.5\n";
    let (format, batch) = read("x", text, &ReadOptions::default());
    assert_eq!(format, Format::TardisTrades);
    let (event, recv) = (1_723_075_200_015_001_000, 1_723_075_200_018_002_000);
    assert_eq!(batch.ticks, [Tick::trade(event, recv, price("61800.1"), 500_000_000, Side::SELL)]);
    assert_eq!(batch.new_symbols[0].market.as_deref(), Some("binance"));

    let text = "symbol,exchange,bid_price,bid_amount,ask_price,ask_amount,local_timestamp,timestamp\n\
                BTCUSDT,binance,61800.1,2,,,1723075200018002,1723075200015001\n";
    let (format, batch) = read("x", text, &ReadOptions::default());
    assert_eq!(format, Format::TardisQuotes);
    let bid = Tick::quote(Kind::BID, event, recv, price("61800.1"), 2_000_000_000);
    assert_eq!(batch.ticks, [bid, Tick::quote(Kind::ASK, event, recv, UNDEFINED_PRICE, 0).last()]);
}

#[test]
fn other_tardis_files_are_not_taken_for_trades() {
    let changes = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";
    assert!(error_of("x.csv", changes, &ReadOptions::default()).contains("neither trades nor quotes"));
    let trades = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n";
    let liquidations =
        error_of("bybit_liquidations_2024-08-08_BTCUSDT.csv.gz", trades, &ReadOptions::default());
    assert!(liquidations.contains("neither trades nor quotes"));
}

#[test]
fn one_tardis_file_has_one_exchange() {
    let header = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount";
    let (_, mut parser) = open("x.csv", header.as_bytes(), &ReadOptions::default());
    let mut batch = Batch::default();
    parser.line(b"binance,BTCUSDT,1,1,1,sell,1,1", &mut batch).unwrap();
    let error = parser.line(b"bybit,BTCUSDT,1,1,1,sell,1,1", &mut batch).unwrap_err();
    assert_eq!(error.field, "exchange");
    assert_eq!(batch.ticks.len(), 1);
}

#[test]
fn headers_of_joined_files_are_no_bad_lines() {
    let rows = format!("{0}\n1,2,A,trade,buy,1.5,2,1\n{0}\n3,4,B,bid,,,0,0\n", orchard_csv::HEADER);
    let (format, batch) = read("x.csv", &rows, &ReadOptions::default());
    assert_eq!(format, Format::OrchardCsv);
    assert_eq!(
        batch.ticks,
        [
            Tick::trade(1, 2, 1_500_000_000, 2_000_000_000, Side::BUY),
            Tick::quote(Kind::BID, 3, 4, UNDEFINED_PRICE, 0).of(1),
        ]
    );
}
