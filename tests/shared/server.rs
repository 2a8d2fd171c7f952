//! A server that does not outlive its test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::PROGRAM;
use crate::http::{Answer, send};

/// What is waited for comes within this time.
const SOON: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    child: Child,
    host: String,
    /// What it says on standard error, line by line.
    said: Receiver<String>,
}

impl Server {
    /// Starts it on a free port; it accepts requests when this returns.
    pub(crate) fn start(state: &Path, options: &[&str]) -> Self {
        Self::launch(Self::command(Path::new("tests/data"), state).args(options))
            .unwrap_or_else(|said| panic!("it ended before it served: {said:?}"))
    }

    /// How it is started, with the files of a folder to replay.
    pub(crate) fn command(captures: &Path, state: &Path) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--listen", "127.0.0.1:0", "--captures"]).arg(captures);
        command.arg("--state").arg(state).env_remove("ORCHARD_KEY");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts it so; it accepts requests, or is ready, when this returns.
    ///
    /// # Errors
    /// It ended before that; what it said.
    pub(crate) fn launch(command: &mut Command) -> Result<Self, Vec<String>> {
        let mut child = command.spawn().unwrap();
        let (say, said) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // The test has ended.
                if say.send(line).is_err() {
                    return;
                }
            }
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // A test's own program says other things before.
        let host = lines.find_map(|line| match line.as_str() {
            "ready" => Some(String::new()),
            address => address.strip_prefix("http://").map(str::to_owned),
        });
        let Some(host) = host else {
            child.wait().unwrap();
            return Err(said.iter().collect());
        };
        Ok(Self { child, host, said })
    }

    /// Where it accepts requests, as `127.0.0.1:8090`; nothing, where it has no gateway.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(&self.host, "GET", path, headers, b"")
    }

    pub(crate) fn get_csv(&self, path: &str) -> String {
        let answer = self.get_with(path, &[("accept", "text/csv")]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }

    /// A request that waits for its answer, or for the end of the server, while the test goes on.
    pub(crate) fn waiting(&self, path: &str) -> JoinHandle<()> {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host).unwrap();
        std::thread::spawn(move || {
            let mut answer = Vec::new();
            // A reset is an end, too.
            let _ = stream.read_to_end(&mut answer);
        })
    }

    /// Null is no body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        send(&self.host, "POST", path, &[("content-type", "application/json")], body.as_bytes())
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Answer {
        let body = body.to_string();
        send(&self.host, "PATCH", path, &[("content-type", "application/json")], body.as_bytes())
    }

    /// The replay, once a worker has it.
    pub(crate) fn wait_running(&self, replay: &str) -> Value {
        self.until(|| {
            let answer = self.get(&format!("/api/replays/{replay}"));
            (answer.status == 200).then(|| answer.json()).filter(|replay| replay["state"] == "running")
        })
    }

    /// Waits until some of the run's signals can be read.
    pub(crate) fn wait_signals(&self, run: &str) {
        self.until(|| {
            let page = self.get(&format!("/api/signals?run={run}")).json();
            page["items"].as_array().filter(|items| !items.is_empty()).map(drop)
        });
    }

    pub(crate) fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        let until = Instant::now() + SOON;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < until, "it does not come");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The next line on standard error that has this in it.
    pub(crate) fn wait_said(&self, part: &str) -> String {
        let until = Instant::now() + SOON;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.said.recv_timeout(left).unwrap_or_else(|_| panic!("it never said {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Waits until it has ended by itself, or so long; the number of the signal that ended it.
    pub(crate) fn wait_killed(&mut self, timeout: Duration) -> Option<i32> {
        let until = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.signal();
            }
            if Instant::now() > until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it as kill -9 does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as Ctrl-C does; what it has said that nobody has waited for.
    pub(crate) fn stop(mut self) -> String {
        let killed = Command::new("kill").args(["-INT", &self.pid().to_string()]).status().unwrap();
        assert!(killed.success());
        let asked = Instant::now();
        assert_eq!(self.child.wait().unwrap().code(), Some(130));
        assert!(asked.elapsed() < Duration::from_secs(11), "{:?}", asked.elapsed());
        self.said.iter().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
