//! Packages of npm and PyPI that tests use, installed once into the folder of build results.

#![allow(dead_code, reason = "each test has use for some of it")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Two installations at once get in each other's way.
static INSTALLING: Mutex<()> = Mutex::new(());

/// A folder with these npm packages; none where they cannot be installed, which is said.
pub(crate) fn npm(name: &str, packages: &[&str]) -> Option<PathBuf> {
    let folder = target_folder(name);
    installed(&folder, "npm", packages, |folder| {
        let options = [
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--save-exact",
            "--prefix",
        ];
        succeeds(Command::new("npm").args(options).arg(folder).args(packages))
    })
    .then_some(folder)
}

/// A Python with these packages; none where they cannot be installed, which is said.
pub(crate) fn python(name: &str, packages: &[&str]) -> Option<PathBuf> {
    let folder = target_folder(name);
    let python = folder.join("bin/python");
    installed(&folder, "python3 with venv", packages, |folder| {
        succeeds(Command::new("python3").args(["-m", "venv"]).arg(folder))
            && succeeds(Command::new(&python).args(["-m", "pip", "install", "-q"]).args(packages))
    })
    .then_some(python)
}

/// Where scripts of the tests are.
pub(crate) fn script(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(path)
}

/// Says why a test is skipped; the harness hides what is printed, and shows what is written.
pub(crate) fn skipped(why: &str) {
    std::io::stdout().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
}

fn target_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("signalr-clients").join(name)
}

/// Installs what the note in the folder does not name yet.
fn installed(folder: &Path, tool: &str, packages: &[&str], install: impl Fn(&Path) -> bool) -> bool {
    let _alone = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let note = folder.join("installed");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&note).is_ok_and(|installed| installed == wanted) {
        return true;
    }
    std::fs::create_dir_all(folder).unwrap();
    if !install(folder) {
        skipped(&format!("there is no {tool}, or it cannot install {}", packages.join(" ")));
        return false;
    }
    std::fs::write(note, wanted).unwrap();
    true
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
