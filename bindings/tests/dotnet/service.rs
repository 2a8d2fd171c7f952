//! A .NET service in a process of its own, by JSON lines, and a virtual host for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

/// What is waited for comes within this time, also on a machine that is busy; the service compiles first.
const SOON: Duration = Duration::from_secs(120);

pub(crate) struct Service {
    child: Child,
    requests: Option<ChildStdin>,
    lines: Receiver<Value>,
    /// What came while something else was waited for.
    early: Vec<Value>,
}

impl Service {
    /// It takes messages when this returns.
    pub(crate) fn start(program: &Path, url: &str, contracts: &Path, handlers: &[[&str; 2]]) -> Self {
        let mut child = Command::new(program)
            .args(["dotnet-peer", "masstransit", "--url", url, "--contracts"])
            .arg(contracts)
            .args(handlers.as_flattened())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let (say, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // What is no JSON is shown where something was expected. A send fails once the test has ended.
                let _ = say.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let requests = child.stdin.take();
        let mut service = Self { child, requests, lines, early: Vec::new() };
        service.next(|line| line["ready"] == true);
        service
    }

    pub(crate) fn say(&mut self, line: &Value) {
        writeln!(self.requests.as_ref().unwrap(), "{line}").expect("the service lives");
    }

    /// The next line that fits.
    pub(crate) fn next(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(place) = self.early.iter().position(&fits) {
            return self.early.remove(place);
        }
        loop {
            let line = self.lines.recv_timeout(SOON);
            let line = line.unwrap_or_else(|error| panic!("{error}; before that came {:?}", self.early));
            if fits(&line) {
                return line;
            }
            assert!(line["error"].is_null(), "{line}");
            self.early.push(line);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.requests.take());
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A virtual host of the tests' broker, which ends with its test.
pub(crate) struct Vhost {
    name: String,
}

impl Vhost {
    pub(crate) fn new(test: &str) -> Self {
        let vhost = Self { name: format!("{test}-{}", std::process::id()) };
        vhost.ask("PUT");
        vhost
    }

    pub(crate) fn url(&self) -> String {
        let amqp = server("ORCHARD_TEST_AMQP");
        let (beginning, _) = amqp.rsplit_once('/').unwrap();
        format!("{beginning}/{}", self.name)
    }

    fn ask(&self, method: &str) {
        let management = server("ORCHARD_TEST_MANAGEMENT");
        let mut stream = TcpStream::connect(management.trim_start_matches("http://")).unwrap();
        let request = format!(
            "{method} /api/vhosts/{} HTTP/1.0\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\
             Content-Type: application/json\r\nContent-Length: 0\r\n\r\n",
            self.name
        );
        stream.write_all(request.as_bytes()).unwrap();
        // It is done when it is answered. Some brokers end the connection before all of it is read.
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.ask("DELETE");
        }
    }
}

fn server(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/test"))
}
