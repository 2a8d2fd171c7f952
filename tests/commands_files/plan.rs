//! `orchard plan`, as a user runs it.

use serde_json::Value;

use crate::program::Folder;

#[test]
fn a_plan_is_made_for_one_cluster_and_for_independent_nodes() {
    let folder = Folder::new();
    let args = ["plan", "--ticks-per-second", "20M", "--strategies", "4"];
    let text = folder.done(&args);
    assert!(text.contains("one cluster") && text.contains("independent nodes"), "{text}");
    assert!(text.contains("20,000,000 ticks/s to 4 strategies: 800.0 MB/s in, 3.2 GB/s out"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");

    let plan = folder.json(&args);
    for layout in plan["layouts"].as_array().unwrap() {
        let nodes = layout["by_node"].as_array().unwrap();
        let sum = |name: &str| nodes.iter().map(|node| node[name].as_f64().unwrap()).sum::<f64>();
        assert_eq!(layout["fits"], true);
        assert_eq!(layout["nodes"], nodes.len());
        assert!((sum("ticks") - 20e6).abs() < 1.0);
        assert!(nodes.iter().all(|node| node["messages"].as_f64() <= node["budget"].as_f64()));
    }
    let budgets = |layout: usize| plan["layouts"][layout]["by_node"].as_array().unwrap().clone();
    let budget = |node: &Value| node["budget"].as_u64().unwrap();
    assert_eq!((budget(&budgets(0)[0]), budget(&budgets(0)[1])), (30_000, 15_000));
    assert!(budgets(1).iter().all(|node| budget(node) == 30_000));

    // Replicated queues need a cluster, of three.
    let plan = folder.json(&["plan", "--ticks-per-second", "1M", "--durability", "replicated"]);
    assert_eq!(plan["layouts"].as_array().unwrap().len(), 1);
    assert_eq!(plan["layouts"][0]["nodes"], 3);
}

#[test]
fn the_instruments_of_a_file_show_the_most_loaded_shard() {
    let folder = Folder::new();
    folder.done(&["generate", "skewed.ticks", "--ticks", "20K", "--instruments", "16", "--skew", "2"]);
    let args = ["plan", "--ticks-per-second", "1M", "--shards", "8", "skewed.ticks"];
    let hottest = folder.json(&args)["layouts"][0]["hottest_shard"].clone();
    assert_eq!(hottest["first_key"], "S00000");
    // 1 / (sum of i^-2 for i to 16) is 0.63 of all.
    let share = hottest["share"].as_f64().unwrap();
    assert!((0.6..0.8).contains(&share), "{hottest}");
    let text = folder.done(&args);
    assert!(text.contains("S00000's are in one shard") && text.contains("skewed.ticks"), "{text}");

    // Groups are in one shard with all their members.
    folder.write("groups", "pair = S00000 S00001\n");
    let args = ["plan", "--ticks-per-second", "1M", "--groups", "groups", "skewed.ticks"];
    assert_eq!(folder.json(&args)["layouts"][0]["hottest_shard"]["first_key"], "pair");
}

#[test]
fn what_no_number_of_nodes_does_is_said() {
    let folder = Folder::new();
    let one = ["plan", "--ticks-per-second", "200M", "--instruments", "1"];
    let text = folder.done(&one);
    assert!(text.contains("does not fit") && text.contains("this comes closest"), "{text}");
    assert_eq!(folder.json(&one)["layouts"][0]["fits"], false);
}

#[test]
fn one_node_ends_where_it_was_measured_to_end() {
    let folder = Folder::new();
    // perf/RESULTS.md, "Over RabbitMQ": one shard, frames of 320 KiB, everything on one machine.
    for (strategies, measured) in [("1", 28.4e6), ("2", 19.7e6)] {
        let shape = ["--instruments", "1", "--shards", "1", "--frame-bytes", "320K"];
        let plan = folder
            .json(&[&["plan", "--ticks-per-second", "10M", "--strategies", strategies], &shape[..]].concat());
        let layout = &plan["layouts"][0];
        assert_eq!((&layout["nodes"], &layout["fits"]), (&1.into(), &true.into()), "{plan}");
        let most = 10e6 / layout["used"].as_f64().unwrap();
        assert!((most / measured - 1.0).abs() < 0.15, "{strategies}: {most}");
    }
}

#[test]
fn more_than_one_ingester_takes_is_to_be_split() {
    let folder = Folder::new();
    let args =
        ["plan", "--ticks-per-second", "60M", "--skew", "0.2", "--strategies", "1", "--budget", "30000"];
    let text = folder.done(&args);
    assert!(
        text.contains("split the instruments into 2 feeds") && text.contains("--ticks-per-second 30000000"),
        "{text}"
    );
    let layout = folder.json(&args)["layouts"][0].clone();
    assert_eq!(
        (&layout["binding"], &layout["feeds"], &layout["fits"]),
        (&"ingester".into(), &2.into(), &false.into())
    );
    // A faster ingester needs no split.
    let faster = [&args[..], &["--ingester-ticks", "80M"]].concat();
    let layout = folder.json(&faster)["layouts"][0].clone();
    assert_eq!((&layout["feeds"], &layout["used_of_ingester"]), (&1.into(), &0.75.into()));
}

#[test]
fn what_cannot_be_planned_is_refused() {
    let folder = Folder::new();
    folder.fails(2, &["plan"], &["--ticks-per-second"]);
    folder.fails(2, &["plan", "--ticks-per-second", "0"], &["--ticks-per-second"]);
    folder.fails(2, &["plan", "--ticks-per-second", "1M", "--budget", "fast"], &["30000,15000"]);
    folder.fails(1, &["plan", "--ticks-per-second", "1M", "missing.csv"], &["missing.csv"]);
    folder.fails(2, &["plan", "--ticks-per-second", "1M", "x.csv", "--skew", "1"], &["--skew"]);
}
