//! Cases 1 to 5 and 15: nothing, and processes that die or stop.

use std::time::Duration;

use strategy_host::ledger::LaneId;

use crate::case::Case;
use crate::disturber::{Disturber, RECOVERY};
use crate::input::{basket_input, durabilities, is_long};
use crate::servers::Turn;
use crate::waiting::{pause, wait_until};

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_01_undisturbed() {
    let turn = Turn::wait();
    for durability in ["memory", "replicated"] {
        let case = Case::start(&turn, turn.servers(), "undisturbed", durability);
        let disturber = case.disturber();
        case.finish(disturber);
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_02_an_instance_killed_every_300_ms() {
    const BETWEEN: Duration = Duration::from_millis(300);
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::start(&turn, turn.servers(), "killed-instances", durability);
        let mut disturber = case.disturber();
        case.wait_committed(&disturber, 0.1);
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        for kill in 0..if is_long() { 200 } else { 20 } {
            if kill > 4 && disturber.committed() as f64 > 1.6 * case.input.ticks as f64 {
                break;
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(kill);
            let place = (seed >> 33) as usize % case.instances.len();
            kill_instance(&mut case, &mut disturber, place);
            pause(BETWEEN);
        }
        disturber.wait_for_recovery();
        case.finish(disturber);
    }
}

/// Kills an instance, and starts another in its place.
fn kill_instance(case: &mut Case<'_>, disturber: &mut Disturber, place: usize) {
    case.replace_instance(place);
    let strategy = case.instances[place].strategy.clone();
    disturber.note(&format!("killed {strategy} {place}"), Some(&strategy));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_03_the_ingester_killed_three_times() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::start(&turn, turn.servers(), "killed-ingester", durability);
        let mut disturber = case.disturber();
        for share in [0.2, 0.4, 0.6] {
            case.wait_committed(&disturber, share);
            case.ingester.as_mut().expect("it runs").kill();
            disturber.note("killed the ingester", None);
            case.start_ingester();
            disturber.wait_for_recovery();
        }
        case.finish(disturber);
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_04_the_broker_restarted_gracefully_and_killed() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::new(turn.servers(), "restarted-broker", durability);
        // The broker is ready some time after it delivers again, and there must be something left to do then.
        case.last_for(180);
        case.start_all();
        let mut disturber = case.disturber();
        case.wait_claimed(&disturber);
        case.wait_committed(&disturber, 0.02);
        case.servers.act("restart", &["1"]);
        disturber.note("restarted the broker", None);
        disturber.wait_for_recovery();
        case.wait_committed(&disturber, 0.07);
        case.servers.act("kill", &["1"]);
        case.servers.act("up", &["1"]);
        disturber.note("killed the broker", None);
        disturber.wait_for_recovery();
        case.hurry(&mut disturber);
        case.finish(disturber);
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_05_a_stopped_instance_is_replaced_and_commits_nothing_more() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::new(turn.servers(), "stopped-instance", durability);
        // Others take over after seconds, and there must be something left to do then.
        case.last_for(180);
        case.start_all();
        let mut disturber = case.disturber();
        case.wait_committed(&disturber, 0.02);
        // By their hashes an instance may have no shard.
        let stopped = [case.busiest(0..3), case.busiest(3..5)];
        let epochs = disturber.epochs();
        stopped.iter().for_each(|place| case.instances[*place].program.freeze());
        for place in stopped {
            let strategy = case.instances[place].strategy.clone();
            let is_anew =
                |(lane, epoch): (&LaneId, &u64)| lane.strategy == strategy && epochs.get(lane) < Some(epoch);
            wait_until("lanes are claimed by others", RECOVERY, || disturber.epochs().iter().any(is_anew));
            disturber.note(&format!("stopped {strategy} {place}"), Some(&strategy));
        }
        disturber.wait_for_recovery();
        for place in stopped {
            case.instances[place].program.thaw();
            let strategy = case.instances[place].strategy.clone();
            disturber.note(&format!("continued {strategy} {place}"), Some(&strategy));
        }
        disturber.wait_for_recovery();
        case.hurry(&mut disturber);
        // What they commit, or try to, is compared there.
        case.finish(disturber);
    }
}

/// Every signal of this strategy depends on all ticks and timers of its group before it.
#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_15_groups_timers_and_the_end_while_everything_is_killed() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::of(basket_input(), turn.servers(), "killed-baskets", durability);
        case.last_for(120);
        case.start_all();
        let mut disturber = case.disturber();
        for (kill, share) in [0.025, 0.06, 0.1, 0.14].into_iter().enumerate() {
            case.wait_committed(&disturber, share);
            if kill != 2 {
                let place = kill % case.instances.len();
                kill_instance(&mut case, &mut disturber, place);
            }
            if kill == 1 {
                case.ingester.as_mut().expect("it runs").kill();
                disturber.note("killed the ingester", None);
                case.start_ingester();
            }
            // An instance that is about to start needs a broker, so none is replaced beside this.
            if kill == 2 {
                case.wait_claimed(&disturber);
                case.servers.act("kill", &["1"]);
                case.servers.act("up", &["1"]);
                disturber.note("killed the broker", None);
            }
        }
        disturber.wait_for_recovery();
        case.hurry(&mut disturber);
        case.finish(disturber);
    }
}
