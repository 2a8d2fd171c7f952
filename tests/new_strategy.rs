//! What `orchard new` writes is built, tested and run with the real program and the real cargo.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The crate lies at the same place in every run, so that cargo builds Orchard for it only once, in
/// the target folder that this test was built in.
const CRATE: &str = "slow-turtle";

#[test]
fn a_new_strategy_is_tested_and_listed_by_its_own_program() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(CRATE);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    let folder_text = folder.to_str().unwrap();
    let said = output(orchard().args(["new", CRATE, "--path", folder_text]));
    assert!(said.contains(&format!("cd {folder_text}\n")), "{said}");
    assert!(said.contains("replay data.gz --strategy slow-turtle"), "{said}");

    let tested = output(cargo(&folder).args(["test", "--offline"]));
    assert!(tested.contains("test strategy::tests::a_restart_changes_nothing ... ok"), "{tested}");

    let listed = output(cargo(&folder).args(["run", "--offline", "--quiet", "--", "strategies", "--json"]));
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let find = |name: &str| listed.as_array().unwrap().iter().find(|strategy| strategy["name"] == name);
    assert!(find("apple").is_some(), "Orchard's own strategies are in the program too: {listed}");
    assert_eq!(find(CRATE).unwrap()["params"][0]["default"], "100");
}

/// A folder that looks like a clone: its manifests, with links to everything else.
fn clone_of_orchard() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["Cargo.toml", "Cargo.lock"] {
        fs::copy(root.join(file), folder.path().join(file)).unwrap();
    }
    for entry in fs::read_dir(root).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        if entry.path().is_dir() && name != "target" && name != ".git" {
            std::os::unix::fs::symlink(entry.path(), folder.path().join(name)).unwrap();
        }
    }
    folder
}

#[test]
fn inside_a_clone_the_crate_joins_the_workspace_and_its_target_folder() {
    let clone = clone_of_orchard();
    let said = output(orchard().args(["new", CRATE]).current_dir(clone.path()));
    assert!(
        said.contains("member of the clone's workspace") && said.contains("cargo test --release"),
        "{said}"
    );
    let folder = clone.path().join(CRATE);
    assert!(!folder.join("Cargo.lock").exists());
    let mut cargo = cargo(&folder);
    let metadata = cargo.args(["metadata", "--offline", "--no-deps", "--format-version", "1"]);
    let metadata = output(metadata.env_remove("CARGO_TARGET_DIR"));
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let root = clone.path().canonicalize().unwrap();
    assert_eq!(metadata["workspace_root"], root.to_str().unwrap());
    assert_eq!(metadata["target_directory"], root.join("target").to_str().unwrap());
    let members = metadata["workspace_members"].as_array().unwrap();
    assert!(members.iter().any(|member| member.as_str().unwrap().contains(CRATE)), "{members:?}");
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let path = folder.path().to_str().unwrap();
    let refused = orchard().args(["new", CRATE, "--path", path]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(message.contains("is not empty: name another folder with --path"), "{message}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_wrong_name_is_wrong_usage_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["My_Strategy", "apple", "match"] {
        let refused = orchard().args(["new", name]).current_dir(folder.path()).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{name}");
        assert!(String::from_utf8(refused.stderr).unwrap().contains(name));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn orchard() -> Command {
    Command::new(env!("CARGO_BIN_EXE_orchard"))
}

fn cargo(folder: &Path) -> Command {
    let target: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(folder).env("CARGO_TARGET_DIR", target).stdin(std::process::Stdio::null());
    cargo
}

/// What a command prints on standard output; it must succeed.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {error}");
    String::from_utf8(output.stdout).unwrap()
}
