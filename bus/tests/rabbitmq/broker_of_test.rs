//! Virtual hosts of the tests' broker.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};

use bus::rabbitmq::BrokerUrl;

/// A virtual host that ends with its test.
pub(crate) struct Vhost {
    amqp: String,
    management: String,
    name: String,
}

impl Vhost {
    /// On the broker that all tests share.
    pub(crate) fn new(test: &str) -> Self {
        let servers = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/test"))
        };
        Self::on(&servers("ORCHARD_TEST_AMQP"), &servers("ORCHARD_TEST_MANAGEMENT"), test)
    }

    /// On this broker.
    pub(crate) fn on(amqp: &str, management: &str, test: &str) -> Self {
        // What the bus says can be read with `--nocapture`.
        let filter = std::env::var("ORCHARD_TEST_LOG").unwrap_or_else(|_| "off".to_owned());
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let vhost = Self {
            amqp: amqp.to_owned(),
            management: management.trim_start_matches("http://").to_owned(),
            // One with a slash, as others have them.
            name: format!("bus/{test}-{}-{count}", std::process::id()),
        };
        vhost.ask("PUT", &format!("/api/vhosts/{}", vhost.encoded()), "");
        vhost
    }

    /// Where it is.
    pub(crate) fn url(&self) -> BrokerUrl {
        self.text().parse().unwrap()
    }

    /// The same by another port, where a proxy stands.
    pub(crate) fn url_by(&self, port: u16) -> BrokerUrl {
        format!("amqp://guest:guest@127.0.0.1:{port}/{}", self.encoded()).parse().unwrap()
    }

    /// The broker's own port.
    pub(crate) fn port(&self) -> u16 {
        let place = self.amqp.split('@').nth(1).unwrap().split('/').next().unwrap();
        place.split(':').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn text(&self) -> String {
        let (beginning, _) = self.amqp.rsplit_once('/').unwrap();
        format!("{beginning}/{}", self.encoded())
    }

    pub(crate) fn encoded(&self) -> String {
        self.name.replace('/', "%2f")
    }

    /// What the management API answers; nothing of it is looked at but that it is no error.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.management).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // Some brokers end the connection before all of it is read.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        self.ask("DELETE", &format!("/api/vhosts/{}", self.encoded()), "");
    }
}
