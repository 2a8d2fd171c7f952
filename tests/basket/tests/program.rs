//! The program of the equality suite is Orchard with one strategy more.

use std::process::Command;

#[test]
fn its_program_has_its_strategy_beside_orchard_s() {
    let output = Command::new(env!("CARGO_BIN_EXE_basket")).arg("strategies").output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let has = |name: &str| listed.lines().any(|line| line.starts_with(&format!("{name}: ")));
    assert!(has("basket") && has("apple"), "{listed}");
}
