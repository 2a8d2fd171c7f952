//! Clients in Python, none of which is official.

use std::process::Command;

use crate::fixture::Fixture;
use crate::packages::{python, script};

#[track_caller]
fn run(name: &str, packages: &[&str]) {
    let Some(python) = python(name, packages) else { return };
    let fixture = Fixture::start();
    let mut program = Command::new(python);
    program.arg("-B").arg(script(&format!("python/{name}_client.py")));
    let output = program.args([&fixture.base, &fixture.proxied, &fixture.control]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn pysignalr_calls_streams_joins_groups_and_reconnects() {
    run("pysignalr", &["pysignalr==1.3.3"]);
}

#[test]
fn signalrcore_calls_streams_joins_groups_and_reconnects() {
    run("signalrcore", &["signalrcore==1.0.2"]);
}

#[test]
fn aiosignalr_calls_streams_joins_groups_and_reconnects() {
    run("aiosignalr", &["aiosignalr==0.1.1"]);
}
