//! Small files of the shapes that vendors publish.

use tick_ingest::ReadOptions;
use tick_ingest::formats::mapped_csv::guess;

use super::{guessed, read_by, refused};

/// Name, text, mapping, ticks.
const FILES: &[(&str, &str, &str, usize)] = &[
    (
        "BTCUSDT2021-05-01.csv",
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional
1585180700.0647,BTCUSDT,Buy,0.042,6698.5,PlusTick,0a4c7ed8-1f93-5ad1-89f0-dbc2c1d5b2e1,28133700000,0.042,281.337
1585180701.1138,BTCUSDT,Sell,0.01,6698,MinusTick,1b4c7ed8-1f93-5ad1-89f0-dbc2c1d5b2e2,6698000000,0.01,66.98
",
        "time=timestamp:s,symbol=symbol,price=price,size=size,side=side",
        2,
    ),
    (
        "BTCUSDT-2024-06-01.csv",
        "id,timestamp,price,volume,side\n1,1717200000123,67510.1,0.5,buy\n2,1717200000456,67510,0.25,sell\n",
        "time=timestamp:ms,price=price,size=volume,side=side",
        2,
    ),
    (
        "okx-old.csv",
        "trade_id/撮合id,side/交易方向,size/数量,price/价格,created_time/成交时间\n\
         445000001,buy,0.5,67510.1,1717200000123\n445000002,sell,1.5,67510,1717200000456\n",
        "time=created_time/成交时间:ms,price=price/价格,size=size/数量,side=side/交易方向",
        2,
    ),
    (
        "kraken-rest.csv",
        "price,volume,time,side,ordertype,misc,trade_id\n\
         60000.1,0.001,1717200000.1234,b,l,,1\n60000.2,0.002,1717200001.5,s,m,,2\n",
        "time=time:s,price=price,size=volume,side=side",
        2,
    ),
    (
        "coinbase.csv",
        "trade_id,time,price,size,side\n\
         1,2024-06-01T00:00:00.123456Z,67510.1,0.5,buy\n2,2024-06-01T00:00:01.5Z,67510.0,0.25,sell\n",
        "time=time:rfc3339,price=price,size=size,side=side",
        2,
    ),
    (
        "coinbase.csv",
        "trade_id;time;size(base);price;side\n\
         1;2024-06-01T00:00:00.123456Z;0.5;67510.1;buy\n2;2024-06-01T00:00:01.5Z;0.25;67510.0;sell\n",
        "time=time:rfc3339,price=price,size=size(base),side=side,delimiter=;",
        2,
    ),
    (
        "polygon-trades.csv",
        "ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,sip_timestamp,size,tape,trf_id,trf_timestamp
AAPL,\"12,37\",0,11,1,1717401600000102030,192.51,101,1717401600000123456,5,3,0,0
AAPL,\"12,37\",1,4,2,1717401600000202030,192.52,102,1717401600000223456,7,3,202,1717401600000212345
AAPL,,0,4,3,1717401600000302030,192.53,103,1717401600000323456,100,3,202,1717401600000312345
",
        "time=sip_timestamp:ns,symbol=ticker,price=price,size=size,only=correction:0",
        2,
    ),
    (
        "DAT_ASCII_EURUSD_T_202401.csv",
        "20240102 000000123,1.104270,1.104310,0\n20240102 000000391,1.104280,1.104310,0\n\
         20240102 000001004,1.104260,1.104300,0\n",
        "time=#1:%Y%m%d %H%M%S%f,bid=#2,ask=#3",
        6,
    ),
    (
        "EURUSD_Ticks.csv",
        "Gmt time,Ask,Bid,AskVolume,BidVolume\n\
         08.03.2024 15:30:00.101,1.09381,1.09374,0.75,1.5\n08.03.2024 15:30:00.356,1.09382,1.09375,0.75,1.5\n",
        "time=Gmt time:%d.%m.%Y %H:%M:%S%.f,bid=Bid,bid_size=BidVolume,ask=Ask,ask_size=AskVolume",
        4,
    ),
    (
        "lobster/AAPL_2012-06-21_34200000_57600000_message_5.csv",
        "34200.004241176,1,16113575,18,5853300,1\n34200.025551909,4,16113584,18,5853200,1\n\
         34200.201743003,3,16120456,18,5859100,-1\n34200.201781237,5,0,100,5859200,-1\n",
        "time=#1:s,price=#5:1e-4,size=#4,only=#2:4|5,date=2012-06-21",
        2,
    ),
    (
        "20240102.csv",
        "Date,Timestamp,EventType,Ticker,Price,Quantity,Exchange,Conditions
20240102,04:00:00.139,QUOTE BID,AAPL,185.1,100,ARCA,00000001
20240102,04:00:00.140,TRADE,AAPL,185.2,5,ARCA,80000008
20240102,04:00:00.150,TRADE CANCELLED,AAPL,185.2,5,ARCA,80000008
20240102,04:00:01.201,TRADE NB,AAPL,185.21,15,NASDAQ,80000008
",
        "time=Date+Timestamp:%Y%m%d %H:%M:%S%.f,symbol=Ticker,price=Price,size=Quantity,only=EventType:TRADE|TRADE NB",
        2,
    ),
    (
        "EQY_US_ALL_TRADE_20180305.txt",
        "Time|Exchange|Symbol|Sale_Condition|Trade_Volume|Trade_Price|Trade_Stop_Stock_Indicator|Trade_Correction_Indicator|Sequence_Number
093000123456789|P|AAPL|@ TI|5|175.21||00|1001
093000223456789|D|AAPL|@ T|100|175.22||00|1002
093000323456789|D|AAPL|@ T|100|185.22||08|1003
END|20180305|3||||||
",
        "time=Time:%H%M%S%f,symbol=Symbol,price=Trade_Price,size=Trade_Volume,only=Trade_Correction_Indicator:00,date=2018-03-05,delimiter=|,trailer=END",
        2,
    ),
    (
        "taq-wrds.csv",
        "DATE,TIME_M,EX,SYM_ROOT,SYM_SUFFIX,TR_SCOND,SIZE,PRICE,TR_CORR
20180305,9:30:00.123456789,P,AAPL,,@ TI,5,175.21,00
20180305,9:30:00.223456789,D,AAPL,,@ T,100,175.22,00
20180305,10:30:00.323456789,D,AAPL,,@ T,100,175.22,12
",
        "time=DATE+TIME_M:%Y%m%d %H:%M:%S%.f,symbol=SYM_ROOT,price=PRICE,size=SIZE,only=TR_CORR:00",
        2,
    ),
    (
        "equity/20131007_spy_tick_trade.csv",
        "34200012,1688500,100,P,@,0\n34200456,1688600,50,Q,@,0\n34201000,1698600,50,Q,@,1\n",
        "time=#1:ms,price=#2:1e-4,size=#3,only=#6:0,date=2013-10-07",
        2,
    ),
    (
        "20140501_eurusd_tick_quote.csv",
        "123,1.38651,1.38662\n456,1.38652,1.38663\n",
        "time=#1:ms,bid=#2,ask=#3,date=2014-05-01",
        4,
    ),
    (
        "coinapi.csv",
        "time_exchange;time_coinapi;guid;price;base_amount;taker_side\n\
         2024-06-01T00:00:00.1234567Z;2024-06-01T00:00:00.2234567Z;0a1b;67510.1;0.5;BUY\n\
         2024-06-01T00:00:01.1234567Z;2024-06-01T00:00:01.2234567Z;0a1c;67510.2;0.5;SELL\n",
        "time=time_exchange:rfc3339,recv=time_coinapi:rfc3339,price=price,size=base_amount,side=taker_side,delimiter=;",
        2,
    ),
    (
        "coinapi-quotes.csv",
        "time_exchange;time_coinapi;ask_px;ask_sx;bid_px;bid_sx\n\
         2024-06-01T00:00:00.1234567Z;2024-06-01T00:00:00.2234567Z;67510.2;1;67510.1;0.5\n",
        "time=time_exchange:rfc3339,recv=time_coinapi:rfc3339,bid=bid_px,bid_size=bid_sx,ask=ask_px,ask_size=ask_sx,delimiter=;",
        2,
    ),
    (
        "bitmex-quote.csv",
        "timestamp,symbol,bidSize,bidPrice,askPrice,askSize\n\
         2020-03-01D00:00:03.145123000,XBTUSD,100,8531.5,8532,200\n",
        "time=timestamp:%Y-%m-%dD%H:%M:%S%.f,symbol=symbol,bid=bidPrice,bid_size=bidSize,ask=askPrice,ask_size=askSize",
        2,
    ),
    (
        "deep.csv",
        "ts,inst_id,bid_1_px,bid_1_sz,ask_1_px,ask_1_sz,bid_2_px,bid_2_sz,ask_2_px,ask_2_sz\n\
         1717200000123,BTC-USDT,100.1,1,100.2,2,100.0,3,100.3,4\n",
        "time=ts:ms,symbol=inst_id,bid=bid_1_px,bid_size=bid_1_sz,ask=ask_1_px,ask_size=ask_1_sz",
        2,
    ),
    (
        "ctp.csv",
        "datetime,contract,last_price,highest,lowest,bidPrice1,bidVolume1,askPrice1,askVolume1,volume\n\
         2024-06-03 09:00:00.500,rb2410,3650,3655,3640,3649,12,3650,7,1000\n",
        "time=datetime:rfc3339,symbol=contract,bid=bidPrice1,bid_size=bidVolume1,ask=askPrice1,ask_size=askVolume1",
        2,
    ),
    (
        "binance-raw.csv",
        "e,E,s,t,p,q,T,m\ntrade,1717200000125,BTCUSDT,1073391187,67510.1,0.5,1717200000123,true\n\
         trade,1717200000225,BTCUSDT,1073391188,67510.2,0.5,1717200000223,false\n",
        "time=T:ms,symbol=s,price=p,size=q,maker=m",
        2,
    ),
    (
        "sell-flag.csv",
        "ts,code,px,qty,amount,sell\n1717200000123,BTC,100,2,200,1\n1717200000223,ETH,101,3,303,0\n",
        "time=ts:ms,symbol=code,price=px,size=qty,maker=sell",
        2,
    ),
    (
        "truefx.csv",
        "pair,time,bid,ask\nEUR/USD,20240102 00:00:00.123,1.10427,1.10431\n",
        "time=time:%Y%m%d %H:%M:%S%.f,symbol=pair,bid=bid,ask=ask",
        2,
    ),
    (
        "fine.csv",
        "time,symbol,price,size\n1717200000123,PEPE,0.00000123456,5\n1717200000124,PEPE,0.00000123457,5\n",
        "time=time:ms,symbol=symbol,price=price:1e-12,size=size",
        2,
    ),
    (
        "us-thousands.csv",
        "Time,Symbol,Price,Size\n06/13/2024 09:30:00 AM,BRK.A,\"612,345.5\",\"1,200\"\n06/13/2024 01:30:00 PM,BRK.A,\"612,345.0\",3\n",
        "time=Time:%m/%d/%Y %I:%M:%S%.f %p,symbol=Symbol,price=Price,size=Size,thousands=comma",
        2,
    ),
    (
        "finam.txt",
        "<TICKER>;<PER>;<DATE>;<TIME>;<LAST>;<VOL>\nSPFB.RTS;0;20240601;095959;123450.0;1\nSPFB.RTS;0;20240601;100000;123460.0;3\n",
        "time=<DATE>+<TIME>:%Y%m%d %H%M%S%.f,symbol=<TICKER>,price=<LAST>,size=<VOL>,delimiter=;",
        2,
    ),
    (
        "excel.csv",
        "sep=;\nTime;Symbol;Price;Qty;Cancelled\n1/6/2024 9:30:01;ESZ4;5298,25;3;no\n13/6/2024 9:30:02;ESZ4;5298,5;1;no\nTotal: 2\n",
        "time=Time:%d/%m/%Y %H:%M:%S%.f,symbol=Symbol,price=Price,size=Qty,only=Cancelled:no,delimiter=;,skip=1,trailer=Total,decimal=comma",
        2,
    ),
    (
        "day-and-ms.csv",
        "date,ms_of_day,symbol,price,size\n20240601,34200123,SPY,527.1,100\n20240601,34200456,SPY,527.2,5\n",
        "time=date+ms_of_day:%Y%m%d+ms,symbol=symbol,price=price,size=size",
        2,
    ),
];

#[test]
fn each_vendors_file_is_guessed_and_read() {
    let mut wrong = Vec::new();
    for (name, text, mapping, ticks) in FILES {
        match guess(name, text.as_bytes(), &ReadOptions::default()) {
            Ok(guess) if guess.mapping.to_string() == *mapping => {
                assert_eq!(read_by(&guess, name, text).ticks.len(), *ticks, "{name}: {mapping}");
            }
            Ok(guess) => wrong.push(format!("{name}: {}\n  instead of {mapping}", guess.mapping)),
            Err(none) => wrong.push(format!("{name}: {none:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_vendors_shape_says_is_used() {
    let guess = |name: &str| {
        let (name, text, ..) = FILES.iter().find(|(file, ..)| file.ends_with(name)).expect(name);
        guessed(name, text)
    };
    assert_eq!(guess("_message_5.csv").zone.as_deref(), Some("America/New_York"));
    assert_eq!(guess("_message_5.csv").symbol.as_deref(), Some("AAPL"));
    assert_eq!(guess("DAT_ASCII_EURUSD_T_202401.csv").zone.as_deref(), Some("-05:00"));
    assert_eq!(guess("DAT_ASCII_EURUSD_T_202401.csv").symbol.as_deref(), Some("EURUSD"));
    assert_eq!(guess("EQY_US_ALL_TRADE_20180305.txt").zone.as_deref(), Some("America/New_York"));
    let dukascopy = guess("EURUSD_Ticks.csv");
    assert!(
        dukascopy.zone.is_none() && !dukascopy.notes.iter().any(|note| note.contains("zone")),
        "GMT is one"
    );
    assert_eq!(guess("_spy_tick_trade.csv").symbol.as_deref(), Some("SPY"));
    assert_eq!(guess("polygon-trades.csv").zone, None);
}

#[test]
fn numbers_of_either_side_are_not_taken_for_a_side() {
    let text = "date,tid,price,type,amount\n1717200000,301000001,67510.1,0,0.5\n1717200002,301000002,67510.0,1,0.25\n";
    let guess = guessed("bitstamp.csv", text);
    assert_eq!(guess.mapping.to_string(), "time=date:s,price=price,size=amount");
    assert!(guess.notes.iter().any(|note| note.contains("may mean either side")), "{:?}", guess.notes);
}

#[test]
fn instruments_do_not_merge_without_a_word() {
    let two = "time,price,size\n1717200000123,67510.1,1\n1717200000124,3801.5,1\n1717200000125,67510.2,1\n1717200000126,3801.6,1\n";
    let notes = guessed("x.csv", two).notes.join("\n");
    assert!(
        notes.contains("all rows are one instrument") && notes.contains("prices jump (column price, line 3"),
        "{notes}"
    );
    let unclear =
        "time,price,size,group\n1717200000123,67510.1,1,my first\n1717200000124,3801.5,1,my other\n";
    let refusal = refused("x.csv", unclear);
    assert!(refusal.reason.contains("a column, group, that may say which instrument"), "{refusal}");
    assert!(refusal.advice.contains("symbol=group"), "{refusal}");
    let named =
        "time,price,size,desk_code\n1717200000123,67510.1,1,BTCUSDT\n1717200000124,3801.5,1,ETHUSDT\n";
    assert!(guessed("x.csv", named).mapping.to_string().contains("symbol=desk_code"));
}

#[test]
fn refusals_name_the_place_and_the_remedy() {
    for (text, reason, advice) in [
        (
            "Day,Price,Volume\n2024-06-03,1.5,2\n2024-06-04,1.6,3\n",
            "its times are days without a time of day (column Day, line 2: \"2024-06-03\")",
            "time=DATE+TIME",
        ),
        (
            "Time,Price,Volume\n09:30:00.5,1.5,2\n09:30:01,1.6,3\n",
            "its times are times of day without a day (column Time, line 2: \"09:30:00.5\")",
            "date=2024-06-01",
        ),
        (
            "time,price,size\n12,1.5,2\n13,1.6,3\n",
            "no column holds times of 1990 to now; column time, line 2: \"12\"",
            "time=COLUMN:UNIT",
        ),
        (
            "time,value\n1717200000123,1.5\n1717200000124,1.6\n",
            "no column is by its name a price, or a bid and an ask; its columns are time, value",
            "price=COLUMN",
        ),
        (
            "time;price;size\n1717200000123;1,234;7\n1717200000124;1,235;8\n",
            "may be decimals or thousands (column price, line 2: \"1,234\")",
            "decimal=comma or thousands=comma",
        ),
        (
            "time,symbol,price\n1717200000123,A,5528500000000\n1717200000124,A,5528500000000\n",
            "has prices beyond what a tick can hold, about 9.2e9 (column price, line 2: \"5528500000000\")",
            "price=price:1e-9",
        ),
        (
            "time,bid,ask\n1717200000123,1.6,1.5\n1717200000124,1.7,1.6\n",
            "has the bid above the ask in most rows (column bid, line 2: \"1.6\", column ask, line 2: \"1.5\")",
            "bid=COLUMN",
        ),
        (
            "20240601 093000 1234567;5298.25;5298.25;5298.5;3\n20240601 093001 1234567;5298.5;5298.25;5298.5;1\n",
            "which of the prices are bid and ask is not clear (column #2, line 1: \"5298.25\"",
            "time=#1:UNIT",
        ),
        (
            "34200.004241176,1,16113575,18,5853300,1\n34200.025551909,4,16113584,18,5853200,1\n",
            "does not say which day",
            "date=2012-06-21",
        ),
    ] {
        let refusal = refused("x.csv", text);
        assert!(refusal.reason.contains(reason), "{}\n{text}", refusal.reason);
        assert!(refusal.advice.contains(advice), "{}\n{text}", refusal.advice);
    }
}

#[test]
fn day_and_month_that_may_be_either_are_noted() {
    let text =
        "DateTime,Bid,Ask\n03/04/2024 21:00:09.417,1.1383,1.1389\n03/04/2024 21:00:11.020,1.1383,1.1389\n";
    let guess = guessed("x.csv", text);
    assert_eq!(guess.mapping.to_string(), "time=DateTime:%m/%d/%Y %H:%M:%S%.f,bid=Bid,ask=Ask");
    let note = "reads as %m/%d/%Y %H:%M:%S%.f and as %d/%m/%Y %H:%M:%S%.f";
    assert!(guess.notes.iter().any(|known| known.contains(note)), "{:?}", guess.notes);
    // The 4th of May would come before the 4th of April: times rise.
    let rising = "DateTime,Bid,Ask\n04/05/2024 21:00:09,1.1383,1.1389\n05/04/2024 21:00:11,1.1383,1.1389\n\
                  06/04/2024 21:00:11,1.1383,1.1389\n07/04/2024 21:00:11,1.1383,1.1389\n";
    let guess = guessed("x.csv", rising);
    assert!(guess.mapping.to_string().contains("%m/%d/%Y"), "{}", guess.mapping);
}

#[test]
fn milliseconds_in_a_third_column_are_not_dropped_without_a_word() {
    let guess = guessed(
        "x.csv",
        "TradingDay,InstrumentID,UpdateTime,UpdateMillisec,LastPrice,Volume\n\
         20240801,rb2410,09:00:00,500,3401,10\n\
         20240801,rb2410,09:00:01,0,3402,12\n\
         20240801,rb2410,09:00:01,500,3403,15\n",
    );
    assert!(
        guess.notes.iter().any(|note| note.starts_with("UpdateMillisec is not read")),
        "{:?}",
        guess.notes
    );
}
