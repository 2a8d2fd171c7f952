//! A reader's shell, in a folder that has what the README's commands name.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// In the folder of a new strategy cargo is the real one, which finds everything beside this test: nothing is
/// optimised, and nothing is downloaded.
const CARGO: &str = r#"#!/usr/bin/env bash
set -euo pipefail
command=$1
shift
[ "${1:-}" != --release ] || shift
if [ -e Cargo.toml ]; then
    # As the workspace has it, so that dependencies are those which it has compiled already.
    exec "$ORCHARD_CARGO" "$command" --offline --config 'profile.dev.debug="line-tables-only"' \
        --config 'profile.dev.package."*".debug=false' "$@"
fi
[ "$command" = run ] || { echo "cargo $command outside a crate"; exit 1; }
while [ "$1" != -- ]; do shift; done
shift
exec orchard "$@"
"#;

/// What goes on in the background may have ended by itself; no failure of it is overlooked.
const BEGIN: &str = r#"
set -euo pipefail
end() {
    local status=$? job ended
    [ "$status" = 0 ] || [ -z "${ORCHARD_TEST_SERVICES:-}" ] || scripts/services stop "$ORCHARD_TEST_SERVICES"
    for job in $(jobs -p); do
        kill "$job" 2>/dev/null || true
        ended=0
        wait "$job" || ended=$?
        case $ended in
        0 | 130) ;;
        *) echo "a command in the background ended with $ended" && status=1 ;;
        esac
    done
    exit "$status"
}
trap end EXIT
"#;

/// Programs by their names in the README.
const PROGRAMS: &str = "programs";

/// A folder, and bash in it.
pub(crate) struct Shell {
    folder: TempDir,
}

impl Shell {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["scripts", "tests"] {
            let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
            symlink(target, folder.path().join(name)).expect("the folder takes a link");
        }
        let programs = folder.path().join(PROGRAMS);
        std::fs::create_dir(&programs).expect("the folder takes a folder");
        symlink(env!("CARGO_BIN_EXE_orchard"), programs.join("orchard")).expect("the folder takes a link");
        let cargo = programs.join("cargo");
        std::fs::write(&cargo, CARGO).expect("the folder takes a file");
        std::fs::set_permissions(&cargo, Permissions::from_mode(0o755)).expect("it may be run");
        Self { folder }
    }

    /// Runs commands, all of which must succeed.
    #[track_caller]
    pub(crate) fn run(&self, heading: &str, assignments: &[&str], commands: &[String]) {
        let script = [BEGIN, &assignments.join("\n"), "set -x", &commands.join("\n")].join("\n");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
        let mut shell = Command::new("bash");
        shell.args(["-c", &script]).current_dir(&self.folder);
        let programs = self.folder.path().join(PROGRAMS);
        let path = std::env::var("PATH").expect("there are programs");
        shell.env("PATH", format!("{}:{path}", programs.display()));
        shell.env("ORCHARD_CARGO", env!("CARGO")).env("CARGO_TARGET_DIR", target);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ORCHARD_TEST_")) {
            shell.env_remove(name);
        }
        // In a file, as what it starts in the background would hold a pipe open.
        let said = self.folder.path().join("said");
        let file = std::fs::File::create(&said).expect("the folder takes a file");
        shell.stdin(Stdio::null()).stdout(file.try_clone().expect("a handle")).stderr(file);
        let status = shell.status().expect("bash starts");
        let said = std::fs::read(&said).expect("it is there");
        assert!(status.success(), "{heading}: {status}\n{}", String::from_utf8_lossy(&said));
    }

    /// Removes a folder that commands have made.
    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_dir_all(self.folder.path().join(name)).expect("it is there");
    }
}
