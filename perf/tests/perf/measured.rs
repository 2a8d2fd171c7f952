//! One run of `perf`, and what it left.

use std::path::Path;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::time::Duration;

use perf::outcome::{Outcome, Stage, Step};

use crate::management::{Management, decode_base64};
use crate::program::Folder;
use crate::servers::{Servers, Turn};
use crate::waiting::wait_until;

/// What is waited for comes within this time, however busy the machine is.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A measurement that came to its end.
pub(crate) struct Measured {
    pub(crate) outcome: Outcome,
    pub(crate) json: String,
    pid: u32,
}

/// Measures with `--json --quiet`.
#[track_caller]
pub(crate) fn measure(folder: &Folder, args: &[&str]) -> Measured {
    let args = [args, &["--json", "--quiet"]].concat();
    let child = folder.command(&args).spawn().expect("the program starts");
    let pid = child.id();
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("panicked"), "{args:?}: {said}");
    let json = String::from_utf8(output.stdout).expect("UTF-8");
    Measured { outcome: serde_json::from_str(&json).expect("an outcome"), json, pid }
}

impl Measured {
    /// The only step.
    #[track_caller]
    pub(crate) fn step(&self) -> &Step {
        assert_eq!(self.outcome.steps.len(), 1);
        &self.outcome.steps[0]
    }

    #[track_caller]
    pub(crate) fn stage(&self, name: &str) -> &Stage {
        stage(self.step(), name)
    }

    /// The names of all stages.
    pub(crate) fn stages(&self) -> Vec<&str> {
        self.step().stages.iter().map(|stage| stage.name.as_str()).collect()
    }

    /// Its queues and exchanges that are on the broker of the environment.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        made_by(self.pid, &management())
    }
}

#[track_caller]
pub(crate) fn stage<'a>(step: &'a Step, name: &str) -> &'a Stage {
    step.stages.iter().find(|stage| stage.name == name).unwrap_or_else(|| panic!("no stage {name}"))
}

/// Whether `value` is `expected`, give or take a tenth.
#[track_caller]
pub(crate) fn expect_about(what: &str, value: f64, expected: f64) {
    assert!((value - expected).abs() <= 0.1 * expected, "{what}: {value} instead of {expected}");
}

/// Queues and exchanges of one process.
pub(crate) fn made_by(pid: u32, management: &Management) -> Vec<String> {
    let names = [management.names("queues"), management.names("exchanges")].concat();
    let marks = [format!("perf-{pid}-"), format!("bodies.{pid}.")];
    names.into_iter().filter(|name| marks.iter().any(|mark| name.contains(mark))).collect()
}

pub(crate) fn broker() -> String {
    std::env::var("ORCHARD_TEST_AMQP").expect("scripts/test sets it")
}

pub(crate) fn management() -> Management {
    Management::new(&std::env::var("ORCHARD_TEST_MANAGEMENT").expect("scripts/test sets it"))
}

/// Two independent nodes for tests that disturb them, in turn.
pub(crate) fn two_nodes() -> (Turn, &'static Servers) {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    let turn = Turn::wait();
    (turn, SERVERS.get_or_init(|| Servers::start(&["rabbitmq:2"])))
}

/// A program whose standard error is a file, and which does not outlive its test.
pub(crate) struct Running(pub(crate) Option<Child>);

impl Running {
    /// Starts it; `said` in the folder has its standard error.
    pub(crate) fn start(folder: &Folder, args: &[&str]) -> Self {
        let said = std::fs::File::create(folder.path().join("said")).expect("the folder takes a file");
        Self(Some(folder.command(args).stderr(said).spawn().expect("the program starts")))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.as_ref().expect("it runs").id()
    }

    /// Waits until a second was measured that is not a warm-up.
    #[track_caller]
    pub(crate) fn wait_for_a_second(&self, folder: &Folder) {
        wait_until("a second is measured", SOON, || seconds(&folder.path().join("said")) > 0);
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let sent = Command::new("kill").args(["-INT", &self.pid().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }

    /// Its exit code and its standard output.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let output = self.0.take().expect("it runs").wait_with_output().expect("it ends");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Lines of seconds that were measured.
fn seconds(said: &Path) -> usize {
    let said = std::fs::read_to_string(said).unwrap_or_default();
    let is_second = |line: &&str| {
        let first = line.split_whitespace().next().and_then(|first| first.parse::<f64>().ok());
        first.is_some() && !line.ends_with("warm-up")
    };
    said.lines().filter(is_second).count()
}

/// The histograms of a log, by their tags.
pub(crate) fn histograms(log: &[u8]) -> Vec<(String, hdrhistogram::Histogram<u64>)> {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    let mut all = Vec::new();
    for entry in IntervalLogIterator::new(log) {
        if let LogEntry::Interval(interval) = entry.expect("a line of a histogram log") {
            let bytes = decode_base64(interval.encoded_histogram());
            let histogram = Deserializer::new().deserialize(&mut &bytes[..]).expect("a histogram");
            all.push((interval.tag().expect("a stage").as_str().to_owned(), histogram));
        }
    }
    all
}
