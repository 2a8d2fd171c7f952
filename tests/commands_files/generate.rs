//! `orchard generate`, as a user runs it.

use crate::program::Folder;

#[test]
fn the_same_seed_gives_the_same_file_and_another_does_not() {
    let folder = Folder::new();
    let generate = |out: &str, seed: &str| folder.done(&["generate", out, "--ticks", "20K", "--seed", seed]);
    let summary = generate("a.ticks", "7");
    assert!(summary.contains("Instruments  8\n"), "{summary}");
    generate("b.ticks", "7");
    generate("c.ticks", "8");
    assert!(folder.read("a.ticks") == folder.read("b.ticks"));
    assert!(folder.read("a.ticks") != folder.read("c.ticks"));
}

#[test]
fn counts_skew_and_gaps_are_as_asked_for() {
    let folder = Folder::new();
    let args = ["generate", "skewed.csv", "--ticks", "10K", "--instruments", "16", "--skew", "1.5"];
    let shown = folder.json(&args);
    assert!((10_000..=10_001).contains(&shown["ticks"].as_u64().unwrap()), "{shown}");
    let busiest = |file: &str| {
        let shown = folder.json(&["info", file]);
        let instruments = shown["instruments"].as_array().unwrap();
        let ticks = |i: &serde_json::Value| i["ticks"].as_u64().unwrap();
        let most = instruments.iter().max_by_key(|i| ticks(i)).unwrap();
        (most["symbol"].as_str().unwrap().to_owned(), ticks(most))
    };
    // 1 / (sum of i^-1.5 for i to 16) is 0.47 of all events.
    let (symbol, ticks) = busiest("skewed.csv");
    assert!(symbol == "S00000" && (4_200..5_200).contains(&ticks), "{symbol} {ticks}");
    folder.done(&["generate", "even.csv", "--ticks", "10K", "--instruments", "16", "--skew", "0"]);
    let (_, ticks) = busiest("even.csv");
    assert!(ticks < 1_000, "{ticks} of 10,000 for the busiest of 16");

    // 10,000 ticks are some 5,600 events, a second apart.
    let shown = folder.json(&["generate", "slow.ticks", "--ticks", "10K", "--mean-gap", "1s"]);
    let span = shown["last_ts_recv"].as_u64().unwrap() - shown["first_ts_recv"].as_u64().unwrap();
    assert!((5_200_000_000_000..6_000_000_000_000).contains(&span), "{span} ns");
}

#[test]
fn both_formats_hold_the_same_market() {
    let folder = Folder::new();
    folder.done(&["generate", "market.ticks", "--ticks", "5K", "--seed", "3"]);
    folder.done(&["generate", "market.csv", "--ticks", "5K", "--seed", "3"]);
    folder.done(&["convert", "market.csv", "from-csv.ticks"]);
    assert!(folder.read("market.ticks") == folder.read("from-csv.ticks"));
}

#[test]
fn a_reader_that_goes_is_no_failure() {
    let folder = Folder::new();
    let line = folder.first_line_only(&["generate", "-", "--format", "csv", "--ticks", "1M"]);
    assert!(line.starts_with("ts_event,"), "{line}");
}

#[test]
fn wrong_usage_says_what_would_be_right() {
    let folder = Folder::new();
    let wrong: [(&[&str], &str); 8] = [
        (&[], "OUT"),
        (&["out.parquet"], ".ticks or .csv"),
        (&["out.ticks", "--ticks", "many"], "1.5M"),
        (&["out.ticks", "--ticks", "0"], "1.5M"),
        (&["out.ticks", "--instruments", "0"], "from 1 to 1000000"),
        (&["out.ticks", "--skew", "NaN"], "from 0 to 100"),
        (&["out.ticks", "--mean-gap", "5"], "250ms"),
        (&["out.ticks", "--ticks", "10G", "--mean-gap", "1000h"], "500 years"),
    ];
    for (args, said) in wrong {
        folder.fails(2, &[&["generate"], args].concat(), &[said]);
    }
    assert_eq!(folder.names(), [""; 0]);
}
