//! Replays and what they came to, in a form that can be compared.

use std::path::Path;

use serde_json::Value;

use crate::program::Folder;

/// A capture as it came: 345 s of one instrument.
pub(crate) const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/usdm_btcusdt_20240808.zst");

const HEADER: &str = "run,strategy,instrument,shard,seq,ts_event,side,price";

/// A replay that came to its end.
pub(crate) struct Replayed {
    /// The results, as `--json` prints them.
    pub(crate) json: Value,
    /// The signals' rows.
    pub(crate) rows: Vec<Row>,
}

/// A signal's row without what depends on the run and its shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) strategy: String,
    pub(crate) instrument: String,
    pub(crate) ts_event: u64,
    pub(crate) side: String,
    pub(crate) price: String,
}

/// Replays with these options to the end.
pub(crate) fn replay(args: &[&str]) -> Replayed {
    replay_in(&Folder::new(), args)
}

/// As [`replay`], in a folder that may hold files and state.
pub(crate) fn replay_in(folder: &Folder, args: &[&str]) -> Replayed {
    let json = folder.json(&[&["replay", "--quiet", "--force", "--signals", "replayed.csv"], args].concat());
    Replayed { json, rows: read_signals(&folder.path().join("replayed.csv")) }
}

/// Reads a file of signals.
pub(crate) fn read_signals(path: &Path) -> Vec<Row> {
    rows(&std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// The rows of signals' CSV.
pub(crate) fn rows(csv: &str) -> Vec<Row> {
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some(HEADER));
    lines.map(row).collect()
}

fn row(line: &str) -> Row {
    let fields: Vec<_> = line.split(',').collect();
    let [_run, strategy, instrument, _shard, _seq, ts_event, side, price] = fields[..] else {
        panic!("not eight columns: {line}");
    };
    let own = str::to_owned;
    Row {
        strategy: own(strategy),
        instrument: own(instrument),
        ts_event: ts_event.parse().expect("nanoseconds"),
        side: own(side),
        price: own(price),
    }
}

impl Replayed {
    /// The same ticks gave the same signals and the same accounts, to the last digit.
    #[track_caller]
    pub(crate) fn expect_same(&self, other: &Self, what: &str) {
        assert_eq!(self.rows.len(), other.rows.len(), "{what}: as many signals");
        let different = self.rows.iter().zip(&other.rows).find(|(this, other)| this != other);
        assert_eq!(different, None, "{what}");
        for figure in ["strategies", "ticks", "ticks_by_kind", "instruments", "first_ts_recv", "last_ts_recv"]
        {
            assert_eq!(self.json[figure], other.json[figure], "{what}: {figure}");
        }
    }

    /// How many signals a strategy made.
    pub(crate) fn signals_of(&self, strategy: &str) -> usize {
        self.rows.iter().filter(|row| row.strategy == strategy).count()
    }
}
