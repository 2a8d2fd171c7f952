//! Private servers of this test, which it kills and wipes: one RabbitMQ node and PostgreSQL for all
//! cases, and a cluster for one.

use std::collections::HashMap;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Servers that were started together.
pub(crate) struct Servers {
    folder: String,
    env: HashMap<String, String>,
    guard: Child,
}

/// Cases take turns: the machine is small, and they kill each other's servers.
pub(crate) struct Turn(MutexGuard<'static, ()>);

impl Turn {
    pub(crate) fn wait() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        Self(TURN.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One RabbitMQ node and PostgreSQL, started by the first case.
    pub(crate) fn servers(&self) -> &'static Servers {
        static SERVERS: OnceLock<Servers> = OnceLock::new();
        let _: &MutexGuard<'_, ()> = &self.0;
        SERVERS.get_or_init(|| Servers::start(&["rabbitmq", "postgres"]))
    }
}

impl Servers {
    /// Starts these, and waits until they are ready.
    pub(crate) fn start(what: &[&str]) -> Self {
        let lines = run(&[&["start"], what].concat());
        let env: HashMap<_, _> = lines
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
        let folder = env["ORCHARD_TEST_SERVICES"].clone();
        let guard = guard(&folder);
        Self { folder, env, guard }
    }

    /// What `scripts/services` calls `ORCHARD_TEST_{name}`.
    pub(crate) fn url(&self, name: &str) -> &str {
        &self.env[&format!("ORCHARD_TEST_{name}")]
    }

    /// Does something with one of them, as in `["restart", "1"]`.
    pub(crate) fn act(&self, verb: &str, args: &[&str]) -> String {
        run(&[&[verb, &self.folder], args].concat())
    }

    /// Runs `rabbitmqctl` on a node.
    pub(crate) fn ctl(&self, node: &str, args: &[&str]) -> String {
        self.act("ctl", &[&[node], args].concat())
    }
}

fn run(args: &[&str]) -> String {
    let output = Command::new(crate::SERVICES).args(args).stdin(Stdio::null()).output();
    let output = output.expect("scripts/services can be run");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "scripts/services {args:?}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Stops the servers when this process ends, however that is: then the guard's input closes.
fn guard(folder: &str) -> Child {
    let mut guard = Command::new("sh");
    guard.args(["-c", "cat >/dev/null; exec \"$0\" stop \"$1\"", crate::SERVICES, folder]);
    // Ctrl-C is for the test, not for who cleans up after it.
    guard.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    guard.spawn().expect("a shell starts")
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}
