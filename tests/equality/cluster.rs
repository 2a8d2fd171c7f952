//! Case 12: three nodes in a cluster, of which one at a time fails.

use std::time::Duration;

use crate::case::Case;
use crate::disturber::RECOVERY;
use crate::input::is_long;
use crate::servers::{Servers, Turn};
use crate::waiting::{pause, wait_until};

#[test]
#[ignore = "needs servers: run scripts/test"]
fn case_12_a_cluster_loses_a_node_and_is_partitioned() {
    let turn = Turn::wait();
    let servers = Servers::start(&["cluster", "postgres"]);
    let mut case = Case::new(&servers, "cluster", "replicated");
    case.brokers = ["AMQP_1", "AMQP_2", "AMQP_3"].map(|name| servers.url(name).to_owned()).into();
    case.last_for(if is_long() { 600 } else { 180 });
    case.start_all();
    let mut disturber = case.disturber();
    case.wait_committed(&disturber, 0.02);

    servers.act("kill", &["2"]);
    disturber.note("killed node 2", None);
    disturber.wait_for_recovery();
    servers.act("up", &["2"]);
    disturber.note("started node 2", None);
    disturber.wait_for_recovery();

    servers.act("partition", &["3"]);
    disturber.note("cut off node 3", None);
    // The others are the majority, and go on meanwhile.
    disturber.wait_for_recovery();
    pause(Duration::from_secs(if is_long() { 30 } else { 5 }));
    servers.act("heal", &["3"]);
    disturber.note("joined node 3 again", None);
    disturber.wait_for_recovery();
    // An ingester that finds a queue's node away ends with an error, and this one is to be resumed.
    wait_until("the feed's last state is there", RECOVERY, || case.feed_state().is_some());
    case.hurry(&mut disturber);
    case.finish(disturber);
    drop(turn);
}
