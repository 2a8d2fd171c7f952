//! `orchard perf compare`: results of this program are read by it.

use crate::measured::measure;
use crate::program::Folder;

#[test]
fn two_results_are_set_side_by_side() {
    let folder = Folder::new();
    let load = ["embedded", "--ticks", "20K", "--state", "memory", "--shards"];
    for (file, shards) in [("a.json", "1"), ("b.json", "2")] {
        folder.write(file, measure(&folder, &[&load[..], &[shards]].concat()).json);
    }
    let text = folder.done(&["perf", "compare", "a.json", "b.json"]);
    let row = |name: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        line.unwrap_or_else(|| panic!("no {name}: {text}")).split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(row("shards"), ["shards", "1", "2"]);
    assert!(!text.lines().any(|line| line.trim_start().starts_with("linger")), "it is the same: {text}");
    assert!(row("ticks/s").iter().any(|cell| cell.parse::<f64>().is_ok_and(|ratio| ratio > 0.0)), "{text}");

    let json: serde_json::Value =
        serde_json::from_str(&folder.done(&["perf", "compare", "a.json", "b.json", "--json"])).expect("JSON");
    let differ = json["differ"].as_array().expect("a list");
    assert!(differ.iter().any(|one| one["name"] == "shards" && one["a"] == "1" && one["b"] == "2"), "{json}");

    let same = folder.done(&["perf", "compare", "a.json", "a.json"]);
    assert!(same.contains("settings are the same") && same.contains("nowhere worse"), "{same}");
    folder.write("none.json", "{}");
    folder.fails(1, &["perf", "compare", "a.json", "none.json"], &["none.json is no result of orchard perf"]);
}
