use std::collections::HashSet;
use std::io::Write;

use super::*;
use crate::NamedSymbol;

/// A file in Orchard's own CSV, `time symbol` a line.
fn csv(rows: &[(u64, &str)]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "ts_event,ts_recv,symbol,kind,side,price,size,flags").unwrap();
    for (time, symbol) in rows {
        writeln!(file, "{time},{time},{symbol},trade,,1,1,1").unwrap();
    }
    file
}

fn spec(file: &tempfile::NamedTempFile, prefix: &str) -> SourceSpec {
    SourceSpec::prefixed(file.path().display().to_string(), prefix)
}

fn read(specs: &[SourceSpec], selection: &TickSelection) -> Result<Vec<(u64, String)>, ReadError> {
    let mut merged = Merged::open(specs, &ReadOptions::default(), selection)?;
    let mut all = Vec::new();
    let mut ticks = Vec::new();
    while {
        ticks.clear();
        merged.read(&mut ticks)?
    } {
        let named = |tick: &Tick| (tick.ts_recv, merged.symbols()[tick.instrument as usize].clone());
        all.extend(ticks.iter().map(named));
    }
    Ok(all)
}

fn rows(ticks: &[(u64, String)]) -> Vec<(u64, &str)> {
    ticks.iter().map(|(time, symbol)| (*time, symbol.as_str())).collect()
}

#[test]
fn equal_times_are_taken_in_the_order_of_the_sources() {
    let first = csv(&[(1, "A"), (5, "A"), (5, "A"), (9, "A")]);
    let second = csv(&[(0, "B"), (5, "B"), (7, "B")]);
    for prefix in ["", "x:"] {
        let merged = read(&[spec(&first, prefix), spec(&second, "")], &TickSelection::default()).unwrap();
        let a = format!("{prefix}A");
        let a = a.as_str();
        assert_eq!(rows(&merged), [(0, "B"), (1, a), (5, a), (5, a), (5, "B"), (7, "B"), (9, a)]);
    }
}

#[test]
fn selections_hold_and_repeats_go_on_in_time() {
    let file = csv(&[(1, "A"), (2, "B"), (3, "A"), (4, "B"), (5, "A")]);
    let selection = TickSelection {
        symbols: Some(HashSet::from(["A".to_owned()])),
        from: Some(2),
        to: Some(5),
        ..TickSelection::default()
    };
    assert_eq!(rows(&read(&[spec(&file, "")], &selection).unwrap()), [(3, "A")]);
    let twice = TickSelection { repeats: 2, from: Some(3), ..TickSelection::default() };
    let later = 2 + BETWEEN_PASSES_NS;
    let merged = read(&[spec(&file, "")], &twice).unwrap();
    assert_eq!(
        rows(&merged),
        [(3, "A"), (4, "B"), (5, "A"), (3 + later, "A"), (4 + later, "B"), (5 + later, "A")]
    );
}

#[test]
fn a_late_tick_stops_with_its_line_or_is_put_in_its_place() {
    let file = csv(&[(1_000_000, "A"), (5_000_000, "B"), (3_000_000, "C"), (6_000_000, "D")]);
    let error = read(&[spec(&file, "")], &TickSelection::default()).unwrap_err().to_string();
    assert!(error.contains(":4: ts_recv 3000000 is 2000000 ns earlier"), "{error}");
    assert!(error.contains("--reorder 3ms"), "{error}");
    let window = |ms: u64| TickSelection { reorder_ns: ms * 1_000_000, ..TickSelection::default() };
    assert!(read(&[spec(&file, "")], &window(1)).is_err());
    let ordered = read(&[spec(&file, "")], &window(2)).unwrap();
    assert_eq!(rows(&ordered), [(1_000_000, "A"), (3_000_000, "C"), (5_000_000, "B"), (6_000_000, "D")]);
}

#[test]
fn one_symbol_of_two_markets_needs_prefixes() {
    let named = |market: &str| NamedSymbol { symbol: "BTCUSDT".to_owned(), market: Some(market.to_owned()) };
    let mut symbols = Symbols::default();
    let unknown = NamedSymbol { symbol: "BTCUSDT".to_owned(), market: None };
    assert_eq!(symbols.id("", &unknown, "c").unwrap(), Some(0));
    assert_eq!(symbols.id("", &named("spot"), "a").unwrap(), Some(0));
    let error = symbols.id("", &named("usdm"), "b").unwrap_err().to_string();
    assert!(error.contains("of market spot in a and of market usdm in b") && error.contains("--prefix"));
    assert_eq!(symbols.id("usdm:", &named("usdm"), "b").unwrap(), Some(1));
}
