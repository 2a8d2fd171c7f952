//! `orchard report`: the page of a replay, later.

use serde_json::Value;

use crate::program::Folder;

/// So many trades of one instrument, up and down, a tick a second.
fn trades(count: u64) -> String {
    let mut text = "ts_event,ts_recv,symbol,kind,side,price,size,flags\n".to_owned();
    for i in 0..count {
        let time = 1_723_161_258_000_000_000 + i * 1_000_000_000;
        let price = 100 + (i / 40) % 3 * 5 + (i * 7) % 11;
        text.push_str(&format!("{time},{time},A,trade,buy,{price},1,1\n"));
    }
    text
}

/// The data of a page, without what a report made later cannot know.
fn data_of(folder: &Folder, name: &str) -> Value {
    let page = std::fs::read_to_string(folder.path().join(name)).expect("a page");
    let (_, after) = page.split_once(r#"<script type="application/json" id="data">"#).expect("data");
    let (json, _) = after.split_once("</script>").expect("its end");
    let mut data: Value = serde_json::from_str(json).expect("JSON");
    data["latency"].take();
    data
}

const RUN: &[&str] =
    &["replay", "trades.csv", "--quiet", "--state", "state", "--fee", "1.5", "--capital", "1000"];

#[test]
fn a_report_made_later_is_the_replays_own() {
    let folder = Folder::new();
    folder.write("trades.csv", trades(600));
    folder.done(&[RUN, &["--report", "first.html"]].concat());
    folder.done(&["report", "--state", "state", "--out", "later.html", "--quiet"]);
    let first = data_of(&folder, "first.html");
    assert!(
        first["trades"]["count"].as_u64().is_some_and(|count| count > 10),
        "{}",
        first["trades"]["count"]
    );
    assert_eq!(data_of(&folder, "later.html"), first);

    let run = first["run"].as_str().expect("an id");
    folder.done(&["report", run, "--state", "state", "--out", "later.html", "--force", "--quiet"]);
    let other = "0123456789abcdef0123456789abcdef";
    folder.fails(2, &["report", other, "--state", "state", "--out", "x.html"], &["state keeps run ", run]);
    folder.fails(1, &["report", "--state", "state", "--out", "later.html"], &["later.html"]);
    folder.fails(2, &["report", "--state", "state", "--out", "later.txt"], &["--out later.txt"]);
}

#[test]
fn sources_may_move_and_may_not_change() {
    let folder = Folder::new();
    folder.write("trades.csv", trades(300));
    folder.done(RUN);
    std::fs::create_dir(folder.path().join("archive")).expect("a folder");
    std::fs::rename(folder.path().join("trades.csv"), folder.path().join("archive/trades.csv"))
        .expect("moved");
    let report = &["report", "--state", "state", "--out", "out.html", "--quiet"];
    folder.fails(1, report, &["trades.csv"]);
    folder.done(&[report, &["--files", "archive"][..]].concat());
    folder.write("archive/trades.csv", trades(301));
    let changed = [report, &["--files", "archive", "--force"][..]].concat();
    folder.fails(1, &changed, &["source 1 was trades.csv, ", "and is now trades.csv, "]);
}

#[test]
fn a_folder_that_keeps_no_replay_is_named() {
    let folder = Folder::new();
    folder.fails(
        1,
        &["report", "--state", "nothing", "--out", "out.html"],
        &["nothing keeps no replay's command"],
    );
}
