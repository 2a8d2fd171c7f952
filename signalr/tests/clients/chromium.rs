//! The official JavaScript client in Chromium, where there is one.

use std::path::Path;
use std::process::Command;

use crate::fixture::Fixture;
use crate::node::client;
use crate::packages::{npm, script, skipped};

/// Where Debian puts it; ORCHARD_CHROMIUM names another one.
const CHROMIUM: &str = "/usr/bin/chromium";

#[test]
fn version_10_does_all_of_the_functional_tests_in_a_browser() {
    let chromium = std::env::var("ORCHARD_CHROMIUM").unwrap_or_else(|_| CHROMIUM.to_owned());
    if !Path::new(&chromium).exists() {
        return skipped(
            "there is no Chromium; on Debian `apt-get install chromium`, else ORCHARD_CHROMIUM names it",
        );
    }
    let Some(packages) = client(2) else { return };
    let Some(tools) = npm("browser", &["playwright-core@1.65.1", "esbuild-wasm@0.28.2"]) else { return };
    let fixture = Fixture::start();
    let mut program = Command::new("node");
    program.arg(script("js/browser.mjs")).args([packages, tools]).args([&chromium, &fixture.base]);
    let output = program.output().expect("npm comes with node");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
