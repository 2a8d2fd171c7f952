//! Chromium, and the packages of npm that scripts control it with.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

/// Where Debian puts it; ORCHARD_CHROMIUM names another one.
const CHROMIUM: &str = "/usr/bin/chromium";
const PACKAGES: [&str; 2] = ["playwright-core@1.65.1", "axe-core@4.14.1"];

/// Two installations at once get in each other's way.
static INSTALLING: Mutex<()> = Mutex::new(());

pub(crate) struct Browser {
    chromium: String,
    packages: PathBuf,
}

impl Browser {
    /// None where something is missing, which is said.
    pub(crate) fn find() -> Option<Self> {
        let chromium = std::env::var("ORCHARD_CHROMIUM").unwrap_or_else(|_| CHROMIUM.to_owned());
        if !Path::new(&chromium).exists() {
            skipped(
                "there is no Chromium; on Debian `apt-get install chromium`, else ORCHARD_CHROMIUM names it",
            );
            return None;
        }
        let packages = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard");
        let is_there = installed(&packages);
        if !is_there {
            skipped("there is no npm, or it cannot install what controls the browser");
        }
        is_there.then_some(Self { chromium, packages })
    }

    /// Runs a script of this folder against a server.
    #[track_caller]
    pub(crate) fn run(&self, script: &str, host: &str, arguments: &Value) {
        self.start(script, host, arguments).finish();
    }

    /// Begins to.
    pub(crate) fn start(&self, script: &str, host: &str, arguments: &Value) -> Script {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dashboard/js").join(script);
        let mut program = Command::new("node");
        program.arg(script).arg(&self.packages).arg(&self.chromium).arg(format!("http://{host}"));
        program.arg(arguments.to_string()).stdout(Stdio::piped());
        let mut child = program.spawn().expect("npm comes with node");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Script { child, lines, said: String::new() }
    }
}

/// A script that runs. Every wait in it has a timeout, so that it ends.
pub(crate) struct Script {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: String,
}

impl Script {
    /// Waits until it says a line that begins so; gives the rest of that.
    #[track_caller]
    pub(crate) fn wait_said(&mut self, begin: &str) -> String {
        while let Some(line) = self.next() {
            if let Some(rest) = line.strip_prefix(begin) {
                return rest.to_owned();
            }
        }
        panic!("the script ended before it said {begin:?}: {}", self.said);
    }

    /// Waits for its end; it must have found what it looked for.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        while self.next().is_some() {}
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{}", self.said);
        // The harness hides what is printed; what a script measures is shown.
        std::io::stdout().write_all(self.said.as_bytes()).unwrap();
    }

    fn next(&mut self) -> Option<String> {
        let line = self.lines.next()?.expect("it speaks UTF-8");
        self.said.push_str(&line);
        self.said.push('\n');
        Some(line)
    }
}

fn installed(folder: &Path) -> bool {
    let _alone = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let note = folder.join("installed");
    let wanted = PACKAGES.join("\n");
    if std::fs::read_to_string(&note).is_ok_and(|installed| installed == wanted) {
        return true;
    }
    std::fs::create_dir_all(folder).unwrap();
    let options =
        ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", "--prefix"];
    let mut npm = Command::new("npm");
    let is_done =
        npm.args(options).arg(folder).args(PACKAGES).output().is_ok_and(|output| output.status.success());
    if is_done {
        std::fs::write(note, wanted).unwrap();
    }
    is_done
}

/// Says why a test is skipped; the harness hides what is printed, and shows what is written.
fn skipped(why: &str) {
    std::io::stdout().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
}
