//! What each part costs. The defaults are measured, or computed from what is measured; CAPACITY.md
//! says of each from which row of RESULTS.md, and which ones are assumed.

use serde::Serialize;
use tick_sdk::quantity::{parse_duration_ns, parse_rate};

/// A tick in a frame.
pub(super) const TICK_BYTES: f64 = 40.0;
/// What a message has beside its ticks: a frame's prefix and archive, and AMQP's own frames.
pub(super) const MESSAGE_BYTES: f64 = 200.0;

/// The model's constants. A broker node's are for 2 cores that it shares with its clients.
#[derive(Clone, Debug, PartialEq, Serialize, clap::Args)]
#[command(next_help_heading = "Constants")]
pub(crate) struct Costs {
    /// Ticks/s that one ingester decodes and cuts into shards
    #[arg(long, value_name = "N", default_value = "44M", value_parser = parse_rate)]
    pub(crate) ingester_ticks: f64,
    /// An ingester's time for one frame, whatever its size
    #[arg(long, value_name = "TIME", default_value = "5us", value_parser = parse_duration_ns)]
    pub(crate) ingester_frame: u64,
    /// How late a sleeping ingester wakes
    #[arg(long, value_name = "TIME", default_value = "89us", value_parser = parse_duration_ns)]
    pub(crate) wake: u64,
    /// A node's time to take one message, beside its bytes
    #[arg(long, value_name = "TIME", default_value = "11us", value_parser = parse_duration_ns)]
    pub(crate) message_in: u64,
    /// A node's time to deliver one message, beside its bytes
    #[arg(long, value_name = "TIME", default_value = "9us", value_parser = parse_duration_ns)]
    pub(crate) message_out: u64,
    /// Bytes/s that a node takes if it does nothing else
    #[arg(long, value_name = "BYTES", default_value = "2.2G", value_parser = parse_rate)]
    pub(crate) node_bytes_in: f64,
    /// Bytes/s that a node delivers if it does nothing else, each strategy's copy counted
    #[arg(long, value_name = "BYTES", default_value = "2.75G", value_parser = parse_rate)]
    pub(crate) node_bytes_out: f64,
    /// Bytes/s of a node's network, in each direction
    #[arg(long, value_name = "BYTES", default_value = "3.125G", value_parser = parse_rate)]
    pub(crate) node_network: f64,
    /// What a tick takes beside all that, where nothing is busy
    #[arg(long, value_name = "TIME", default_value = "190us", value_parser = parse_duration_ns)]
    pub(crate) hop: u64,
    /// Ticks/s that an instance's thread checks and gives to its strategy
    #[arg(long, value_name = "N", default_value = "31.5M", value_parser = parse_rate)]
    pub(crate) host_ticks: f64,
    /// A host's time for one frame, whatever its size
    #[arg(long, value_name = "TIME", default_value = "5us", value_parser = parse_duration_ns)]
    pub(crate) host_frame: u64,
    /// One commit's time in the ledger
    #[arg(long, value_name = "TIME", default_value = "380us", value_parser = parse_duration_ns)]
    pub(crate) commit: u64,
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            ingester_ticks: 44e6,
            ingester_frame: 5_000,
            wake: 89_000,
            message_in: 11_000,
            message_out: 9_000,
            node_bytes_in: 2.2e9,
            node_bytes_out: 2.75e9,
            node_network: 3.125e9,
            hop: 190_000,
            host_ticks: 31.5e6,
            host_frame: 5_000,
            commit: 380_000,
        }
    }
}

impl Costs {
    /// An ingester's time for so many ticks, in ns.
    pub(super) fn ingest(&self, ticks: u64) -> u64 {
        ns(ticks as f64 / self.ingester_ticks)
    }

    /// A node's time to take a frame of so many bytes, in ns.
    pub(super) fn take(&self, bytes: f64) -> u64 {
        self.message_in + ns(bytes / self.node_bytes_in)
    }

    /// A node's time to deliver one copy of it, in ns.
    pub(super) fn deliver(&self, bytes: f64) -> u64 {
        self.message_out + ns(bytes / self.node_bytes_out)
    }

    /// A host's time for one copy of a frame, in ns.
    pub(super) fn host(&self, ticks: u64) -> u64 {
        self.host_frame + ns(ticks as f64 / self.host_ticks)
    }
}

fn ns(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}
