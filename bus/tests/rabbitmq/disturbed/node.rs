//! A broker of a test's own, which can be stopped.

use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::broker_of_test::Vhost;

const SERVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/services");

/// A node of RabbitMQ that ends with the test.
pub(crate) struct Node {
    env: HashMap<String, String>,
    _turn: MutexGuard<'static, ()>,
}

impl Node {
    pub(crate) fn start() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = services(&["start", "rabbitmq"]);
        let variables = lines.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        let env = variables.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()));
        Self { env: env.collect(), _turn: turn }
    }

    fn folder(&self) -> &str {
        &self.env["ORCHARD_TEST_SERVICES"]
    }

    pub(crate) fn act(&self, verb: &str, args: &[&str]) -> String {
        services(&[&[verb, self.folder()], args].concat())
    }

    pub(crate) fn vhost(&self, test: &str) -> Vhost {
        Vhost::on(&self.env["ORCHARD_TEST_AMQP"], &self.env["ORCHARD_TEST_MANAGEMENT"], test)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        services(&["stop", self.folder()]);
    }
}

fn services(args: &[&str]) -> String {
    let output = Command::new(SERVICES).args(args).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}
