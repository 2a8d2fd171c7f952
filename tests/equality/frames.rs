//! Cases 6 and 10: frames that come twice, cut otherwise, not at all, or are none.

use std::time::Duration;

use serde_json::Value;

use crate::case::{Case, STARTS};
use crate::disturber::{Disturber, RECOVERY};
use crate::input::{SHARDS, durabilities};
use crate::management::Management;
use crate::program::Program;
use crate::servers::Turn;
use crate::waiting::{wait_for, wait_until};

const STRATEGIES: [&str; 2] = ["apple", "pear"];

/// So many frames are doubled, at least.
const LEAST_DOUBLED: usize = 50;

/// A whole frame, of an unknown run.
const FRAME: &[u8] = include_bytes!("../../tick-feed/tests/golden/frame-v1.bin");

/// Where the wire version is in a frame; the CRC does not cover it.
const VERSION_OFFSET: usize = 4;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_06_frames_twice_lost_and_cut_otherwise() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::new(turn.servers(), "twice-and-recut", durability);
        case.options(&["--frame-ticks", "1000"]);
        // There must be something left to cut otherwise, after all else.
        case.last_for(60);
        case.start_all();
        let mut disturber = case.disturber();
        case.wait_claimed(&disturber);
        case.wait_committed(&disturber, 0.02);

        let doubled = double_frames(&case, &disturber, 0.08);
        disturber.note(&format!("doubled {doubled} frames"), None);
        disturber.wait_for_recovery();

        lose_frames(&case);
        disturber.note("lost what waited in the queues", None);
        disturber.wait_for_recovery();

        // It goes on from where it knew everything confirmed, which its hosts have passed by then, and cuts the
        // frames otherwise.
        case.options(&["--frame-ticks", "333"]);
        case.hurry(&mut disturber);
        let said = case.finish(disturber).concat();
        let lines = said.lines().filter_map(|line| line.strip_prefix("Delivery"));
        let duplicates =
            lines.filter_map(|line| line.split_whitespace().next()?.replace(',', "").parse::<u64>().ok());
        // Each doubled frame has a thousand ticks at most, and came to both strategies.
        let least = 2 * doubled as u64;
        assert!(duplicates.sum::<u64>() > least, "the doubled frames came: {said}");
    }
}

/// Publishes frames once more to both strategies, until so much is committed; gives how many.
fn double_frames(case: &Case<'_>, disturber: &Disturber, share: f64) -> usize {
    let management = case.management();
    let tap = format!("tap.{}", case.feed);
    management.declare_queue(&tap);
    for shard in 0..SHARDS {
        management.bind(&format!("orchard.{}", case.feed), &tap, &shard.to_string());
    }
    let expected = (2 * case.input.ticks) as f64 * share;
    let mut doubled = 0;
    wait_until("frames are doubled", RECOVERY, || {
        // A few at once: the run goes on meanwhile, however long this takes.
        for taken in management.take(&tap, 5) {
            let shard: u16 = taken.routing_key.parse().expect("a shard");
            for strategy in STRATEGIES {
                management.publish("amq.default", &case.queue(strategy, shard), &taken.body);
            }
            doubled += 1;
        }
        doubled >= LEAST_DOUBLED && disturber.committed() as f64 >= expected
    });
    management.delete_queue(&tap);
    doubled
}

/// Takes frames away from a strategy that is behind.
fn lose_frames(case: &Case<'_>) {
    let management = case.management();
    let apples = || case.instances.iter().filter(|instance| instance.strategy == "apple");
    apples().for_each(|instance| instance.program.freeze());
    // The broker takes back what it has sent to them once their connections have been silent for too long.
    wait_until("frames wait", RECOVERY, || {
        let waiting = case.waiting();
        let waits = |queue: String| waiting.iter().any(|(name, count)| *name == queue && *count > 5);
        (0..SHARDS).all(|shard| waits(case.queue("apple", shard)))
    });
    (0..SHARDS).for_each(|shard| management.purge(&case.queue("apple", shard)));
    apples().for_each(|instance| instance.program.thaw());
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_10_what_is_no_frame_of_the_feed_is_a_dead_letter() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::new(turn.servers(), "dead-letters", durability);
        // It must go on when the strangers are there.
        case.last_for(60);
        case.start_all();
        let mut disturber = case.disturber();
        case.wait_committed(&disturber, 0.05);
        publish_strangers(&case, &case.management());
        disturber.note("published strangers", None);
        disturber.wait_for_recovery();
        case.hurry(&mut disturber);

        let letters =
            wait_for("dead letters", STARTS, || Some(dead_letters(&case)).filter(|all| all.len() >= 4));
        assert_eq!(letters.len(), 4, "{letters:?}");
        for (reason, queue) in [
            ("it does not begin with the magic of a frame", case.queue("apple", 0)),
            ("its wire version is 9", case.queue("pear", 1)),
            ("its crc32c is ", case.queue("pear", 2)),
            ("exchange", case.queue("apple", 3)),
        ] {
            let is_it = |letter: &&Value| {
                letter["reason"].as_str().is_some_and(|text| text.contains(reason))
                    && letter["endpoint"] == queue
            };
            assert!(letters.iter().any(|letter| is_it(&letter)), "{reason}: {letters:?}");
        }
        let ended = dead_letters_command(&case, &["discard", "--all", "--record", "discarded.jsonl"]);
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        assert!(dead_letters(&case).is_empty());
        case.finish(disturber);
    }
}

fn publish_strangers(case: &Case<'_>, management: &Management) {
    management.publish("amq.default", &case.queue("apple", 0), b"no frame at all");
    let mut other_version = FRAME.to_vec();
    other_version[VERSION_OFFSET] = 9;
    management.publish("amq.default", &case.queue("pear", 1), &other_version);
    let mut damaged = FRAME.to_vec();
    *damaged.last_mut().expect("a byte") ^= 1;
    management.publish("amq.default", &case.queue("pear", 2), &damaged);
    let foreign = format!("foreign.{}", case.feed);
    management.declare_exchange(&foreign);
    management.bind(&foreign, &case.queue("apple", 3), "");
    management.publish(&foreign, "", FRAME);
    management.delete_exchange(&foreign);
}

fn dead_letters_command(case: &Case<'_>, args: &[&str]) -> crate::program::Ended {
    let feed = ["--feed", &case.feed, "--broker", &case.brokers[0]];
    Program::run(case.folder(), &[&["errors"], args, &feed].concat(), Duration::from_secs(20))
}

fn dead_letters(case: &Case<'_>) -> Vec<Value> {
    let ended = dead_letters_command(case, &["list", "--messages", "--json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let listed: Value = serde_json::from_str(&ended.said).expect("JSON");
    listed["brokers"][0]["entries"].as_array().expect("an array").clone()
}
