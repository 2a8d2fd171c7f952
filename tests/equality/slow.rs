//! Case 11: an instance that is slow.

use std::time::Duration;

use crate::case::Case;
use crate::input::{durabilities, is_long};
use crate::servers::Turn;
use crate::waiting::pause;

/// A queue holds so much; a program may hold a few of those beside what it needs for itself.
const QUEUE_BYTES: &str = "1M";
const BROKER_MAY_GROW: u64 = 400 << 20;
const PROGRAM_MAY_HOLD: u64 = 400 << 20;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_11_a_slow_instance_slows_the_ingester_and_nothing_grows() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::new(turn.servers(), "slow-instance", durability);
        case.pace = Vec::new();
        case.options(&["--queue-bytes", QUEUE_BYTES, "--frame-bytes", "64K"]);
        let before = case.management().memory();
        case.start_ingester();
        for strategy in ["apple", "apple", "apple", "pear"] {
            case.start_instance(strategy, &[]);
        }
        case.start_instance("pear", &["--prefetch-bytes", "256K"]);
        let mut disturber = case.disturber();
        case.wait_committed(&disturber, 0.01);
        let mut most = (0, 0);
        // At work for a fifth of the time, and never silent for so long that others take over.
        for _ in 0..if is_long() { 40 } else { 5 } {
            case.instances[4].program.freeze();
            if disturber.is_over("pear") {
                case.instances[4].program.thaw();
                break;
            }
            disturber.note("slowed down an instance", Some("pear"));
            pause(Duration::from_millis(1600));
            let programs = case.programs().map(|program| program.memory()).max().unwrap_or(0);
            most = (most.0.max(case.management().memory()), most.1.max(programs));
            case.instances[4].program.thaw();
            pause(Duration::from_millis(400));
        }
        assert!(most.0 < before + BROKER_MAY_GROW, "the broker has grown from {before} to {} bytes", most.0);
        assert!(most.1 < PROGRAM_MAY_HOLD, "a program holds {} bytes", most.1);
        disturber.wait_for_recovery();
        case.finish(disturber);
    }
}
