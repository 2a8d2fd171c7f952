//! Serves the newest second to Prometheus: text over HTTP, one request after the other.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::outcome::Second;

/// Who asks sends a request and takes the answer within this time; then the next one has its turn.
const PATIENCE: Duration = Duration::from_secs(2);
/// A request is read up to here; Prometheus sends a few hundred bytes.
const MAX_REQUEST_BYTES: usize = 8 << 10;

/// What is served; the thread that serves it lives as long as the process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prometheus {
    page: Arc<Mutex<String>>,
}

impl Prometheus {
    /// Begins to serve, a page without values at first.
    ///
    /// # Errors
    /// The address is taken, or not one of this machine.
    pub(crate) fn serve(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let prometheus = Self::default();
        let served = prometheus.clone();
        std::thread::Builder::new().name("prometheus".to_owned()).spawn(move || {
            for client in listener.incoming().flatten() {
                // A client that has gone needs no answer.
                let _ = served.answer(client);
            }
        })?;
        Ok(prometheus)
    }

    /// Shows this second from now on.
    pub(crate) fn set(&self, second: &Second) {
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = page(second);
    }

    fn answer(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(PATIENCE))?;
        client.set_write_timeout(Some(PATIENCE))?;
        let request = read_request(&mut client)?;
        let (status, body) = if request.starts_with(b"GET /metrics ") {
            ("200 OK", self.page.lock().unwrap_or_else(PoisonError::into_inner).clone())
        } else {
            ("404 Not Found", "GET /metrics\n".to_owned())
        };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        client.write_all(head.as_bytes())?;
        client.write_all(body.as_bytes())
    }
}

/// Reads to the empty line after the headers.
fn read_request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < MAX_REQUEST_BYTES {
        match client.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => request.extend_from_slice(&part[..read]),
        }
    }
    Ok(request)
}

/// One second in Prometheus' text format.
fn page(second: &Second) -> String {
    let mut text = String::new();
    let mut gauge = |name: &str, values: &[(&str, f64)]| {
        let written = writeln!(text, "# TYPE orchard_perf_{name} gauge");
        let each = |(labels, value): &(&str, f64)| writeln!(text, "orchard_perf_{name}{labels} {value}");
        written.and_then(|()| values.iter().try_for_each(each)).expect("a String takes text");
    };
    gauge(
        "ticks_per_second",
        &[
            ("{stage=\"sent\"}", second.sent),
            ("{stage=\"confirmed\"}", second.confirmed),
            ("{stage=\"consumed\"}", second.consumed),
            ("{stage=\"committed\"}", second.committed),
        ],
    );
    gauge("messages_per_second", &[("", second.messages)]);
    gauge("budget_used_ratio", &[("", second.budget.unwrap_or(0.0))]);
    gauge("blocked_ratio", &[("", second.blocked)]);
    let seconds = |ns: Option<u64>| ns.map_or(f64::NAN, |ns| ns as f64 * 1e-9);
    let quantiles =
        [("{quantile=\"0.5\"}", seconds(second.p50)), ("{quantile=\"0.99\"}", seconds(second.p99))];
    gauge("latency_seconds", &quantiles);
    gauge("memory_bytes", &[("", second.memory as f64)]);
    gauge("open_files", &[("", second.files as f64)]);
    if let (Some(memory), Some(queued)) = (second.broker_memory, second.queued) {
        gauge("broker_memory_bytes", &[("", memory as f64)]);
        gauge("broker_queued_messages", &[("", queued as f64)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_text_that_prometheus_reads() {
        let second = Second { sent: 1.5, p50: Some(2_000_000), files: 7, ..Second::default() };
        let text = page(&second);
        let has = |line: &str| assert!(text.lines().any(|found| found == line), "{line}: {text}");
        has("# TYPE orchard_perf_ticks_per_second gauge");
        has("orchard_perf_ticks_per_second{stage=\"sent\"} 1.5");
        has("orchard_perf_latency_seconds{quantile=\"0.5\"} 0.002");
        has("orchard_perf_latency_seconds{quantile=\"0.99\"} NaN");
        has("orchard_perf_open_files 7");
        assert!(!text.contains("broker_memory"), "nobody said it: {text}");
    }

    #[test]
    fn a_client_that_says_nothing_holds_nobody_up_for_long() {
        let prometheus = Prometheus::default();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let silent = TcpStream::connect(listener.local_addr().expect("its address")).expect("it listens");
        let (client, _) = listener.accept().expect("a client");
        prometheus.answer(client).expect_err("there is no request");
        drop(silent);
    }
}
