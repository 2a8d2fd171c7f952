//! What `orchard replay` says to wrong usage, and what it prints where.

use std::io::Write;
use std::process::Stdio;

use crate::program::Folder;
use crate::replaying::CAPTURE;

/// The second line of ticks is malformed.
const MALFORMED: &str = "\
ts_event,ts_recv,symbol,kind,side,price,size,flags
1000,1000,A,trade,buy,10,1,1
2000,2000,A,trade,sell,11x,1,1
3000,3000,A,trade,sell,12,1,1
";

const SMALL: &[&str] = &["replay", "--ticks", "5000"];

fn capture_text() -> Vec<u8> {
    zstd::decode_all(std::fs::File::open(CAPTURE).expect("the capture is there")).expect("packed with zstd")
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("folder")).expect("a folder");
    folder.write("empty", "");
    folder.write("letter.txt", "Dear Sir or Madam,\n");
    let files: [(&str, &[&str]); 4] = [
        ("missing.gz", &["No such file"]),
        ("folder", &["is a folder without a file that could hold ticks"]),
        ("empty", &["is empty"]),
        ("letter.txt", &["is of no known format; it begins with: Dear Sir or Madam,", "--map"]),
    ];
    for (file, said) in files {
        let ran = folder.fails(1, &["replay", file, "--signals", "out.csv"], said);
        assert!(ran.stderr.contains(&format!("error: {file}: ")), "{}", ran.stderr);
        assert!(ran.stdout.is_empty());
    }
    assert_eq!(folder.names(), ["empty", "folder", "letter.txt"], "nothing half done is left");
}

#[test]
fn damaged_compression_stops_the_run() {
    let folder = Folder::new();
    let whole = std::fs::read(CAPTURE).expect("the capture is there");
    folder.write("cut.zst", &whole[..whole.len() / 2]);
    folder.fails(1, &["replay", "cut.zst", "--on-bad-line", "skip"], &["cut.zst: decompressing zstd: "]);
    let mut flipped = whole;
    let middle = flipped.len() / 2;
    flipped[middle..middle + 64].fill(0xff);
    folder.write("flipped.zst", flipped);
    folder.fails(
        1,
        &["replay", "flipped.zst", "--on-bad-line", "skip"],
        &["flipped.zst: decompressing zstd: "],
    );
}

#[test]
fn a_bad_line_stops_the_run_or_is_counted() {
    let folder = Folder::new();
    folder.write("t.csv", MALFORMED);
    let said = ["t.csv:3: price ", "in: 2000,2000,A,trade,sell,11x,1,1", "--on-bad-line skip"];
    let ran = folder.fails(1, &["replay", "t.csv", "--signals", "out.csv"], &said);
    assert!(ran.stdout.is_empty());
    assert_eq!(folder.names(), ["t.csv"]);
    let skip = ["replay", "t.csv", "--on-bad-line", "skip"];
    let json = folder.json(&skip);
    assert_eq!((&json["ticks"], &json["malformed_lines"]), (&2.into(), &1.into()));
    let text = folder.done(&skip);
    assert!(text.contains("Malformed    1 line\n") && text.contains("left out: t.csv:3: price "), "{text}");
}

#[test]
fn rates_and_counts_are_written_alike() {
    let folder = Folder::new();
    let args = ["--ticks", "4K", "--instruments", "1K", "--rate", "40K", "--json"];
    let summary = folder.done(&[&["replay"], &args[..]].concat());
    // A quote's two ticks stay together.
    assert!(summary.contains("\"ticks\":400"), "{summary}");
}

#[test]
fn wrong_usage_is_distinguished_from_failure() {
    let folder = Folder::new();
    folder.write("a.csv", MALFORMED);
    let cases: [(&[&str], &str); 15] = [
        (&["--strategy", "plum"], "there is no strategy 'plum'; there are: apple, pear"),
        (&["--strategy", "apple:fast=x"], "fast = 'x' is not a valid u32"),
        (&["--strategy", "apple:window=3"], "there is no parameter 'window'; there are: fast, slow"),
        (&["--strategy", "apple", "--strategy", "apple"], "its name is there twice"),
        (&["--loop", "0"], "--loop 0 plays nothing"),
        (&["--shards", "0"], "0 is not in 1..=1024"),
        (&["--speed", "fast"], "'fast' is not a valid speed: write max, 1x, 10x or 0.5x"),
        (
            &["--rate", "0"],
            "'0' is not a valid rate per second: write a number above 0, as 5000, 40K or 1.5M",
        ),
        (&["--from", "yesterday"], "'yesterday' is not a valid time: write 2024-08-08"),
        (&["--fill", "best"], "write signal or cross"),
        (&["--tz", "New York"], "near names are America/New_York"),
        (&["--tz", "EST"], "may be with daylight saving or without it"),
        (
            &["a.csv", "b.csv", "c.csv", "--prefix", "x:", "--prefix", "y:"],
            "2 --prefix for 3 files: give it once for all",
        ),
        (&["-", "-"], "- is there twice"),
        (&["-", "--loop", "2"], "standard input can be read only once"),
    ];
    for (args, said) in cases {
        let ran = folder.fails(2, &[&["replay"], args].concat(), &[said]);
        assert!(ran.stdout.is_empty(), "{args:?}");
    }
    assert_eq!(folder.names(), ["a.csv"]);
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_the_run() {
    let folder = Folder::new();
    let forever = ["replay", "--ticks", "1000G"];
    std::fs::create_dir(folder.path().join("folder.csv")).expect("a folder");
    for output in [["--signals", "no/where.csv"], ["--report", "no/where.html"], ["--signals", "folder.csv"]]
    {
        let said = format!("{} {}: cannot be written: ", output[0], output[1]);
        folder.fails(1, &[&forever[..], &output].concat(), &[&said]);
    }
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_run() {
    // Without an end of its own: a run that went on would never end this test.
    let forever = ["replay", "--ticks", "1000G", "--signals", "-", "--quiet"];
    for shards in ["1", "16"] {
        let line = Folder::new().first_line_only(&[&forever[..], &["--shards", shards]].concat());
        assert_eq!(line, "run,strategy,instrument,shard,seq,ts_event,side,price\n");
    }
}

#[test]
fn results_are_on_standard_output_and_the_rest_is_not() {
    let folder = Folder::new();
    let ran = folder.run(SMALL);
    assert!(ran.stdout.starts_with("Run  ") && ran.stdout.contains("Ticks        5,000 ("), "{}", ran.stdout);
    assert!(ran.stderr.starts_with("No files given: playing a generated market"), "{}", ran.stderr);

    let json = folder.run(&[SMALL, &["--json"]].concat());
    assert_eq!(json.stdout.lines().count(), 1, "{}", json.stdout);
    assert!(serde_json::from_str::<serde_json::Value>(&json.stdout).is_ok());

    let streamed = folder.run(&[SMALL, &["--signals", "-"]].concat());
    assert!(
        streamed.stdout.lines().count() > 1
            && streamed.stdout.lines().all(|line| line.split(',').count() == 8)
    );
    assert!(streamed.stderr.contains("Ticks        5,000 ("), "{}", streamed.stderr);
    let both = folder.run(&[SMALL, &["--signals", "-", "--json", "--quiet"]].concat());
    assert!(serde_json::from_str::<serde_json::Value>(&both.stderr).is_ok(), "{}", both.stderr);
}

#[test]
fn quiet_is_quiet() {
    let folder = Folder::new();
    for args in [&[][..], &["--json"], &["--signals", "-"], &["--signals", "out.csv", "--report", "out.html"]]
    {
        let ran = folder.run(&[SMALL, &["--quiet"], args].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(!ran.stdout.is_empty());
    }
    assert_eq!(folder.names(), ["out.csv", "out.html"]);
}

#[test]
fn a_report_is_one_page_that_needs_no_other() {
    let folder = Folder::new();
    folder.done(&["replay", CAPTURE, "--report", "out.html", "--quiet"]);
    let page = String::from_utf8(folder.read("out.html")).expect("UTF-8");
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    assert!(page.contains("BTCUSDT") && page.contains("apple") && page.contains("pear"));
    for reference in ["src=", "<link", "@import", "url(", "fetch(", "import(", "XMLHttpRequest"] {
        assert!(!page.contains(reference), "it refers to something outside: {reference}");
    }
    // Names of XML's vocabularies are not addresses that anything is loaded from.
    let mut addresses = page.split("://").skip(1).map(|rest| rest.split('/').next());
    assert_eq!(addresses.find(|host| *host != Some("www.w3.org")), None);
}

#[test]
fn a_capture_may_come_through_a_pipe() {
    let folder = Folder::new();
    let mut command = folder.command(&["replay", "-", "--quiet", "--json"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(&capture_text()).expect("it reads all of it");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("results");
    assert_eq!((&json["ticks"], &json["sources"]), (&153_491.into(), &serde_json::json!(["-"])));
}

#[test]
fn events_are_json_for_machines_on_standard_error() {
    let folder = Folder::new();
    let mut command = folder.command(&[SMALL, &["--quiet", "--json", "--log", "json"]].concat());
    let output = command.env("RUST_LOG", "info").output().expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{stderr}");
    let parse = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {stderr}"))
    };
    let events: Vec<_> = stderr.lines().map(parse).collect();
    let replayed = events.iter().find(|event| event["fields"]["message"] == "replayed").expect("an event");
    assert_eq!(replayed["level"], "INFO");
    let results: serde_json::Value = serde_json::from_slice(&output.stdout).expect("the results alone");
    for figure in ["run", "ticks"] {
        assert_eq!(replayed["fields"][figure], results[figure], "{figure}");
    }
}
