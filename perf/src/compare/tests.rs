use std::fs;

use tempfile::TempDir;

use super::*;
use crate::sample;

/// Writes both as files and compares them.
fn text_of(a: &Outcome, b: &Outcome, json: bool) -> Result<String, CompareError> {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, outcome: &Outcome| {
        let path = folder.path().join(name);
        fs::write(&path, serde_json::to_string(outcome).unwrap()).unwrap();
        path
    };
    compare(&CompareArgs { a: write("a.json", a), b: write("b.json", b), json })
}

fn refused(content: &str) -> CompareError {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("odd.json");
    fs::write(&path, content).unwrap();
    read(&path).unwrap_err()
}

#[test]
fn an_outcome_is_no_worse_than_itself() {
    let outcome = sample::sweep();
    let text = text_of(&outcome, &outcome, false).unwrap();
    assert!(text.contains("Circumstances and settings are the same."), "{text}");
    assert!(text.contains("B is nowhere worse by more than 5 %."), "{text}");
    assert!(!text.contains("worse\n") && text.contains("warning: A: Others used 14 %"), "{text}");
}

#[test]
fn only_what_differs_is_named_and_only_what_is_worse_is_marked() {
    let a = sample::single();
    let mut b = a.clone();
    b.settings.insert("frame-ticks".to_owned(), "64".to_owned());
    b.settings.insert("tls".to_owned(), "on".to_owned());
    b.environment.versions.insert("rustc".to_owned(), "1.96.0".to_owned());
    b.environment.command.push_str(" --frame-ticks 64 --tls");
    let step = &mut b.steps[0];
    step.totals.ticks_per_s *= 0.94;
    step.totals.messages_per_s *= 64.0;
    step.stages[3].p99 = step.stages[3].p99 * 13 / 10;
    step.stages[3].p50 = step.stages[3].p50 * 104 / 100;
    step.stages[0].p50 /= 2;
    let text = text_of(&a, &b, false).unwrap();
    let line = |name: &str| {
        let found = text.lines().find(|line| line.trim_start().starts_with(name));
        found.unwrap_or_else(|| panic!("{name} in {text}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("setting frame-ticks"), "setting frame-ticks 4096 64");
    assert_eq!(line("setting tls"), "setting tls – on");
    assert_eq!(line("version of rustc"), "version of rustc 1.95.0 1.96.0");
    assert!(text.contains("\n  command\n    A  perf broker "), "{text}");
    assert!(!text.contains("kernel") && !text.contains("setting seconds"), "{text}");
    assert!(line("ticks/s").ends_with("0.94 worse"), "{text}");
    assert!(line("messages/s").ends_with("64.00"), "more messages are neither better nor worse: {text}");
    assert!(line("signal p99 ").ends_with("1.30 worse"), "{text}");
    assert!(line("signal p50").ends_with("1.04"), "{text}");
    assert!(line("sent p50").ends_with("0.50"), "{text}");
    assert!(text.ends_with("B is worse by more than 5 % in 2 figures.\n"), "{text}");
}

#[test]
fn columns_stand_below_each_other() {
    let outcome = sample::single();
    let text = text_of(&outcome, &outcome, false).unwrap();
    let table: Vec<_> = text.lines().skip_while(|line| !line.starts_with("Offered")).skip(1).collect();
    let widths: Vec<_> =
        table.iter().take_while(|line| !line.is_empty()).map(|line| line.chars().count()).collect();
    assert!(widths.len() > 20 && widths.iter().all(|width| *width == widths[0]), "{text}");
}

#[test]
fn steps_are_matched_by_their_rate_and_the_rest_is_named() {
    let a = sample::sweep();
    let mut b = a.clone();
    b.steps.remove(0);
    b.steps.reverse();
    b.steps[2].offered = Some(3_000_000.000_000_1);
    b.steps[3].offered = Some(2.5e6);
    let text = text_of(&a, &b, false).unwrap();
    assert!(text.contains("Only A has: offered 250 k ticks/s, offered 2.00 M ticks/s\n"), "{text}");
    assert!(text.contains("Only B has: offered 2.50 M ticks/s\n"), "{text}");
    assert!(text.contains("\nFull speed\n") && text.contains("\nOffered 3.00 M ticks/s\n"), "{text}");
    assert!(text.contains("knee, offered ticks/s"), "{text}");
}

#[test]
fn of_different_workloads_only_throughput_is_compared() {
    let a = sample::single();
    let mut b = a.clone();
    b.workload = "embedded".to_owned();
    b.steps[0].totals.ticks_per_s = 1e6;
    let text = text_of(&a, &b, false).unwrap();
    assert!(text.contains("The workloads differ: only throughput is compared."), "{text}");
    assert!(!text.contains("signal") && !text.contains("messages/s"), "{text}");
    assert!(text.contains("highest ticks/s  2.00 M  1.00 M  0.50  worse"), "{text}");
    b.steps[0].totals.ticks_per_s = 0.0;
    let error = text_of(&a, &b, false).unwrap_err().to_string();
    assert!(
        error.contains("a.json measured broker and ") && error.contains("b.json measured embedded"),
        "{error}"
    );
}

#[test]
fn without_ticks_messages_are_the_throughput() {
    let mut a = sample::single();
    a.steps[0].totals.ticks_per_s = 0.0;
    let mut b = a.clone();
    b.steps[0].totals.messages_per_s /= 2.0;
    let text = text_of(&a, &b, false).unwrap();
    let line = text.lines().find(|line| line.contains("messages/s")).unwrap();
    assert!(line.ends_with("0.50  worse"), "{line}");
}

#[test]
fn json_has_the_same() {
    let a = sample::single();
    let mut b = a.clone();
    b.steps[0].stages[4].max *= 2;
    let text = text_of(&a, &b, true).unwrap();
    assert_eq!(text.lines().count(), 1);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = json["steps"][0]["rows"].as_array().unwrap();
    let worse: Vec<_> = rows.iter().filter(|row| row["b_is_worse"] == true).collect();
    assert_eq!(worse.len(), 1);
    assert_eq!(worse[0]["name"], "committed max");
    assert_eq!((&worse[0]["unit"], &worse[0]["ratio"]), (&"nanoseconds".into(), &2.0.into()));
}

#[test]
fn a_file_that_is_no_result_is_named() {
    let missing = read(Path::new("no/such/file.json")).unwrap_err().to_string();
    assert!(missing.starts_with("no/such/file.json cannot be read: "), "{missing}");
    for content in ["", "{}", "[1]", "ticks", r#"{"schema": 1, "workload": 7}"#] {
        let error = refused(content);
        assert!(matches!(error, CompareError::NoResult { .. }), "{content}: {error}");
        assert!(error.to_string().contains("odd.json is not a result of perf: "), "{error}");
    }
    let error = refused(r#"{"schema": 2, "work": {}}"#).to_string();
    assert!(
        error.contains("odd.json has schema 2, and this orchard reads schema 1: measure again"),
        "{error}"
    );
}

#[test]
fn a_file_cannot_steer_the_terminal() {
    let mut outcome = sample::single();
    outcome.environment.warnings = vec!["\u{1b}[2J".to_owned()];
    assert!(!text_of(&outcome, &outcome, false).unwrap().contains('\u{1b}'));
}
