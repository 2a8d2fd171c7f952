//! The official JavaScript client, each version that is supported, in Node.

use std::path::PathBuf;
use std::process::Command;

use crate::fixture::Fixture;
use crate::packages::{npm, script};

/// Versions of the client, and of what speaks MessagePack for it.
pub(crate) const VERSIONS: [(&str, &str); 3] =
    [("8.0.29", "8.0.29"), ("9.0.19", "9.0.6"), ("10.0.11", "10.0.11")];

/// The packages of a version.
pub(crate) fn client(index: usize) -> Option<PathBuf> {
    let (client, messagepack) = VERSIONS[index];
    npm(
        &format!("signalr-{client}"),
        &[
            &format!("@microsoft/signalr@{client}"),
            &format!("@microsoft/signalr-protocol-msgpack@{messagepack}"),
        ],
    )
}

/// Runs a script, which says what failed.
#[track_caller]
pub(crate) fn run(name: &str, arguments: &[&str]) {
    let output =
        Command::new("node").arg(script(name)).args(arguments).output().expect("npm comes with node");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn suite(index: usize) {
    let Some(packages) = client(index) else { return };
    let fixture = Fixture::start();
    run("js/node.mjs", &[packages.to_str().unwrap(), &fixture.base]);
}

#[track_caller]
fn links(index: usize) {
    let Some(packages) = client(index) else { return };
    let fixture = Fixture::start();
    run("js/links.mjs", &[packages.to_str().unwrap(), &fixture.base, &fixture.proxied, &fixture.control]);
}

#[test]
fn version_8_does_all_of_the_functional_tests() {
    suite(0);
}

#[test]
fn version_9_does_all_of_the_functional_tests() {
    suite(1);
}

#[test]
fn version_10_does_all_of_the_functional_tests() {
    suite(2);
}

#[test]
fn version_8_survives_cut_links_and_restarts() {
    links(0);
}

#[test]
fn version_9_survives_cut_links_and_restarts() {
    links(1);
}

#[test]
fn version_10_survives_cut_links_and_restarts() {
    links(2);
}
