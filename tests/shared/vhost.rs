//! A virtual host of a test's own on the broker that tests share.

use serde_json::Value;

use crate::http;

/// A virtual host, which ends with its test.
pub(crate) struct Vhost {
    pub(crate) name: String,
}

impl Vhost {
    pub(crate) fn new(test: &str) -> Self {
        let vhost = Self { name: format!("{test}-{}", std::process::id()) };
        vhost.ask("PUT", &format!("/api/vhosts/{}", vhost.name), &Value::Null);
        vhost
    }

    pub(crate) fn amqp(&self) -> String {
        let amqp = variable("ORCHARD_TEST_AMQP");
        format!("{}/{}", amqp.rsplit_once('/').expect("a URL has a path").0, self.name)
    }

    /// Asks the management API, as `guest` with the password `guest`.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) {
        let headers = [("authorization", "Basic Z3Vlc3Q6Z3Vlc3Q="), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let management = variable("ORCHARD_TEST_MANAGEMENT");
        let host = management.trim_start_matches("http://");
        let answer = http::send(host, method, path, &headers, body.as_bytes());
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text());
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        self.ask("DELETE", &format!("/api/vhosts/{}", self.name), &Value::Null);
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is a server's URL: run scripts/test"))
}
