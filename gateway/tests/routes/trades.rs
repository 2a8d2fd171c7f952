//! Round trips and curves: pages, CSV and JSON lines, and that a run that is forgotten takes them with it.

use serde_json::Value;
use tick_sdk::contracts::results::{ClosedTrade, CurvePoint, Curves, CurvesDrawn, TradesClosed};
use tick_sdk::contracts::strategies::RunForgotten;

use crate::service::{Service, answered};

const RUN: &str = "0123456789abcdef0123456789abcdef";
/// 2024-08-08T23:54:18Z in ns.
const BEGIN: u64 = 1_723_161_258_000_000_000;

fn trade(number: u64) -> ClosedTrade {
    ClosedTrade {
        symbol: ["BTC", "ETH", "A,\"B\""][number as usize % 3].to_owned(),
        side: ["buy", "sell"][number as usize % 2].to_owned(),
        opened_at_ns: BEGIN + number * 1_000_000,
        closed_at_ns: BEGIN + (number + 1) * 1_000_000,
        entry: "100.5".to_owned(),
        exit: "101".to_owned(),
        fees: "0.25".to_owned(),
        profit: "0.25".to_owned(),
    }
}

fn part(run: &str, strategy: &str, first: u64, count: u64) -> TradesClosed {
    let trades = (first..first + count).map(trade).collect();
    TradesClosed { run: run.to_owned(), strategy: strategy.to_owned(), first, trades }
}

/// Two strategies with 1,200 round trips each, published in turns in parts of several lengths.
async fn with_trades() -> Service {
    let service = Service::start().await;
    for (first, count) in [(0, 500), (500, 7), (507, 493), (1000, 200)] {
        service.publish(&["pear", "apple"].map(|strategy| part(RUN, strategy, first, count)));
    }
    service.publish(&[part("ffff", "apple", 0, 3)]);
    service.settle().await;
    service
}

fn row(strategy: &str, number: u64) -> String {
    let ClosedTrade { symbol, side, opened_at_ns, closed_at_ns, .. } = trade(number);
    let symbol = if symbol.contains(',') { "\"A,\"\"B\"\"\"".to_owned() } else { symbol };
    format!("{RUN},{strategy},{symbol},{side},{opened_at_ns},{closed_at_ns},100.5,101,0.25,0.25\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_has_every_round_trip_in_order_of_strategy_and_closing() {
    let service = with_trades().await;
    let path = format!("/api/trades?run={RUN}");
    let response = service.get(&path).header("accept", "text/csv").send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/csv"));
    let csv = response.text().await.unwrap();
    let rows =
        ["apple", "pear"].map(|strategy| (0..1200).map(|number| row(strategy, number)).collect::<String>());
    let head = "run,strategy,instrument,side,opened_at_ns,closed_at_ns,entry,exit,fees,profit\n";
    assert!(csv == [head, &rows[0], &rows[1]].concat(), "{}", &csv[..500]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_lines_have_every_round_trip_once() {
    let service = with_trades().await;
    for limit in [1000, 333] {
        let mut pages: Vec<Value> = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = service.read(&format!("/api/trades?limit={limit}&cursor={cursor}")).await;
            pages.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else { break };
            assert_ne!(next, cursor);
            cursor = next.to_owned();
        }
        assert_eq!(pages.len(), 2 * 1200 + 3);
        let lines = service.get("/api/trades").header("accept", "application/x-ndjson").send().await.unwrap();
        let lines = lines.text().await.unwrap();
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines == pages);
        let numbers = pages[..1200].iter().map(|trade| trade["number"].as_u64().unwrap());
        assert!(numbers.eq(0..1200));
        assert_eq!(pages[0]["openedAt"], "2024-08-08T23:54:18Z");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_leave_out_what_does_not_match() {
    let service = with_trades().await;
    let count = async |filter: &str| {
        let path = format!("/api/trades?run={RUN}&{filter}");
        let csv = service.get(&path).header("accept", "text/csv").send().await.unwrap();
        csv.text().await.unwrap().lines().count() - 1
    };
    assert_eq!(count("strategy=pear").await, 1200);
    assert_eq!(count("strategy=pear&strategy=apple&symbol=BTC&symbol=ETH").await, 1600);
    assert_eq!(count("symbol=A%2C%22B%22").await, 800);
    assert_eq!(count("side=Sell").await, 1200);
    assert_eq!(count("strategy=none").await, 0);
    assert_eq!(count("from=2024-08-08T23:54:18.1Z&to=2024-08-08T23:54:18.2Z").await, 200);
    assert_eq!(count("limit=7").await, 7);
    let (status, problem) =
        answered(service.get("/api/trades?from=yesterday&side=up&minPrice=1&cursor=x")).await;
    assert_eq!(status, 400);
    let errors = problem["errors"].as_object().unwrap();
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["cursor", "from", "minPrice", "side"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn curves_are_as_they_were_drawn_and_go_with_the_run() {
    let service = with_trades().await;
    let drawn = |run: &str, strategy: &str, value: &str| CurvesDrawn {
        run: run.to_owned(),
        strategy: strategy.to_owned(),
        curves: Curves {
            equity: vec![CurvePoint { ts_recv: BEGIN, value: value.to_owned() }],
            ..Curves::default()
        },
    };
    service.publish(&[drawn(RUN, "pear", "1"), drawn(RUN, "apple", "2.5"), drawn("ffff", "apple", "3")]);
    service.settle().await;
    let path = format!("/api/runs/{}/curves", RUN.to_uppercase());
    let all = service.read(&path).await;
    let names: Vec<_> =
        all["items"].as_array().unwrap().iter().map(|item| item["strategy"].clone()).collect();
    assert_eq!(names, ["apple", "pear"]);
    let one = service.read(&format!("{path}?strategy=apple")).await;
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    assert_eq!(one["items"][0]["equity"], serde_json::json!([{"tsRecv": BEGIN, "value": "2.5"}]));

    service.publish(&[RunForgotten { run: RUN.to_owned() }]);
    service.settle().await;
    let items = async |path: &str| service.read(path).await["items"].as_array().unwrap().len();
    assert_eq!(items(&path).await, 0);
    assert_eq!(items(&format!("/api/trades?run={RUN}")).await, 0);
    assert_eq!((items("/api/trades").await, items("/api/runs/ffff/curves").await), (3, 1));
}
