//! Statistics of broker nodes: memory, and messages in their queues. RabbitMQ's plugin
//! `rabbitmq_prometheus` serves that as text.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A node that does not answer in this time is left out.
const PATIENCE: Duration = Duration::from_millis(500);
/// A page of metrics is smaller.
const MOST_BYTES: u64 = 8 << 20;

/// The nodes that are asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct BrokerMetrics(Vec<String>);

/// Sums over the nodes that answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BrokerStatistics {
    /// Memory, in bytes.
    pub(crate) memory: u64,
    /// Messages that wait or are not acknowledged.
    pub(crate) queued: u64,
}

impl BrokerMetrics {
    /// Nodes by URL, as `http://host:15692`.
    pub(crate) fn new(urls: Vec<String>) -> Self {
        Self(urls)
    }

    /// `None` where no node answers.
    pub(crate) fn read(&self) -> Option<BrokerStatistics> {
        let pages: Vec<String> = self.0.iter().filter_map(|url| get(url).ok()).collect();
        if pages.is_empty() {
            return None;
        }
        let sum = |name: &str| pages.iter().map(|page| sum_of(page, name)).sum::<f64>() as u64;
        Some(BrokerStatistics {
            memory: sum("rabbitmq_process_resident_memory_bytes"),
            queued: sum("rabbitmq_queue_messages"),
        })
    }
}

fn get(url: &str) -> std::io::Result<String> {
    let host = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let address = host.to_socket_addrs()?.next().ok_or_else(|| std::io::Error::other("no address"))?;
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    write!(socket, "GET /metrics HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut page = String::new();
    socket.take(MOST_BYTES).read_to_string(&mut page)?;
    Ok(page)
}

/// The sum of all samples of one metric.
fn sum_of(page: &str, name: &str) -> f64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        (rest.starts_with([' ', '{'])).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
    };
    page.lines().filter_map(value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_labels_and_no_other_is_taken_for_it() {
        let page = "# HELP rabbitmq_queue_messages …\nrabbitmq_queue_messages{queue=\"a b\"} 3\n\
                    rabbitmq_queue_messages 4.5e1\nrabbitmq_queue_messages_ready 100\n";
        assert_eq!(sum_of(page, "rabbitmq_queue_messages"), 48.0);
    }

    #[test]
    fn a_node_that_does_not_answer_has_no_statistics() {
        assert_eq!(BrokerMetrics::default().read(), None);
        assert_eq!(
            BrokerMetrics::new(vec!["http://127.0.0.1:1".to_owned(), "nonsense".to_owned()]).read(),
            None
        );
    }
}
