//! A proxy before the server that loses answers, or falls silent, on demand.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Passes everything on, unless it shall lose an answer and the connection with it, or be silent.
pub(super) struct Proxy {
    url: String,
    orders: Arc<Orders>,
}

#[derive(Default)]
struct Orders {
    swallow: AtomicBool,
    swallowed: AtomicUsize,
    silent: AtomicBool,
}

impl Proxy {
    /// Stands before the server of a URL, until the test ends.
    pub(super) fn before(url: &str) -> Self {
        let (start, rest) = url.split_once('@').expect("a URL with a user");
        let (server, database) = rest.split_once('/').expect("a URL with a database");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{start}@{}/{database}?sslmode=disable", listener.local_addr().unwrap());
        let orders = Arc::new(Orders::default());
        let (proxy_orders, server) = (orders.clone(), server.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let (client_end, server_end) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let orders = proxy_orders.clone();
                thread::spawn(move || pass(client_end, server_end, || orders.of_request()));
                let orders = proxy_orders.clone();
                thread::spawn(move || pass(server, client, || orders.of_answer()));
            }
        });
        Self { url, orders }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The next answer is lost, after the server has done what it was asked.
    pub(super) fn swallow_next_answer(&self) {
        self.orders.swallow.store(true, Ordering::SeqCst);
    }

    /// From now on nothing passes, and connections stay open.
    pub(super) fn fall_silent(&self) {
        self.orders.silent.store(true, Ordering::SeqCst);
    }

    /// What comes from now on passes again.
    pub(super) fn pass_again(&self) {
        self.orders.silent.store(false, Ordering::SeqCst);
    }

    /// How many answers were lost.
    pub(super) fn swallowed(&self) -> usize {
        self.orders.swallowed.load(Ordering::SeqCst)
    }
}

/// What happens to bytes that came.
enum Fate {
    Passed,
    Dropped,
    /// With the connection.
    Cut,
}

impl Orders {
    fn of_request(&self) -> Fate {
        if self.silent.load(Ordering::SeqCst) { Fate::Dropped } else { Fate::Passed }
    }

    fn of_answer(&self) -> Fate {
        if self.swallow.swap(false, Ordering::SeqCst) {
            self.swallowed.fetch_add(1, Ordering::SeqCst);
            return Fate::Cut;
        }
        self.of_request()
    }
}

/// Copies what comes until one end closes or it shall be cut; then closes both ends.
fn pass(mut from: TcpStream, mut to: TcpStream, fate: impl Fn() -> Fate) {
    let mut buffer = [0; 65536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let passed = match fate() {
            Fate::Passed => to.write_all(&buffer[..read]).is_ok(),
            Fate::Dropped => true,
            Fate::Cut => false,
        };
        if !passed {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
