//! Every figure, computed once more by a program in another language, which shares nothing with the account.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::program::Folder;

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/usdm_btcusdt_20240808.zst");
const CHECK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replay/figures.py");

/// How the account fills: which price, slippage and fee, as the options have them.
type Rules<'a> = [&'a str; 3];

/// Replays `source`, whose ticks are in `ticks.csv`, and keeps what it gives.
fn replayed(folder: &Folder, source: &str, [fill, slippage, fee]: Rules<'_>, more: &[&str]) -> Value {
    let rules = ["--fill", fill, "--slippage", slippage, "--fee", fee];
    let outputs = ["--signals", "signals.csv", "--trades", "trades.csv"];
    let summary = folder.json(&[&["replay", source], &rules[..], &outputs, more].concat());
    assert_eq!(summary["written"], json!(["signals.csv", "trades.csv"]));
    summary
}

fn check(folder: &Folder, summary: &Value, rules: Rules<'_>) -> Output {
    folder.write("summary.json", summary.to_string());
    let files = ["ticks.csv", "signals.csv", "trades.csv", "summary.json"];
    let mut python = Command::new("python3");
    python.arg(CHECK).args(files).args(rules).current_dir(folder.path());
    python.output().expect("python3 starts")
}

#[track_caller]
fn expect_same(folder: &Folder, summary: &Value, rules: Rules<'_>) {
    let output = check(folder, summary, rules);
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("compared, 0 differ"), "{said}");
}

#[test]
fn figures_of_a_capture_are_those_of_an_independent_computation() {
    let folder = Folder::new();
    folder.done(&["convert", CAPTURE, "ticks.csv"]);
    let rules = ["signal", "0", "0"];
    let summary = replayed(&folder, CAPTURE, rules, &[]);
    expect_same(&folder, &summary, rules);
    assert_eq!(summary["strategies"][0]["capital_basis"], "notional");

    // It sees each figure: whichever is another, it says so.
    let strategy = &summary["strategies"][0];
    for name in
        ["sharpe", "sortino", "max_drawdown", "drawdown_duration_ns", "profit_factor", "turnover", "losses"]
    {
        let mut other = summary.clone();
        other["strategies"][0][name] = match &strategy[name] {
            Value::String(_) => "12345".into(),
            Value::Number(_) => json!(12_345),
            absent => panic!("{name} is {absent}"),
        };
        let output = check(&folder, &other, rules);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && said.contains(&format!("apple.{name}: ")), "{said}");
    }
    let trades = String::from_utf8(folder.read("trades.csv")).expect("text");
    let (rest, last) = trades.trim_end().rsplit_once('\n').expect("rows");
    folder
        .write("trades.csv", format!("{rest}\n{}\n", last.replace(",sell,", ",buy,").replace(",0,", ",1,")));
    assert!(!check(&folder, &summary, rules).status.success(), "{last}");
}

#[test]
fn figures_with_costs_over_days_are_those_of_an_independent_computation() {
    let folder = Folder::new();
    let market = ["--ticks", "20000", "--instruments", "3", "--seed", "7", "--mean-gap", "20s"];
    folder.done(&[&["generate", "ticks.csv"], &market[..]].concat());
    let rules = ["cross", "0.5", "2"];
    let summary = replayed(&folder, "ticks.csv", rules, &["--capital", "10000"]);
    expect_same(&folder, &summary, rules);
    let apple = &summary["strategies"][0];
    assert_eq!((apple["capital"].as_str(), apple["capital_basis"].as_str()), (Some("10000"), Some("stated")));
    assert!(apple["days"].as_array().is_some_and(|days| days.len() > 1), "{}", apple["days"]);
    assert!(apple["instruments"].as_array().is_some_and(|all| all.len() == 3));
}

#[test]
fn without_a_trade_there_are_no_ratios() {
    let folder = Folder::new();
    folder.write(
        "flat.csv",
        "ts_event,ts_recv,symbol,kind,side,price,size,flags\n1000,1000,A,trade,buy,10,1,1\n",
    );
    let summary = folder.json(&["replay", "flat.csv", "--trades", "trades.csv"]);
    let apple = &summary["strategies"][0];
    for name in [
        "sharpe",
        "sortino",
        "profit_factor",
        "expectancy",
        "drawdown_begin",
        "capital",
        "net_profit_percent",
    ] {
        assert!(apple[name].is_null(), "{name} is {}", apple[name]);
    }
    assert_eq!((apple["net_profit"].as_str(), apple["under_water"].as_f64()), (Some("0"), Some(0.0)));
    let header = "run,strategy,instrument,side,opened_at_ns,closed_at_ns,entry,exit,fees,profit\n";
    assert_eq!(folder.read("trades.csv"), header.as_bytes());
    folder.fails(2, &["replay", "flat.csv", "--capital", "0"], &["is not above 0"]);
    folder.fails(2, &["replay", "flat.csv", "--trades", "trades.txt"], &["let its name end in .csv"]);
}
