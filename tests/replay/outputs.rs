//! What `orchard replay` writes where, and what it refuses to write: never a source, never another
//! output, never in silence over what was there.

use crate::program::Folder;

const TRADES: &str = "\
ts_event,ts_recv,symbol,kind,side,price,size,flags
1000,1000,A,trade,buy,10,1,1
2000,2000,B,trade,sell,11,1,1
";

const SMALL: &[&str] = &["replay", "--ticks", "5000"];

#[test]
fn a_source_is_never_replaced() {
    let folder = Folder::new();
    let capture = folder.write("cap.csv", TRADES);
    folder.write("cap.html", TRADES);
    folder.write("groups.csv", "both = A B\n");
    std::fs::hard_link(folder.path().join("cap.csv"), folder.path().join("link.csv")).expect("a link");
    let commands: [&[&str]; 5] = [
        &["cap.csv", "--signals", "cap.csv"],
        &["cap.csv", "--signals", "./cap.csv", "--force"],
        &["cap.csv", "--signals", "link.csv", "--force"],
        &["cap.html", "--report", "cap.html", "--force"],
        &["cap.csv", "--groups", "groups.csv", "--signals", "groups.csv", "--force"],
    ];
    for args in commands {
        let ran = folder.fails(2, &[&["replay"], args].concat(), &["is one of the sources"]);
        assert!(ran.stdout.is_empty());
    }
    assert_eq!(folder.read("cap.csv"), capture);
    assert_eq!(folder.read("cap.html"), capture);
}

#[test]
fn outputs_have_known_endings_and_are_not_each_other() {
    let folder = Folder::new();
    let refused: [(&[&str], &str); 3] = [
        (&["--signals", "out.txt"], "--signals out.txt: let its name end in .csv or .jsonl"),
        (&["--signals", "out"], "--signals out: let its name end in .csv or .jsonl"),
        (&["--report", "out.csv"], "--report out.csv: let its name end in .html"),
    ];
    for (args, said) in refused {
        folder.fails(2, &[SMALL, args].concat(), &[said]);
    }
    assert!(folder.names().is_empty());
}

#[test]
fn what_is_there_is_replaced_only_on_request() {
    let folder = Folder::new();
    let older = folder.write("out.csv", "precious");
    folder.fails(
        1,
        &[SMALL, &["--signals", "out.csv"]].concat(),
        &["--signals out.csv: is already there", "--force"],
    );
    assert_eq!(folder.read("out.csv"), older);
    let outputs = ["--signals", "out.csv", "--report", "out.html", "--force"];
    let said = folder.done(&[SMALL, &outputs].concat());
    assert!(said.contains("\nWritten      out.csv, out.html\n"), "{said}");
    assert!(folder.read("out.csv").starts_with(b"run,strategy,"));
    let json = folder.json(&[SMALL, &outputs].concat());
    assert_eq!(json["written"], serde_json::json!(["out.csv", "out.html"]));
}

/// The same command resumes a run, so that it has to take its own outputs.
#[test]
fn a_kept_run_replaces_its_own_outputs_and_no_others() {
    let folder = Folder::new();
    let outputs = ["--state", "state", "--signals", "out.csv", "--report", "out.html"];
    let precious = folder.write("out.csv", "precious");
    folder.fails(1, &[SMALL, &outputs].concat(), &["out.csv: is already there"]);
    assert_eq!(folder.names(), ["out.csv"], "nothing is recorded");
    std::fs::remove_file(folder.path().join("out.csv")).expect("it is removed");
    folder.done(&[SMALL, &outputs].concat());
    let signals = folder.read("out.csv");
    folder.done(&[SMALL, &outputs].concat());
    assert_eq!(folder.read("out.csv"), signals);
    folder.write("out.csv", &precious);
    folder.fails(1, &[SMALL, &outputs].concat(), &["--signals out.csv: is already there"]);
    assert_eq!(folder.read("out.csv"), precious);
}

/// With a limit on the size of any file, which a page of many instruments exceeds, as on a full disk.
#[cfg(unix)]
#[test]
fn a_report_that_cannot_be_written_loses_no_results() {
    let folder = Folder::new();
    let older = folder.write("out.html", "yesterday's");
    let command = format!(
        "trap '' XFSZ; ulimit -f 280; exec {} replay --ticks 100000 --instruments 500 \
         --strategy apple:fast=1,slow=1 --report out.html --force --quiet",
        crate::PROGRAM
    );
    let mut shell = std::process::Command::new("bash");
    let output = shell.args(["-c", &command]).current_dir(folder.path()).output().expect("bash starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    assert!(stderr.contains("writing out.html: "), "{stderr}");
    assert!(stdout.contains("Ticks        100,000 (") && stdout.contains("\napple "), "{stdout}");
    assert_eq!(folder.read("out.html"), older);
    assert_eq!(folder.names(), ["out.html"], "nothing half done is left");
}

#[test]
fn a_selection_without_ticks_is_a_failure_that_says_where_they_are() {
    let folder = Folder::new();
    folder.write("t.csv", TRADES);
    let outside: [(&[&str], &str); 4] = [
        (
            &["--from", "3000"],
            "the sources' ticks are from 1970-01-01 00:00:00.000 to 1970-01-01 00:00:00.000 UTC",
        ),
        (&["--to", "500"], "the sources' ticks are from 1970-01-01 00:00:00.000 to later UTC"),
        (&["--symbols", "C"], "no tick of --symbols C; `orchard info FILE` lists"),
        (&["--from", "1200", "--to", "1300"], "no tick is within --from and --to"),
    ];
    for (selection, said) in outside {
        folder.fails(1, &[&["replay", "t.csv"], selection].concat(), &[said]);
        folder.fails(1, &[&["convert", "t.csv", "out.ticks"], selection].concat(), &[said]);
    }
    assert_eq!(folder.names(), ["t.csv"]);
    for command in [&["replay", "t.csv"][..], &["convert", "t.csv", "out.ticks"]] {
        let said = "--from 1970-01-01 00:00:00.000 is not before --to";
        folder.fails(2, &[command, &["--from", "2000", "--to", "1000"]].concat(), &[said]);
    }
    assert_eq!(folder.names(), ["t.csv"]);
}

#[test]
fn sources_that_contradict_each_other_are_refused() {
    let folder = Folder::new();
    folder.write("t.csv", TRADES);
    for option in [["--ticks", "5"], ["--instruments", "5"], ["--seed", "5"]] {
        folder.fails(2, &[&["replay", "t.csv"], &option[..]].concat(), &["cannot be used with", option[0]]);
    }
    for command in [&["replay", "t.csv", "./t.csv"][..], &["convert", "t.csv", "./t.csv", "out.csv"]] {
        folder.fails(2, command, &["t.csv and ./t.csv are the same file"]);
    }
    let prefixes = ["replay", "t.csv", "t.csv", "--prefix", "x:", "--prefix", "y:"];
    assert_eq!(folder.json(&prefixes)["ticks"], 4);
}
