//! Signals: pages, CSV and JSON lines.

use serde_json::Value;

use crate::service::{Service, answered, signals};

const RUN: &str = "0123456789abcdef0123456789abcdef";

/// Two strategies on three instruments, 2,500 signals each, committed in turns.
async fn with_signals() -> Service {
    let service = Service::start().await;
    for begin in (0..2500).step_by(500) {
        for strategy in ["pear", "apple"] {
            let batches = ["ETH", "A,\"B\"", "BTC"].map(|symbol| signals(RUN, strategy, symbol, begin, 500));
            service.publish(&batches);
        }
    }
    service.publish(&[signals("ffff", "apple", "BTC", 0, 3)]);
    service.settle().await;
    service
}

/// The rows as `orchard replay --signals` has them: by receive time, symbol, strategy, seq and n.
fn expected() -> String {
    let mut rows = Vec::new();
    for strategy in ["apple", "pear"] {
        for symbol in ["A,\"B\"", "BTC", "ETH"] {
            for signal in signals(RUN, strategy, symbol, 0, 2500).signals {
                let written = if symbol.contains(',') { "\"A,\"\"B\"\"\"" } else { symbol };
                let price = signal.price.unwrap_or_else(|| "9223372036.854775807".to_owned());
                let row = format!(
                    "{RUN},{strategy},{written},2,{},{},{},{price}\n",
                    signal.seq, signal.ts_event, signal.side
                );
                rows.push(((signal.ts_recv, symbol, strategy, signal.seq, signal.n), row));
            }
        }
    }
    rows.sort();
    let rows: String = rows.into_iter().map(|(_, row)| row).collect();
    format!("run,strategy,instrument,shard,seq,ts_event,side,price\n{rows}")
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_is_what_a_replay_writes() {
    let service = with_signals().await;
    let response =
        service.get(&format!("/api/signals?run={RUN}")).header("accept", "text/csv").send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/csv"));
    let csv = response.text().await.unwrap();
    let expected = expected();
    let different = csv.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert_eq!(different, None);
    assert_eq!(csv, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_lines_have_every_signal_once_and_in_order() {
    let service = with_signals().await;
    let mut pages: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = service.read(&format!("/api/signals?limit=1000&cursor={cursor}")).await;
        pages.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        assert_ne!(next, cursor);
        cursor = next.to_owned();
    }
    assert_eq!(pages.len(), 6 * 2500 + 3);
    let lines = service.get("/api/signals").header("accept", "application/x-ndjson").send().await.unwrap();
    let lines = lines.text().await.unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines == pages);
    let place = |signal: &Value| {
        let text = |name: &str| signal[name].as_str().unwrap().to_owned();
        let number = |name: &str| signal[name].as_u64().unwrap();
        (text("run"), number("tsRecv"), text("symbol"), text("strategy"), number("seq"), number("n"))
    };
    assert!(pages.windows(2).all(|pair| place(&pair[0]) < place(&pair[1])));
    assert_eq!(pages[0]["at"], "2024-08-08T23:54:17.9999999Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_signals_of_a_run_are_its_last_in_order() {
    let service = with_signals().await;
    let read = async |query: String| {
        let (status, page) = answered(service.get(&format!("/api/signals?{query}"))).await;
        assert_eq!(status, 200, "{page}");
        assert_eq!(page["next"], Value::Null, "{query}");
        page["items"].as_array().unwrap().clone()
    };
    let all = async |query: &str| {
        let answer = service.get(&format!("/api/signals?run={RUN}{query}"));
        let text =
            answer.header("accept", "application/x-ndjson").send().await.unwrap().text().await.unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    for query in [
        "",
        "&symbol=BTC&strategy=pear",
        "&from=2024-08-08T23:54:18.001Z",
        "&symbol=ETH&symbol=BTC",
        "&symbol=none",
    ] {
        let all = all(query).await;
        for limit in [1, 7, 600, 1000] {
            let latest = read(format!("run={RUN}&latest=true&limit={limit}{query}")).await;
            assert_eq!(latest, all[all.len().saturating_sub(limit)..], "{query} {limit}");
            // Those before the first of them, as one goes back.
            let Some(first) = latest.first().filter(|_| limit > 1) else { continue };
            let ns = first["tsRecv"].as_i64().unwrap();
            let to = jiff::Timestamp::from_nanosecond(ns.into()).unwrap();
            let before: Vec<_> =
                all.iter().filter(|one| one["tsRecv"].as_i64() < Some(ns)).cloned().collect();
            let earlier = read(format!("run={RUN}&latest=true&limit={limit}&to={to}{query}")).await;
            assert_eq!(earlier, before[before.len().saturating_sub(limit)..], "{query} {limit} to {to}");
        }
    }
    let (_, first) = answered(service.get(&format!("/api/signals?run={RUN}&limit=1"))).await;
    let next = first["next"].as_str().unwrap();
    let after = format!("run={RUN}&latest=true&cursor={next}");
    let [side, price] = ["side=buy", "minPrice=1"].map(|one| format!("run={RUN}&latest=true&{one}"));
    for (wrong, reason) in [
        ("latest=true", "needs `run`"),
        (after.as_str(), "no `cursor`"),
        (&side, "no `side`"),
        (&price, "no `minPrice`"),
    ] {
        let (status, problem) = answered(service.get(&format!("/api/signals?{wrong}"))).await;
        assert_eq!(status, 400, "{wrong}: {problem}");
        assert!(problem["errors"]["latest"].to_string().contains(reason), "{wrong}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_leave_out_what_does_not_match() {
    let service = with_signals().await;
    let count = async |filter: &str| {
        let path = format!("/api/signals?run={RUN}&{filter}");
        let csv = service.get(&path).header("accept", "text/csv").send().await.unwrap();
        csv.text().await.unwrap().lines().count() - 1
    };
    assert_eq!(count("strategy=pear").await, 7500);
    assert_eq!(count("symbol=BTC&symbol=ETH").await, 10_000);
    assert_eq!(count("symbol=A%2C%22B%22").await, 5000);
    assert_eq!(count("side=Sell").await, 6 * 833);
    assert_eq!(count("strategy=none").await, 0);
    let all = signals(RUN, "apple", "BTC", 0, 2500).signals;
    let priced = all.iter().filter(|signal| signal.price.as_deref().is_some_and(|price| price >= "140"));
    assert_eq!(count("minPrice=140").await, 6 * priced.count());
    let between = "from=2024-08-08T23:54:18.001Z&to=2024-08-09T01:54:18.0011%2B02:00";
    assert_eq!(count(between).await, 6 * 100);
    assert_eq!(count("limit=7").await, 7);
    let (status, problem) =
        answered(service.get("/api/signals?from=11/29/2026%2010:30:05&side=up&minPrice=NaN")).await;
    assert_eq!(status, 400);
    let errors = problem["errors"].as_object().unwrap();
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["from", "minPrice", "side"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_the_middle_of_equal_times_loses_nothing() {
    let service = Service::start().await;
    // 3,000 signals at one receive time span several buckets.
    let mut batch = signals(RUN, "apple", "BTC", 0, 3000);
    for signal in &mut batch.signals {
        signal.ts_recv = 7;
    }
    service.publish(&[batch]);
    service.settle().await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = service.read(&format!("/api/signals?limit=700&cursor={cursor}")).await;
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|signal| signal["seq"].as_u64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(seen, (0..3000).collect::<Vec<_>>());
}
