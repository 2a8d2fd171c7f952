//! A broker that takes its time with declarations, and not with frames.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::rabbitmq::BrokerUrl;

/// A proxy that can hold back what the publisher's connection for declarations sends.
pub(super) struct Declarations {
    pub(super) url: BrokerUrl,
    are_held: Arc<AtomicBool>,
}

/// What a connection is recognised by: it is in the name that it gives itself.
const NAME: &[u8] = b", declarations";

impl Declarations {
    /// Before the broker of `ORCHARD_TEST_AMQP`.
    pub(super) fn new() -> Self {
        let broker = std::env::var("ORCHARD_TEST_AMQP").expect("scripts/test sets it");
        let (login, rest) = broker.split_once('@').expect("the URL has a login");
        let (address, vhost) = rest.split_once('/').expect("the URL has a vhost");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{login}@{}/{vhost}", listener.local_addr().unwrap()).parse().unwrap();
        let are_held = Arc::<AtomicBool>::default();
        let (held, address) = (are_held.clone(), address.to_owned());
        // It ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(broker) = TcpStream::connect(&address) else { continue };
                let (mut from, mut to) = (broker.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                let held = held.clone();
                std::thread::spawn(move || forward(client, broker, &held));
            }
        });
        Self { url, are_held }
    }

    /// From now on they are held back, or let through.
    pub(super) fn hold(&self, held: bool) {
        self.are_held.store(held, Ordering::SeqCst);
    }
}

fn forward(mut client: TcpStream, mut broker: TcpStream, held: &AtomicBool) {
    let mut is_for_declarations = false;
    let mut buffer = [0; 1 << 16];
    while let Ok(read @ 1..) = client.read(&mut buffer) {
        let bytes = &buffer[..read];
        is_for_declarations |= bytes.windows(NAME.len()).any(|window| window == NAME);
        while is_for_declarations && held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if broker.write_all(bytes).is_err() {
            return;
        }
    }
}
