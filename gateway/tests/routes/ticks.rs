//! Ticks and candles of past runs: which replay's captures are asked for what, and what is answered.

use std::sync::{Arc, Mutex};

use gateway::{CandlesAsked, FoundCandles, GatewayOptions, LookupError, TickLookup, TicksAsked};
use live::{Candle, Interval};
use serde_json::json;
use tick_sdk::contracts::ticks::ReplayStarted;
use tick_sdk::{Kind, Side, Tick};

use crate::service::{Service, answered};

/// Says what it was asked for.
#[derive(Debug, Default)]
struct Captures {
    asked: Mutex<Vec<String>>,
    refuses: Mutex<Option<LookupError>>,
}

impl Captures {
    fn note(&self, asked: String) -> Result<(), LookupError> {
        self.asked.lock().unwrap().push(asked);
        self.refuses.lock().unwrap().take().map_or(Ok(()), Err)
    }
}

impl TickLookup for Captures {
    fn ticks(&self, asked: &TicksAsked) -> Result<Vec<Tick>, LookupError> {
        let TicksAsked { plan, symbol, around, each } = asked;
        self.note(format!("{:?} {symbol} {around} {each}", plan.files))?;
        Ok(vec![
            Tick::quote(Kind::BID, 5, *around, i64::MAX, 0),
            Tick::trade(6, around + 1, 61_800_100_000_000, 500_000_000, Side::SELL),
        ])
    }

    fn candles(&self, asked: &CandlesAsked) -> Result<FoundCandles, LookupError> {
        let CandlesAsked { plan, symbol, interval, to, count } = asked;
        self.note(format!("{:?} {symbol} {interval:?} {to:?} {count}", plan.files))?;
        let one = 1_000_000_000;
        let candle = Candle {
            start: 60 * one as u64,
            open: one,
            high: 3 * one,
            low: one,
            close: 2 * one,
            volume: one / 2,
            trades: 4,
        };
        Ok(FoundCandles { candles: vec![candle], is_complete: false })
    }
}

async fn service(captures: &Arc<Captures>) -> Service {
    let lookup: Arc<dyn TickLookup> = captures.clone();
    let service = Service::start_with(|options| GatewayOptions { ticks: Some(lookup), ..options }).await;
    // Two replays, of which the second has the run.
    for run in ["r0", "r1"] {
        let body = json!({"files": ["day.csv"], "symbols": [run]});
        let (_, accepted) = service.send("POST", "/api/replays", body).await;
        let replay_id = accepted["commandId"].as_str().unwrap().parse().unwrap();
        service.settle().await;
        let path = format!("/api/replays/{replay_id}");
        while answered(service.get(&path)).await.0 != 200 {}
        service.publish(&[ReplayStarted { replay_id, run: run.into(), is_resumed: false, feed: None }]);
        service.settle().await;
    }
    service
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_and_candles_of_a_run_are_those_of_its_replays_captures() {
    let captures = Arc::new(Captures::default());
    let service = service(&captures).await;
    let around = 1_723_161_258_000_000_000u64;
    let found = service.read(&format!("/api/runs/r1/ticks?symbol=BTCUSDT&around={around}&count=9")).await;
    assert_eq!((&found["symbol"], &found["later"]), (&json!("BTCUSDT"), &json!(1)));
    assert_eq!(
        found["ticks"],
        json!([
            {
                "tsEvent": 5, "tsRecv": around, "at": "2024-08-08T23:54:18Z", "kind": "bid", "side": "",
                "price": null, "size": "0", "isLast": false,
            },
            {
                "tsEvent": 6, "tsRecv": around + 1, "at": "2024-08-08T23:54:18Z", "kind": "trade", "side": "sell",
                "price": "61800.1", "size": "0.5", "isLast": true,
            },
        ])
    );
    let found =
        service.read("/api/runs/r1/candles?symbol=B&interval=300&to=1970-01-01T01:00:00Z&count=7").await;
    assert_eq!((&found["interval"], &found["isComplete"]), (&json!(300), &json!(false)));
    assert_eq!(
        found["candles"],
        json!([{"startMs": 60_000, "open": "1", "high": "3", "low": "1", "close": "2", "volume": "0.5", "trades": 4}])
    );
    service.read("/api/runs/r0/candles?symbol=B").await;
    let asked = captures.asked.lock().unwrap().clone();
    let five = Interval::FiveMinutes;
    assert_eq!(
        asked,
        [
            format!("[\"day.csv\"] BTCUSDT {around} 5"),
            format!("[\"day.csv\"] B {five:?} Some(3600000000000) 7"),
            "[\"day.csv\"] B Minute None 2000".to_owned(),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_up_is_refused_with_the_reason() {
    let captures = Arc::new(Captures::default());
    let service = service(&captures).await;
    for (path, status, reason) in [
        ("/api/runs/r2/ticks?symbol=B&around=1", 404, "no replay of run r2"),
        ("/api/runs/r1/ticks?around=1", 400, "symbol"),
        ("/api/runs/r1/ticks", 400, "symbol"),
        ("/api/runs/r1/ticks?symbol=B", 400, "around"),
        ("/api/runs/r1/ticks?symbol=B&around=now", 400, "ns since the UNIX epoch"),
        ("/api/runs/r1/ticks?symbol=B&around=1&count=1001", 400, "1 to 1000"),
        ("/api/runs/r1/candles?symbol=B&interval=61", 400, "1, 10, 60, 300, 3600"),
    ] {
        let (answer, body) = answered(service.get(path)).await;
        assert_eq!(answer, status, "{path}: {body}");
        assert!(body.to_string().contains(reason), "{path}: {body}");
    }
    for (error, status) in [
        (LookupError::NotThere("the capture \"day.csv\" is no longer there".into()), 404),
        (LookupError::Unreadable("it takes longer than 15 s".into()), 422),
        (LookupError::Busy, 503),
    ] {
        *captures.refuses.lock().unwrap() = Some(error.clone());
        let (answer, body) = answered(service.get("/api/runs/r1/candles?symbol=B")).await;
        assert_eq!(answer, status, "{body}");
        assert_eq!(body["detail"], error.to_string());
    }
    let without = Service::start().await;
    let (answer, body) = answered(without.get("/api/runs/r1/ticks?symbol=B&around=1")).await;
    assert_eq!(answer, 404);
    assert!(body["detail"].as_str().unwrap().contains("reads no captures"), "{body}");
}
