//! What a written file came to, for people and for machines.

use std::time::Duration;

use serde_json::{Value, json};
use tick_ingest::Counts;

use super::OutputFormat;
use super::encode::Tally;
use crate::counts;
use crate::duration::{format_duration, format_time};
use crate::text::{bytes, counted, printable, thousands};

/// Everything that is shown of a written file.
pub(super) struct Summary {
    pub(super) name: String,
    pub(super) format: OutputFormat,
    pub(super) bytes: u64,
    pub(super) tally: Tally,
    pub(super) counts: Counts,
    /// Of the files as they are on disk; `None` where a source is not a file.
    pub(super) source_bytes: Option<u64>,
    pub(super) elapsed: Duration,
}

impl Summary {
    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| text.push_str(&format!("{name:<13}{value}\n"));
        let Tally { ticks, kinds, instruments, span } = self.tally;
        line("Written", format!("{}, {}", printable(&self.name), counted(self.bytes, "byte")));
        line("Ticks", format!("{}{}", thousands(ticks), in_parentheses(&kinds)));
        line("Instruments", thousands(instruments.into()));
        if let Some((first, last)) = span {
            let (from, to, span) = (format_time(first), format_time(last), format_duration(last - first));
            line("Time span", format!("{from} to {to} UTC ({span})"));
        }
        for (name, value) in counts::lines(&self.counts) {
            line(name, value);
        }
        if self.counts.bytes > 0 {
            let files = self.source_bytes.map(|size| format!(" of {} of files", bytes(size)));
            line("Read", format!("{} of content{}", bytes(self.counts.bytes), files.unwrap_or_default()));
        }
        let seconds = self.elapsed.as_secs_f64();
        line("Speed", format!("{} ticks/s ({seconds:.3} s)", thousands(self.ticks_per_second())));
        text.push_str(&counts::left_out(&self.counts));
        text
    }

    /// For machines: one object on one line; times in ns since the UNIX epoch.
    pub(super) fn json(&self) -> String {
        let [trades, bids, asks, others] = self.tally.kinds;
        let mut value: Value = json!({
            "output": self.name,
            "format": self.format.name(),
            "bytes": self.bytes,
            "ticks": self.tally.ticks,
            "ticks_by_kind": { "trades": trades, "bids": bids, "asks": asks, "others": others },
            "instruments": self.tally.instruments,
            "first_ts_recv": self.tally.span.map(|span| span.0),
            "last_ts_recv": self.tally.span.map(|span| span.1),
            "source_bytes": self.source_bytes,
            "content_bytes": self.counts.bytes,
            "elapsed_seconds": self.elapsed.as_secs_f64(),
            "ticks_per_second": self.ticks_per_second(),
        });
        counts::add_to_json(&mut value, &self.counts);
        format!("{value}\n")
    }

    fn ticks_per_second(&self) -> u64 {
        crate::replay::per_second(self.tally.ticks, self.elapsed)
    }
}

/// ` (21,313 trades, 66,089 bids)`, or nothing where there are none.
pub(crate) fn in_parentheses(kinds: &[u64; 4]) -> String {
    const NAMES: [&str; 4] = ["trade", "bid", "ask", "other"];
    let some = kinds.iter().zip(NAMES).filter(|(count, _)| **count > 0);
    let kinds: Vec<_> = some.map(|(count, name)| counted(*count, name)).collect();
    if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) }
}
