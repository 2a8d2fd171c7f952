//! The generated TypeScript passes its compiler at its strictest, where node is there to run it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiler that is installed, once, into the folder of build results.
const COMPILER: &str = "typescript@5.9.3";

/// What a program does with the generated types.
const USE: &str = r#"
import { CommandState, routes, type CommandView, type Events, type Routes } from "./orchard";

export const path: string = routes.user.path("0197f0aa-0000-7000-8000-000000000001");
export const body: Routes["startReplay"]["body"] = { files: ["a.zst"], strategies: [{ strategy: "apple" }] };
export const isDone = (view: CommandView): boolean => view.state === CommandState.Completed;
export const nameOf = (event: Events["UserCreated"]): string => event.name;
// @ts-expect-error: a body without files is none.
export const wrong: Routes["startReplay"]["body"] = {};
"#;

#[test]
fn it_passes_the_compiler() {
    let Some(compiler) = compiler() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("use.ts");
    std::fs::write(folder.path().join("orchard.ts"), bindings::typescript().text).unwrap();
    std::fs::write(&file, USE).unwrap();
    let options =
        ["--strict", "--noEmit", "--noUnusedLocals", "--target", "es2022", "--moduleResolution", "bundler"];
    let module = ["--module", "esnext"];
    let output = Command::new("node").arg(compiler).args(options).args(module).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The compiler's program; none where it can be neither found nor installed, which is said.
fn compiler() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(COMPILER);
    let compiler = folder.join("node_modules/typescript/bin/tsc");
    if !compiler.exists() {
        let install = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
        let installed = Command::new("npm").args(install).arg(&folder).arg(COMPILER).status();
        if !installed.is_ok_and(|status| status.success()) || !compiler.exists() {
            skipped("there is no npm, or it cannot install the compiler of TypeScript");
            return None;
        }
    }
    if !Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success()) {
        skipped("there is no node");
        return None;
    }
    Some(compiler)
}

/// Says why a test is skipped; the harness hides what is printed, and shows what is written.
fn skipped(why: &str) {
    std::io::stdout().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
}
