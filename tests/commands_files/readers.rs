//! Files of real users: each is read exactly, or refused by name with the next step.
//!
//! The inputs are in `tick-ingest/tests/data/readers`, made after public bug reports and vendors'
//! pages; `tests/data/readers_expected` has what is in them, as Orchard CSV, written by another program
//! than this.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::Folder;

/// How a file is read.
enum Read {
    /// Without any option.
    Itself,
    /// By the command that `orchard info` gives for it.
    Guess,
    /// As [`Read::Guess`], with these options beside.
    GuessWith(&'static [&'static str]),
    /// With these options.
    With(&'static [&'static str]),
}

/// What a file's ticks are, by the name of the file with the expected ones, and how it is read.
const READ: &[(&str, Read)] = &[
    // A: what is no trade at the market.
    ("27-usdm-insurance-fund.txt", Read::Itself),
    // B: an absent side of a book.
    (
        "17-polygon-quotes-zero.csv",
        Read::With(&[
            "--map",
            "time=sip_timestamp:ns,symbol=ticker,bid=bid_price,bid_size=bid_size,ask=ask_price,ask_size=ask_size",
        ]),
    ),
    ("41-nan-quotes.csv", Read::Guess),
    // C, N: columns.
    ("36-okx-10digit-ids.csv", Read::Guess),
    ("06b-okx-btc.csv", Read::Guess),
    // E: bid and ask without header.
    ("01-truefx-headerless.csv", Read::Guess),
    // F: date and time in two columns.
    ("56-date-and-time-columns.csv", Read::Guess),
    ("11-mt5-ticks.csv", Read::Guess),
    // G: time zones.
    ("14-firstrate.txt", Read::Guess),
    ("14-firstrate.txt.new-york", Read::GuessWith(&["--tz", "America/New_York"])),
    // H: the receive time in front of a line of JSON.
    ("57b-recv-microseconds.txt", Read::Itself),
    ("31-prefix-variants.txt", Read::Itself),
    // I: archives.
    ("03-BTCUSDT-aggTrades-2024-07-04.zip", Read::Itself),
    // J: finer than 1e-9.
    ("02-dukascopy-local-time.csv", Read::Guess),
    // K: encodings.
    ("49-fxcm-utf16.csv.gz", Read::Guess),
    // L: how numbers are written.
    ("19-dukascopy-eu.csv", Read::Guess),
    ("08-pandas-float-times.csv", Read::Guess),
    ("34-databento-trades-raw.csv", Read::Itself),
    (
        "34-databento-trades-raw.csv",
        Read::With(&[
            "--map",
            "time=ts_event:ns,recv=ts_recv:ns,symbol=instrument_id,price=price:1e-9,size=size,side=side,only=action:T",
        ]),
    ),
    // M: patterns of times.
    ("35d-bitmex-trade.csv", Read::Guess),
    // O, U, V: which pattern, which column, which unit.
    ("40b-ddmm.csv", Read::Guess),
    ("38-cryptodatadownload.csv", Read::Guess),
    ("51-mixed-s-ms.csv", Read::Guess),
    // Q: what stands around the rows.
    ("23-preamble.csv", Read::Guess),
    (
        "23-preamble.csv",
        Read::With(&["--map", "time=unix:ms,symbol=symbol,price=price,size=amount,side=side,skip=2"]),
    ),
    ("37", Read::Itself),
    (
        "54-ragged.csv",
        Read::With(&["--map", "time=timestamp:ms,symbol=symbol,price=price,size=size,ragged=yes"]),
    ),
    // R: options a file.
    ("61", Read::With(&["--symbol", "XBTUSD", "--symbol", "ETHUSD", "--map", "time=#1:s,price=#2,size=#3"])),
    ("61", Read::With(&["--map", "time=#1:s,price=#2,size=#3"])),
    // S: a folder.
    ("24-dir", Read::Itself),
    // Y: a gzip file's end.
    ("32", Read::Itself),
    // Z: a line that is a list of events.
    ("28-combined-new-fields.txt", Read::Itself),
];

/// Inputs that are refused, and what the error says.
const REFUSED: &[(&str, &[&str])] = &[
    ("58-binance-depth-update.csv", &["book updates, no trades"]),
    ("59-ADABTC-1m-2021-11-27.csv", &["bars, no ticks"]),
];

fn inputs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tick-ingest/tests/data/readers")
}

/// The paths of the input that an expected file is named after.
fn input(expected: &str) -> Vec<String> {
    let path = |name: &str| inputs().join(name).into_os_string().into_string().expect("UTF-8");
    match expected {
        "14-firstrate.txt.new-york" => vec![path("14-firstrate.txt")],
        "32" => vec![path("32/trailing-zeros.csv.gz")],
        "37" => vec![path("37/BTCUSDT-trades-2022-08.csv")],
        "61" => vec![path("61/XBTUSD.csv"), path("61/ETHUSD.csv")],
        other => vec![path(other)],
    }
}

fn expected(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/readers_expected").join(name);
    std::fs::read_to_string(path.with_added_extension("csv")).expect("the expected ticks")
}

/// The words of a command as a shell takes it apart, quotes gone.
pub(crate) fn words(command: &str) -> Vec<String> {
    let mut words = vec![];
    let (mut word, mut quoted) = (String::new(), false);
    for c in command.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words
}

/// The options of the command that `orchard info` gives for a file.
fn guess(folder: &Folder, file: &str) -> Vec<String> {
    let shown: Value = folder.json(&["info", file]);
    let command = shown["command"].as_str().unwrap_or_else(|| panic!("{file} is not guessed: {shown}"));
    let words = words(command);
    assert_eq!(words[..3], ["orchard", "replay", file], "{command}");
    words[3..].to_vec()
}

/// The ticks of `files`, read with `options`, as Orchard CSV.
fn converted(folder: &Folder, files: &[String], options: &[String]) -> String {
    let args =
        [&["convert".to_owned()], files, &["out.csv".to_owned(), "--force".to_owned()], options].concat();
    folder.done(&args.iter().map(String::as_str).collect::<Vec<_>>());
    String::from_utf8(folder.read("out.csv")).expect("UTF-8")
}

fn owned(options: &[&str]) -> Vec<String> {
    options.iter().map(|&option| option.to_owned()).collect()
}

#[test]
fn each_file_has_exactly_its_ticks() {
    let folder = Folder::new();
    for (name, read) in READ {
        let files = input(name);
        let options = match read {
            Read::Itself => vec![],
            Read::Guess => guess(&folder, &files[0]),
            Read::GuessWith(options) => [guess(&folder, &files[0]), owned(options)].concat(),
            Read::With(options) => owned(options),
        };
        assert_eq!(converted(&folder, &files, &options), expected(name), "{name} by {options:?}");
    }
}

#[test]
fn what_holds_no_ticks_is_refused_by_name() {
    let folder = Folder::new();
    for (name, said) in REFUSED {
        let file = &input(name)[0];
        folder.fails(1, &["info", file], said);
        folder.fails(1, &["replay", file, "--quiet"], said);
    }
}
