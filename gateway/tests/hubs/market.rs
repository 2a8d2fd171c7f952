//! Prices are the latest, and candles are what the trades were.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use gateway::GatewayOptions;
use live::{LiveMarket, Recorder};
use serde_json::{Value, json};
use tick_feed::{Frame, FrameFlags, FrameHeader, NewInstrument};
use tick_sdk::{Kind, Side, Tick};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use crate::client::{Client, PATIENCE, open_with};
use crate::service::Service;

const RUN: &str = "00000000000000000000000000000001";
const BEGIN: u64 = 1_700_000_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// A source with one shard.
struct Source {
    recorder: Recorder,
    symbols: Vec<String>,
    named: u32,
    next_seq: u64,
}

impl Source {
    fn begin(market: &LiveMarket, name: &str, symbols: &[&str]) -> Self {
        let symbols = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
        Self { recorder: market.begin(name, RUN), symbols, named: 0, next_seq: 1 }
    }

    fn record(&mut self, ticks: Vec<Tick>) {
        let header = FrameHeader {
            run: RUN.parse().unwrap(),
            shard: 0,
            shards: 1,
            attempt: 0,
            first_seq: self.next_seq,
            published_at: 0,
            watermark: 0,
            flags: FrameFlags::TICKS,
        };
        self.next_seq += ticks.len() as u64;
        let new = self.symbols.iter().enumerate().skip(self.named as usize);
        let new: Vec<_> = new
            .map(|(id, symbol)| NewInstrument { id: id as u32, symbol: symbol.clone(), key: symbol.clone() })
            .collect();
        self.recorder.record(&Frame::owned(header, ticks).naming(new, self.named));
        self.named = self.symbols.len() as u32;
    }

    fn trade(&mut self, instrument: u32, at: u64, price: i64, size: u64) {
        self.record(vec![Tick::trade(at, at, price, size, Side::BUY).of(instrument).last()]);
    }

    fn bid(&mut self, instrument: u32, at: u64, price: i64) {
        self.record(vec![Tick::quote(Kind::BID, at, at, price, 2 * SECOND).of(instrument).last()]);
    }
}

async fn start() -> (Service, LiveMarket) {
    let market = LiveMarket::default();
    let given = market.clone();
    let service = Service::start_with(|options| GatewayOptions { market: given, ..options }).await;
    (service, market)
}

/// The instrument's latest of these and what comes, as soon as this is so.
async fn until(client: &mut Client, group: &Value, symbol: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let wait = async {
        loop {
            let arguments = client.event("Quotes").await.expect("an update");
            assert_eq!(arguments[0], *group);
            let quotes = arguments[1].as_array().unwrap();
            if let Some(quote) = quotes.iter().find(|quote| quote["symbol"] == symbol && is_so(quote)) {
                return quote.clone();
            }
        }
    };
    timeout(PATIENCE, wait).await.expect("the price")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_begins_with_a_snapshot_and_goes_on_with_the_latest() {
    let (service, market) = start().await;
    let mut source = Source::begin(&market, "feed/btc", &["BTCUSDT", "ETHUSDT"]);
    source.trade(0, BEGIN, 61_800_100_000_000, SECOND / 2);
    source.trade(1, BEGIN, 3_000 * SECOND as i64, SECOND);
    source.bid(0, BEGIN + 1, 61_800_000_000_000);
    shown(&market, |quote| quote.bid.is_some()).await;
    let address = service.gateway.local_addr();
    let mut client = Client::connect(address, "market").await;
    let snapshot = client.call("Watch", json!([{"symbols": ["BTC*"], "perSecond": 20}])).await.unwrap();
    assert_eq!(snapshot["sources"][0]["source"], "feed/btc");
    assert_eq!(snapshot["quotes"].as_array().unwrap().len(), 1, "{snapshot}");
    let quote = &snapshot["quotes"][0];
    assert_eq!(
        (&quote["bid"], &quote["bidSize"], &quote["last"], &quote["lastSize"], &quote["ask"]),
        (&json!("61800"), &json!("2"), &json!("61800.1"), &json!("0.5"), &Value::Null),
    );
    assert_eq!(quote["atMs"], BEGIN / 1_000_000);
    let group = snapshot["group"].clone();
    // Others who watch the same are in the same group, and other rates and selections are others.
    let mut same = Client::connect(address, "market").await;
    let again = same.call("Watch", json!([{"symbols": ["BTC*", "BTC*"], "perSecond": 20}])).await.unwrap();
    assert_eq!(again["group"], group);
    let slower = same.call("Watch", json!([{"symbols": ["BTC*"]}])).await.unwrap();
    assert_ne!(slower["group"], group);
    same.call("Unwatch", json!([slower["group"]])).await.unwrap();
    source.trade(0, BEGIN + SECOND, 61_900_000_000_000, SECOND);
    for client in [&mut client, &mut same] {
        let quote = until(client, &group, "BTCUSDT", |quote| quote["last"] == "61900").await;
        assert!(quote["version"].as_u64() > snapshot["quotes"][0]["version"].as_u64());
    }
    drop(source);
    let ended = async {
        loop {
            let arguments = client.event("Sources").await.expect("an update");
            if arguments[1][0]["hasEnded"] == true {
                return;
            }
        }
    };
    timeout(PATIENCE, ended).await.expect("that the source has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_late_has_the_latest_of_each_instrument() {
    let (service, market) = start().await;
    let symbols: Vec<_> = (0..200).map(|number| format!("S{number:03}")).collect();
    let symbols: Vec<_> = symbols.iter().map(String::as_str).collect();
    let mut source = Source::begin(&market, "replay/1", &symbols);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 << 10).unwrap();
    let mut late = open_with(socket, service.gateway.local_addr(), "/hubs/market", &[]).await.unwrap();
    late.shake_hands().await;
    let snapshot = late.call("Watch", json!([{"perSecond": 20}])).await.unwrap();
    // For three seconds prices change that it does not read: some in each update, some only once.
    for step in 0..60_u32 {
        for instrument in 0..100 {
            source.trade(instrument, BEGIN + u64::from(step), i64::from(step + 1) * SECOND as i64, SECOND);
        }
        source.trade(100 + step, BEGIN + u64::from(step), 7 * SECOND as i64, SECOND);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut latest: HashMap<String, (u64, String)> = HashMap::new();
    let wait = async {
        while !(latest.len() == 160 && (0..100).all(|number| latest[&format!("S{number:03}")].1 == "60")) {
            let arguments = late.event("Quotes").await.expect("an update");
            assert_eq!(arguments[0], snapshot["group"]);
            for quote in arguments[1].as_array().unwrap() {
                let version = quote["version"].as_u64().unwrap();
                let text = |name: &str| quote[name].as_str().unwrap().to_owned();
                let known = latest.entry(text("symbol")).or_insert_with(|| (0, String::new()));
                if version > known.0 {
                    *known = (version, text("last"));
                }
            }
        }
    };
    timeout(PATIENCE, wait).await.expect("the latest prices");
}

/// Waits until the market shows this of an instrument.
async fn shown(market: &LiveMarket, is_so: impl Fn(&live::Quote) -> bool) {
    let mut changes = market.changes();
    let is_shown = |_: &u64| market.quotes(&live::Selection::default(), 0).quotes.iter().any(&is_so);
    timeout(PATIENCE, changes.wait_for(is_shown)).await.unwrap().unwrap();
}

/// Takes candles until the one that begins then closes so.
async fn until_close(client: &mut Client, candles: &mut BTreeMap<u64, Value>, start: u64, close: &str) {
    let wait = async {
        while candles.get(&start).is_none_or(|candle| candle["close"] != close) {
            let update = client.item().await.expect("candles");
            let new = update.as_array().unwrap().iter();
            candles.extend(new.map(|candle| (candle["startMs"].as_u64().unwrap(), candle.clone())));
        }
    };
    timeout(PATIENCE, wait).await.expect("the candle");
}

#[tokio::test(flavor = "multi_thread")]
async fn candles_are_those_of_the_past_and_then_those_that_grow() {
    let (service, market) = start().await;
    let mut source = Source::begin(&market, "replay/1", &["BTCUSDT"]);
    for (second, price) in [(0, 10), (0, 12), (0, 9), (1, 11)] {
        source.trade(0, BEGIN + second * SECOND, price * SECOND as i64, SECOND / 4);
    }
    shown(&market, |quote| quote.ticks == 4).await;
    let mut client = Client::connect(service.gateway.local_addr(), "market").await;
    let watch = json!({"source": "replay/1", "symbol": "BTCUSDT", "intervalS": 1});
    client.stream("Candles", watch).await;
    let mut candles = BTreeMap::new();
    let begin = BEGIN / 1_000_000;
    until_close(&mut client, &mut candles, begin + 1_000, "11").await;
    let expected = json!({
        "startMs": begin, "open": "10", "high": "12", "low": "9", "close": "9", "volume": "0.75", "trades": 3,
    });
    assert_eq!(candles[&begin], expected);
    source.trade(0, BEGIN + SECOND, 13 * SECOND as i64, SECOND);
    source.trade(0, BEGIN + 5 * SECOND, 14 * SECOND as i64, SECOND);
    until_close(&mut client, &mut candles, begin + 5_000, "14").await;
    assert_eq!(candles[&(begin + 1_000)]["close"], "13");
    for (watch, reason) in [
        (json!({"source": "replay/1", "symbol": "BTCUSDT", "intervalS": 7}), "10, 60"),
        (json!({"source": "replay/1", "symbol": "BTCUSDT", "intervalS": 1, "limit": 2_001}), "2000"),
    ] {
        let mut refused = Client::connect(service.gateway.local_addr(), "market").await;
        refused.stream("Candles", watch).await;
        let answer = refused.next().await.unwrap();
        assert!(answer["error"].as_str().unwrap().contains(reason), "{answer}");
    }
    let mut refused = Client::connect(service.gateway.local_addr(), "market").await;
    let error = refused.call("Watch", json!([{"perSecond": 21}])).await.unwrap_err();
    assert!(error.contains("1 to 20"), "{error}");
}
