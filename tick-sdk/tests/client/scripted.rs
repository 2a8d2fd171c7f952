//! A server that gives the answers it was given, one a request, and remembers what was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// An answer as bytes.
pub(crate) struct Reply {
    head: String,
    body: Body,
}

enum Body {
    /// With its length, which may be more than there is.
    Whole { bytes: Vec<u8>, length: usize },
    /// In chunks, with the last one or without.
    Chunks { chunks: Vec<Vec<u8>>, is_ended: bool },
    /// The connection is closed instead of an answer.
    Cut,
    /// Nothing, until the client goes.
    Silence,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &str, body: &str) -> Self {
        let head = format!("HTTP/1.1 {status} \r\ncontent-type: {content_type}\r\nconnection: close\r\n");
        Self { head, body: Body::Whole { bytes: body.as_bytes().to_vec(), length: body.len() } }
    }

    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::new(status, "application/json", body)
    }

    pub(crate) fn problem(status: u16, body: &str) -> Self {
        Self::new(status, "application/problem+json; charset=utf-8", body)
    }

    pub(crate) fn cut() -> Self {
        Self { head: String::new(), body: Body::Cut }
    }

    pub(crate) fn silence() -> Self {
        Self { head: String::new(), body: Body::Silence }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// With a length that its body has not.
    pub(crate) fn promising(mut self, promised: usize) -> Self {
        if let Body::Whole { length, .. } = &mut self.body {
            *length = promised;
        }
        self
    }

    pub(crate) fn chunks(self, chunks: Vec<Vec<u8>>) -> Self {
        Self { body: Body::Chunks { chunks, is_ended: true }, ..self }
    }

    /// Without the chunk that says that all has come.
    pub(crate) fn unended(mut self) -> Self {
        if let Body::Chunks { is_ended, .. } = &mut self.body {
            *is_ended = false;
        }
        self
    }

    fn write_to(&self, connection: &mut TcpStream) -> std::io::Result<()> {
        match &self.body {
            Body::Whole { bytes, length } => {
                write!(connection, "{}content-length: {length}\r\n\r\n", self.head)?;
                connection.write_all(bytes)
            }
            Body::Chunks { chunks, is_ended } => {
                write!(connection, "{}transfer-encoding: chunked\r\n\r\n", self.head)?;
                for chunk in chunks {
                    write!(connection, "{:x}\r\n", chunk.len())?;
                    connection.write_all(chunk)?;
                    connection.write_all(b"\r\n")?;
                }
                if *is_ended { connection.write_all(b"0\r\n\r\n") } else { Ok(()) }
            }
            Body::Cut => Ok(()),
            Body::Silence => Ok(()),
        }
    }
}

/// What a client asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    /// The value of a header whose name is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn read_from(connection: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(connection);
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let mut request = Self { line: line.trim_end().to_owned(), headers: Vec::new(), body: String::new() };
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim_end().split_once(": ") else { break };
            request.headers.push((name.to_lowercase(), value.to_owned()));
        }
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        request.body = String::from_utf8(body).unwrap();
        Some(request)
    }
}

/// The server. Its thread ends with the process, or by [`Scripted::stop`].
pub(crate) struct Scripted {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    thread: JoinHandle<()>,
}

impl Scripted {
    pub(crate) fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let mut replies: Vec<_> = replies.into_iter().collect();
        let thread = std::thread::spawn(move || {
            let mut silent = Vec::new();
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                // Nobody asks: it is the end of the test.
                let Some(request) = Request::read_from(&connection) else { return };
                seen.lock().unwrap().push(request);
                if replies.is_empty() {
                    continue;
                }
                let reply = replies.remove(0);
                // A client that does not read on is none of the server's business.
                let _ = reply.write_to(&mut connection);
                if matches!(reply.body, Body::Silence) {
                    silent.push(connection);
                }
            }
        });
        Self { address, requests, thread }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Ends the server: afterwards nobody listens at its address.
    pub(crate) fn stop(self) {
        // A connection without a request ends the thread.
        drop(TcpStream::connect(self.address).unwrap());
        self.thread.join().unwrap();
    }
}
