//! The program shows its progress and cancels the replay, which would else take half a minute.

use std::process::Command;

#[test]
fn it_watches_the_replay_and_cancels_it() {
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/usdm_btcusdt_20240808.zst");
    let output = Command::new(env!("CARGO_BIN_EXE_library-user")).args([capture, "500"]).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{lines}{}", String::from_utf8_lossy(&output.stderr));
    assert!(lines.lines().next().unwrap().contains("ticks"), "{lines}");
    assert!(lines.trim_end().ends_with("signals, interrupted: true"), "{lines}");
}
