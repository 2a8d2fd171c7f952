//! What is written beside the results: a histogram log, a page, and gauges for Prometheus.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::measured::{Running, SOON, histograms, measure};
use crate::program::Folder;
use crate::waiting::wait_for;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn the_log_has_every_tick_and_the_page_has_the_results() {
    let folder = Folder::new();
    let load = ["broker", "--rate", "2K", "--duration", "1s", "--warm-up", "1ns"];
    let files = ["--hdr", "perf.hdr", "--html", "perf.html"];
    let measured = measure(&folder, &[&load[..], &files].concat());

    let mut logged = BTreeMap::<String, u64>::new();
    for (stage, histogram) in histograms(&folder.read("perf.hdr")) {
        *logged.entry(stage).or_default() += histogram.len();
    }
    let stages = &measured.step().stages;
    let counted: BTreeMap<_, _> = stages.iter().map(|stage| (stage.name.clone(), stage.count)).collect();
    assert_eq!(counted.len(), 5);
    // Warm-up is in no stage, but in the log: of 1 ns that is at most one tick.
    for (stage, count) in &counted {
        assert!((*count..=count + 1).contains(&logged[stage]), "{stage}: {logged:?} {counted:?}");
    }
    assert_eq!(logged.len(), counted.len(), "{logged:?}");

    let page = String::from_utf8(folder.read("perf.html")).expect("UTF-8");
    assert!(page.contains("<p class=\"workload\">perf <b>broker</b></p>"));
    for (stage, count) in &counted {
        assert!(page.contains(&format!("{{\"name\":\"{stage}\",\"count\":{count},")), "{stage}");
    }
}

/// The page of metrics; `None` while nobody serves it.
fn metrics(address: &str) -> Option<String> {
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(SOON)).ok()?;
    write!(socket, "GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut page = String::new();
    socket.read_to_string(&mut page).ok()?;
    Some(page)
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn prometheus_is_served_while_it_is_measured() {
    let folder = Folder::new();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = free.expect("a free port").to_string();
    let args = ["broker", "--rate", "1K", "--duration", "1m", "--prometheus", &address, "--quiet"];
    let running = Running::start(&folder, &args);
    let rate = |page: &str, stage: &str| {
        let name = format!("orchard_perf_ticks_per_second{{stage=\"{stage}\"}} ");
        page.lines().find_map(|line| line.strip_prefix(&name)?.parse::<f64>().ok())
    };
    for stage in ["sent", "confirmed", "consumed", "committed"] {
        let shown = wait_for(stage, SOON, || rate(&metrics(&address)?, stage).filter(|rate| *rate > 0.0));
        // Not ten times as much, nor a count instead of a rate.
        assert!((100.0..10_000.0).contains(&shown), "{stage}: {shown}");
    }
    let page = metrics(&address).expect("it is still served");
    assert!(page.contains("orchard_perf_latency_seconds{quantile=\"0.99\"}"), "{page}");
    running.interrupt();
    assert_eq!(running.end().0, Some(130));

    // A port that is taken is said at once.
    let taken = TcpListener::bind(&address).expect("it is free again");
    let args = ["embedded", "--ticks", "1K", "--prometheus", &address];
    folder.fails(1, &args, &["--prometheus", &address, "name a free port"]);
    drop(taken);
}
