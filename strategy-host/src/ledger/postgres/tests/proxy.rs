//! A proxy before the server that loses answers on demand.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Passes everything on, until it is told to lose an answer and the connection with it.
pub(super) struct Proxy {
    url: String,
    orders: Arc<Orders>,
}

#[derive(Default)]
struct Orders {
    swallow: AtomicBool,
    swallowed: AtomicUsize,
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
                thread::spawn(move || pass(client_end, server_end, |_| true));
                let orders = proxy_orders.clone();
                thread::spawn(move || pass(server, client, |_| !orders.lose_this()));
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

    /// How many answers were lost.
    pub(super) fn swallowed(&self) -> usize {
        self.orders.swallowed.load(Ordering::SeqCst)
    }
}

impl Orders {
    fn lose_this(&self) -> bool {
        let lose = self.swallow.swap(false, Ordering::SeqCst);
        self.swallowed.fetch_add(usize::from(lose), Ordering::SeqCst);
        lose
    }
}

/// Copies what comes, while `wanted`; then closes both ends.
fn pass(mut from: TcpStream, mut to: TcpStream, wanted: impl Fn(&[u8]) -> bool) {
    let mut buffer = [0; 65536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if !wanted(&buffer[..read]) || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
