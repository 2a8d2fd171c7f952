//! Input of each format, generated in memory: what the benches `readers` and `allocations` read.

use std::io::Cursor;
use std::sync::Arc;

use tick_ingest::ReadOptions;
use tick_ingest::detect::{Opened, open_reader};

pub(crate) mod binance_stream;
pub(crate) mod csv;
pub(crate) mod dbn;
pub(crate) mod mapped_csv;

/// A file that was never written.
#[derive(Clone)]
pub(crate) struct Input {
    pub(crate) what: &'static str,
    /// By which some formats are known.
    file: &'static str,
    pub(crate) bytes: Arc<[u8]>,
    mapping: Option<&'static str>,
}

impl Input {
    /// Opens it as a file is opened: its format is detected.
    pub(crate) fn open(&self) -> Opened {
        let mapping = self.mapping.map(|text| text.parse().expect("a mapping"));
        let options = ReadOptions { mapping, ..ReadOptions::default() };
        let bytes = Box::new(Cursor::new(Arc::clone(&self.bytes)));
        open_reader(self.file, bytes, &options).expect("a known format")
    }
}

/// A random walk, so that the lengths of numbers change as in a capture.
struct Walk {
    state: u64,
    price: i64,
    ns: u64,
}

impl Walk {
    fn new() -> Self {
        Self { state: 1, price: 618_001, ns: 1_723_161_258_362_104_917 }
    }

    fn next(&mut self, below: u64) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below
    }

    /// Time, price and size of the next row.
    fn step(&mut self) -> (u64, String, String) {
        self.ns += self.next(20_000_000) + 1_000;
        self.price += self.next(21) as i64 - 10;
        let size = match self.next(3) {
            0 => format!("0.00{}", self.next(9) + 1),
            1 => format!("0.{:03}", self.next(999)),
            _ => format!("{}.{:03}", self.next(40), self.next(999)),
        };
        (self.ns, format!("{}.{}", self.price / 10, self.price % 10), size)
    }
}

/// A header, and so many rows.
fn text(header: &str, rows: u64, mut row: impl FnMut(&mut Walk, &mut String)) -> Arc<[u8]> {
    let mut walk = Walk::new();
    let mut text = format!("{header}\n");
    for _ in 0..rows {
        row(&mut walk, &mut text);
        text.push('\n');
    }
    text.into_bytes().into()
}
