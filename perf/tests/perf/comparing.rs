//! `perf compare`: results of this program are read by it.

use crate::measured::measure;
use crate::program::Folder;

#[test]
fn two_results_are_set_side_by_side() {
    let folder = Folder::new();
    let load = ["embedded", "--ticks", "20K", "--state", "memory", "--shards"];
    let rates = [("a.json", "1"), ("b.json", "2")].map(|(file, shards)| {
        let measured = measure(&folder, &[&load[..], &[shards]].concat());
        folder.write(file, &measured.json);
        measured.step().totals.ticks_per_s
    });
    let ratio = rates[1] / rates[0];
    let text = folder.done(&["compare", "a.json", "b.json"]);
    let row = |name: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        line.unwrap_or_else(|| panic!("no {name}: {text}")).split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(row("setting shards"), ["setting", "shards", "1", "2"]);
    assert!(
        !text.lines().any(|line| line.trim_start().starts_with("setting linger")),
        "it is the same: {text}"
    );
    assert!(row("ticks/s").contains(&format!("{ratio:.2}")), "{ratio}: {text}");

    let json: serde_json::Value =
        serde_json::from_str(&folder.done(&["compare", "a.json", "b.json", "--json"])).expect("JSON");
    let differ = json["differ"].as_array().expect("a list");
    assert!(
        differ.iter().any(|one| one["name"] == "setting shards" && one["a"] == "1" && one["b"] == "2"),
        "{json}"
    );

    let same = folder.done(&["compare", "a.json", "a.json"]);
    assert!(same.contains("settings are the same") && same.contains("nowhere worse"), "{same}");
    folder.write("none.json", "{}");
    folder.fails(1, &["compare", "a.json", "none.json"], &["none.json is not a result of perf"]);
}
