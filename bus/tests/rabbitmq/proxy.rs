//! A connection that can be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Passes on what comes to its port, until it is cut.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// To this port of this machine.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let open = Arc::<Mutex<Vec<TcpStream>>>::default();
        let opened = open.clone();
        // It ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let pairs = [(&client, &server), (&server, &client)];
                for (from, to) in pairs {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || pass_on(from, to));
                }
                opened.lock().unwrap().extend([client, server]);
            }
        });
        Self { port: own, open }
    }

    /// Ends every connection in the middle of whatever it is at; new ones are passed on again. How many there were.
    pub(crate) fn cut(&self) -> usize {
        let cut: Vec<_> = self.open.lock().unwrap().drain(..).collect();
        cut.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        cut.len() / 2
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 << 10];
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // Whichever end it was, the other is to know.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
