//! The real program, running beside the test: what it says is kept, and it does not outlive the test.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::waiting::{LOOK_EVERY, pause, wait_for};

/// The program under test.
pub(crate) const ORCHARD: &str = env!("CARGO_BIN_EXE_orchard");

/// So many of its last lines are kept.
const KEPT_LINES: usize = 200;

/// A running `orchard`, which is killed when it is dropped.
pub(crate) struct Program {
    name: String,
    child: Child,
    said: Arc<Mutex<VecDeque<String>>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    /// Both its outputs, the last lines.
    pub(crate) said: String,
}

impl Program {
    /// Starts `orchard` in this folder.
    pub(crate) fn start<A: AsRef<str>>(name: &str, folder: &Path, args: &[A]) -> Self {
        Self::start_of(Path::new(ORCHARD), name, folder, args)
    }

    /// As [`Program::start`], for a program that is Orchard with a strategy more.
    pub(crate) fn start_of<A: AsRef<str>>(program: &Path, name: &str, folder: &Path, args: &[A]) -> Self {
        let mut command = Command::new(program);
        command.args(args.iter().map(AsRef::as_ref)).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let said = Arc::default();
        let readers = [
            child.stdout.take().map(|out| keep_lines(out, &said)),
            child.stderr.take().map(|out| keep_lines(out, &said)),
        ];
        Self { name: name.to_owned(), child, said, readers: readers.into_iter().flatten().collect() }
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run<A: AsRef<str>>(folder: &Path, args: &[A], timeout: Duration) -> Ended {
        Self::start(args[0].as_ref(), folder, args).wait(timeout)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said last, on both outputs.
    pub(crate) fn said(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().fold(String::new(), |text, line| text + line + "\n")
    }

    /// Waits for a line that contains this, and gives it.
    #[track_caller]
    pub(crate) fn wait_for_line(&mut self, text: &str, timeout: Duration) -> String {
        let what = format!("{} says '{text}'", self.name);
        wait_for(&what, timeout, || {
            let line = self.said().lines().find(|line| line.contains(text)).map(str::to_owned);
            assert!(line.is_some() || self.is_running(), "{what}: it has ended and said\n{}", self.said());
            line
        })
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_none()
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub(crate) fn wait(&mut self, timeout: Duration) -> Ended {
        let status = self.wait_for_end(timeout);
        for reader in self.readers.drain(..) {
            reader.join().expect("lines are kept");
        }
        let said = self.said();
        assert!(!said.contains("panicked"), "{}: {said}", self.name);
        Ended { code: status.code(), said }
    }

    #[track_caller]
    fn wait_for_end(&mut self, timeout: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return status;
            }
            let seconds = timeout.as_secs();
            assert!(
                started.elapsed() < timeout,
                "{} does not end in {seconds} s: {}",
                self.name,
                self.said()
            );
            pause(LOOK_EVERY);
        }
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Stops it as Ctrl-Z does: it holds its connections and does nothing.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on after [`Program::freeze`].
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.expect("kill is there").success(), "{} takes {name}", self.name);
    }

    /// The memory that it holds and that is no file's, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        kilobytes.unwrap_or(0) * 1024
    }
}

fn keep_lines(
    out: impl Read + Send + 'static,
    said: &Arc<Mutex<VecDeque<String>>>,
) -> std::thread::JoinHandle<()> {
    let said = said.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.len() == KEPT_LINES {
                // The first lines say which run it is.
                said.remove(KEPT_LINES / 10);
            }
            said.push_back(line);
        }
    })
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
