//! Cases 7, 8, 9, 14 and 16: the link to the broker, PostgreSQL, the broker's memory, and all that it had.

use std::time::{Duration, Instant};

use crate::case::{Case, say};
use crate::disturber::RECOVERY;
use crate::input::durabilities;
use crate::proxy::{Proxy, address_of};
use crate::servers::Turn;
use crate::waiting::{pause, wait_until};

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_07_connections_half_open_and_slow() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::new(turn.servers(), "half-open", durability);
        let proxy = Proxy::to(address_of(&case.brokers[0]));
        case.brokers = vec![proxy.instead_of(&case.brokers[0])];
        case.last_for(180);
        case.start_all();
        let mut disturber = case.disturber();
        case.wait_committed(&disturber, 0.02);
        let silent = proxy.fall_silent();
        disturber.note(&format!("{silent} connections fell silent"), None);
        disturber.wait_for_recovery();
        proxy.slow_down(Duration::from_millis(100));
        disturber.note("100 ms in each direction", None);
        disturber.wait_for_recovery();
        case.hurry(&mut disturber);
        case.finish(disturber);
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_08_postgres_restarted() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::new(turn.servers(), "restarted-ledger", durability);
        // However long a server takes to start, there must be something left to do then.
        case.last_for(60);
        case.start_all();
        let mut disturber = case.disturber();
        case.wait_claimed(&disturber);
        case.wait_committed(&disturber, 0.02);
        case.servers.act("postgres-restart", &[]);
        disturber.note("restarted PostgreSQL", None);
        disturber.wait_for_recovery();
        case.wait_committed(&disturber, 0.08);
        case.servers.act("kill", &["postgres"]);
        case.servers.act("up", &["postgres"]);
        disturber.note("killed PostgreSQL", None);
        disturber.wait_for_recovery();
        case.hurry(&mut disturber);
        case.finish(disturber);
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_09_a_memory_alarm() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::new(turn.servers(), "memory-alarm", durability);
        // The alarm must come while there is something left to publish.
        case.last_for(60);
        case.start_all();
        let mut disturber = case.disturber();
        case.wait_claimed(&disturber);
        case.wait_committed(&disturber, 0.05);
        case.servers.act("alarm", &["1", "on"]);
        let mut before = disturber.committed();
        wait_until("what was published is used up", Duration::from_secs(20), || {
            pause(Duration::from_secs(1));
            std::mem::replace(&mut before, disturber.committed()) == before
        });
        assert!(case.ingester_is_running(), "{}: it waits", case.name);
        case.servers.act("alarm", &["1", "off"]);
        disturber.note("raised and cleared a memory alarm", None);
        disturber.wait_for_recovery();
        case.hurry(&mut disturber);
        case.finish(disturber);
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_14_the_broker_loses_everything_after_the_last_confirm() {
    let turn = Turn::wait();
    let mut case = Case::start(&turn, turn.servers(), "lost-broker", "memory");
    let mut disturber = case.disturber();
    case.wait_committed(&disturber, 0.3);
    case.instances.clear();
    let state = || case.feed_state().filter(|state| state.published);
    wait_until("everything is confirmed", Duration::from_secs(120), || {
        state().is_some_and(|state| state.shards.iter().all(|shard| shard.confirmed >= shard.published))
    });
    let committed = disturber.committed();
    assert!(committed < 2 * case.input.ticks, "{}: not everything is committed", case.name);
    case.servers.act("reset", &["1"]);
    disturber.note("the broker lost everything", None);
    case.start_instances();
    disturber.wait_for_recovery();
    say(&format!("{}: {} ticks were sent again", case.name, 2 * case.input.ticks - committed));
    case.finish(disturber);
}

/// Its own beats fail for longer than a member lives, three seconds; then the others' next beat counts.
/// The rest is for a machine that has much else to do.
const TAKEN_OVER: Duration = Duration::from_secs(20);

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_16_one_host_loses_the_ledger_alone() {
    let turn = Turn::wait();
    for durability in durabilities() {
        let mut case = Case::new(turn.servers(), "cut-off-ledger", durability);
        case.last_for(180);
        case.start_ingester();
        let ledger = case.ledger.clone();
        let links = [(); 3].map(|()| Proxy::to(address_of(&ledger)));
        for link in &links {
            case.ledger = link.instead_of(&ledger);
            case.start_instance("apple", &[]);
        }
        case.ledger = ledger;
        (0..2).for_each(|_| _ = case.start_instance("pear", &[]));
        let mut disturber = case.disturber();
        case.wait_committed(&disturber, 0.02);

        let place = case.busiest(0..3);
        let epochs = disturber.epochs();
        links[place].cut();
        disturber.note(&format!("cut apple {place} off from the ledger"), Some("apple"));
        let cut = Instant::now();
        disturber.wait_for_recovery();
        assert!(cut.elapsed() < TAKEN_OVER, "{}: it took {:?}", case.name, cut.elapsed());
        let taken = disturber.epochs().into_iter().filter(|(lane, epoch)| epochs.get(lane) < Some(epoch));
        say(&format!("{}: {} lanes were claimed anew in {:?}", case.name, taken.count(), cut.elapsed()));

        links[place].mend();
        disturber.note(&format!("apple {place} has the ledger again"), Some("apple"));
        wait_until("it has shards again", RECOVERY, || case.shards_of(place) > 0);
        disturber.wait_for_recovery();
        case.hurry(&mut disturber);
        case.finish(disturber);
    }
}
