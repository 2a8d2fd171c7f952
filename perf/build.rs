//! Notes what the program is made by and of, as results are of no use without that.

use std::process::Command;

fn main() {
    let first_line = |program: &str, args: &[&str]| {
        let output =
            Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
    };
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let rustc = first_line(&rustc, &["--version"]).unwrap_or_default();
    println!("cargo::rustc-env=ORCHARD_RUSTC={}", rustc.trim_start_matches("rustc "));
    let commit = first_line("git", &["rev-parse", "--short=10", "HEAD"]).unwrap_or_default();
    println!("cargo::rustc-env=ORCHARD_COMMIT={commit}");
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(head) = first_line("git", &["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={head}");
    }
}
