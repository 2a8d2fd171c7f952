use strategy_host::{
    market::{Market, Marks},
    paper::{PaperAccount, PaperRules},
};
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::signal::Signal;
use tick_sdk::{Side, TargetPosition, Tick};

use super::*;

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_723_161_258 * SECOND;

/// Random walks of these instruments, a trade a second each, with a signal of each of two strategies
/// every `signal_every` trades.
fn sample(symbols: &[String], trades: u64, signal_every: u64) -> ReportData {
    let mut market = Market::default();
    for (id, symbol) in symbols.iter().enumerate() {
        market.open(id as u32, symbol).unwrap();
    }
    let mut marks = MarksSample::new(2);
    let mut round_trips = TradesSample::default();
    let mut signals = Vec::new();
    let mut prices = vec![61_800_100_000_000i64; symbols.len()];
    let mut state = 88_172_645_463_325_252u64;
    for second in 0..trades {
        for (id, price) in prices.iter_mut().enumerate() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *price += (state % 2001) as i64 * 100_000_000 - 100_000_000_000;
            let ts = START + second * SECOND + id as u64;
            market.run(&[Tick::trade(ts, ts, *price, 1, Side::BUY).of(id as u32)]).unwrap();
            if (second + id as u64).is_multiple_of(signal_every) {
                let side = [TargetPosition::Long, TargetPosition::Short, TargetPosition::Flat]
                    [(state >> 40) as usize % 3];
                let strategy = (state >> 50) as usize % 2;
                signals.push((strategy, id, ts, side, *price));
            }
        }
    }
    let instruments = Market::collect([market]);
    let mut account = PaperAccount::new(PaperRules::default(), ["apple", "pear"]);
    let mut last_prices = Marks::new(&instruments);
    for (strategy, id, ts, side, price) in signals {
        let signal = Signal {
            ts_event: ts,
            ts_recv: ts,
            seq: 0,
            n: 0,
            instrument: id as u32,
            side,
            price,
            bid: UNDEFINED_PRICE,
            ask: UNDEFINED_PRICE,
        };
        while let Some(mark) = last_prices.next_before(ts) {
            account.mark(mark.ts_recv, mark.symbol, mark.price);
        }
        if let Some(trade) = account.signal(strategy, &symbols[id], &signal).unwrap() {
            round_trips.add(ReportTrade { strategy, symbol: symbols[id].as_str().into(), trade });
        }
        marks.add(strategy, &symbols[id], &signal);
    }
    last_prices.for_each(|mark| account.mark(mark.ts_recv, mark.symbol, mark.price));
    let last = START + trades * SECOND;
    let mut times = hdrhistogram::Histogram::new(3).unwrap();
    (1..20_000u64).for_each(|n| times.record(n * n % 700_000 + 3_000).unwrap());
    ReportData {
        title: "random walks".to_owned(),
        run: "2b00".to_owned(),
        facts: RunFacts {
            sources: vec!["generated".to_owned()],
            first_ts_recv: START,
            last_ts_recv: last,
            elapsed_seconds: 0.5,
            skipped: vec![("depthUpdate".to_owned(), 6551)],
            peak_memory_bytes: Some(93 << 20),
            ..RunFacts::default()
        },
        account: account.finish(START, last),
        marks: marks.finish(),
        trades: round_trips.finish(),
        strategies: ["apple", "pear"].map(configured).to_vec(),
        instruments,
        time_per_tick: Latency::of(&times, 0.001),
        time_per_frame: Latency::of(&times, 1.0),
    }
}

fn configured(name: &str) -> ConfiguredStrategy {
    let parameters = vec![("fast".to_owned(), "12".to_owned()), ("slow".to_owned(), "26".to_owned())];
    ConfiguredStrategy { name: name.to_owned(), strategy: name.to_owned(), parameters }
}

fn symbols(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("COIN{i:03}USDT")).collect()
}

/// The page's data as its script reads it.
fn embedded(page: &str) -> serde_json::Value {
    let (_, after) = page.split_once(r#"<script type="application/json" id="data">"#).unwrap();
    let (json, _) = after.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
fn no_text_becomes_markup() {
    let hostile = r#"</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>{{data}}&"'"#;
    let mut data = sample(&[hostile.to_owned()], 50, 5);
    data.title = hostile.to_owned();
    data.facts.sources = vec![hostile.to_owned()];
    data.facts.more = vec![(hostile.to_owned(), hostile.to_owned())];
    data.facts.skipped = vec![(hostile.to_owned(), 1)];
    data.account.strategies[0].strategy = hostile.to_owned();
    data.strategies[0].name = hostile.to_owned();
    data.strategies[0].parameters[0] = (hostile.to_owned(), hostile.to_owned());
    let page = render(&data);
    assert_eq!(page.matches("</script>").count(), 2, "the page's own two scripts");
    assert!(!page.contains("<img") && !page.contains("<script>alert") && !page.contains("<!--<"));
    let json = embedded(&page);
    assert_eq!(json["instruments"][0]["s"], hostile, "and yet the text is whole");
    assert_eq!(json["strategies"][0]["name"], hostile);
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let page = render(&sample(&symbols(1), 10, 5));
    for outside in ["src=", "href=", "@import", "url(", "fetch(", "https://", "import("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("http://").count(), page.matches("http://www.w3.org/2000/svg").count());
    assert!(!page.contains("{{"), "every part of the template is filled");
}

#[test]
fn prices_and_marks_come_back_exactly() {
    let data = sample(&symbols(3), 700, 7);
    let page = embedded(&render(&data));
    for (row, instrument) in page["instruments"].as_array().unwrap().iter().zip(&data.instruments) {
        let chart = &row["c"];
        let numbers: Vec<i64> = serde_json::from_value(chart["b"].clone()).unwrap();
        let unit = 10i64.pow(9 - chart["d"].as_u64().unwrap() as u32);
        let mut last = 0;
        for (numbers, bucket) in numbers.chunks(4).zip(&instrument.buckets) {
            last += numbers[1];
            let prices = [last, last - numbers[2], last + numbers[3]].map(|price| price * unit);
            assert_eq!(prices, [bucket.last, bucket.low, bucket.high]);
        }
        assert_eq!(numbers.len(), 4 * instrument.buckets.len());
        let marked: u64 = chart["m"].as_array().unwrap().iter().map(|lane| lane["n"].as_u64().unwrap()).sum();
        assert_eq!(marked, 100, "one signal in seven trades");
    }
}

#[test]
fn a_large_run_is_a_page_of_bounded_size() {
    let data = sample(&symbols(600), 1100, 2);
    assert!(data.instruments.iter().all(|instrument| instrument.buckets.len() > 200));
    let page = render(&data);
    assert!(page.len() < 10_000_000, "{} bytes", page.len());
    let json = embedded(&page);
    let rows = json["instruments"].as_array().unwrap();
    assert_eq!(rows.len(), 600, "every instrument is in the table");
    assert_eq!(rows.iter().filter(|row| row.get("c").is_some()).count(), MAX_CHARTS);
}

#[test]
fn an_empty_run_is_a_page_too() {
    let json = embedded(&render(&ReportData::default()));
    assert_eq!(json["instruments"].as_array().unwrap().len(), 0);
}

#[test]
fn what_counts_comes_first_and_needs_no_script() {
    let data = sample(&symbols(2), 700, 7);
    let page = render(&data);
    let (still, _) = page.split_once("<script").unwrap();
    let at = |text: &str| still.find(text).unwrap_or_else(|| panic!("{text} is not in the page"));
    let order = [
        "Net profit",
        "Max drawdown",
        "Sharpe",
        "<svg class=\"still\"",
        "fast=12, slow=26",
        "Time under water",
    ];
    assert!(order.map(at).is_sorted(), "{:?}", order.map(at));
    assert!(
        still.trim_end().rfind("ticks/s").is_some_and(|place| place > at("Peak memory")),
        "speed comes last"
    );
    let apple = &data.account.strategies[0].performance;
    let shown = [
        numbers::signed(apple.net_profit),
        numbers::signed_percent(apple.percent(apple.net_profit).unwrap()),
        numbers::decimal(apple.sharpe.unwrap(), 2),
        numbers::money(apple.drawdown.unwrap().depth),
    ];
    for figure in shown {
        assert!(still.contains(&figure), "{figure}");
    }
}

#[test]
fn round_trips_come_back_exactly() {
    let data = sample(&symbols(2), 700, 7);
    let page = embedded(&render(&data));
    let trades = &page["trades"];
    assert_eq!(trades["count"], data.trades.count);
    let rows = trades["rows"].as_array().unwrap();
    assert_eq!(rows.len(), data.trades.listed.len());
    let start: u64 = page["start"].as_str().unwrap().parse().unwrap();
    let mut closed_at = start;
    for (row, one) in rows.iter().zip(&data.trades.listed) {
        let whole = |place: usize| row[place].as_u64().unwrap();
        let amount = |place: usize| (row[place].as_f64().unwrap() * 1e9).round() as i128;
        closed_at += whole(3);
        assert_eq!((closed_at, closed_at - whole(4)), (one.trade.closed_at, one.trade.opened_at));
        assert_eq!(trades["symbols"][whole(1) as usize], *one.symbol);
        let trade = &one.trade;
        assert_eq!(
            [amount(5), amount(6), amount(7), amount(8)],
            [trade.entry, trade.exit, trade.fees, trade.profit]
        );
    }
}

#[test]
fn of_many_round_trips_a_bounded_number_is_listed_and_all_are_counted() {
    let data = sample(&symbols(8), 2000, 2);
    assert!(data.trades.count > 2 * MAX_TRADES as u64);
    let page = render(&data);
    assert_eq!(embedded(&page)["trades"]["rows"].as_array().unwrap().len(), MAX_TRADES);
    let said = format!("The first and the last 500 of {} that were closed", thousands(data.trades.count));
    assert!(page.contains(&said), "{said}");
}

#[test]
fn many_strategies_share_the_first_row_with_the_best_of_them() {
    let mut data = sample(&symbols(1), 300, 3);
    let apple = data.account.strategies[0].clone();
    data.account.strategies = (0..40)
        .map(|i| {
            let mut one = apple.clone();
            one.strategy = format!("apple{i}");
            one.performance.net_profit = i128::from(i) * 1_000_000_000_000;
            one
        })
        .collect();
    let page = render(&data);
    let (_, cards) = page.split_once("aria-label=\"Key figures\"").unwrap();
    let (cards, _) = cards.split_once("</section>").unwrap();
    assert!(cards.contains("apple39") && !cards.contains("apple9<"));
    assert!(cards.contains("35 more below"));
}
