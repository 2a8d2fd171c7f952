//! What a reader hands on: ticks, the symbols they name first, and what was left out.

use std::collections::{BTreeMap, HashMap};

use tick_sdk::Tick;

/// Some ticks of one source, in its order, and what the reader learned meanwhile.
#[derive(Debug, Default)]
pub struct Batch {
    /// The ticks; `instrument` counts the source's own symbols from 0 in order of first appearance.
    pub ticks: Vec<Tick>,
    /// Symbols that appear in this batch for the first time; their ids go on from the last batch's.
    pub new_symbols: Vec<NamedSymbol>,
    /// Ticks with a `ts_recv` below one that came before them.
    pub late: Vec<LateTick>,
    /// Counted while this batch was read.
    pub counts: Counts,
    line: u64,
    high: u64,
}

/// A symbol of a source, and the market it is of where the source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSymbol {
    /// As the source writes it.
    pub symbol: String,
    /// Distinguishes two markets that use the same symbol: `binance-spot`, `GLBX.MDP3`.
    pub market: Option<String>,
}

/// A tick that is out of order in its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateTick {
    /// Its place in [`Batch::ticks`].
    pub index: usize,
    /// Its line, or its record's number; both count from 1.
    pub line: u64,
    /// The highest `ts_recv` before it.
    pub high: u64,
}

/// What a reader counts beside ticks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines or records read.
    pub lines: u64,
    /// Decompressed bytes read.
    pub bytes: u64,
    /// Malformed lines that `--on-bad-line skip` left out.
    pub bad_lines: u64,
    /// The first few of them, with file, line, field and text.
    pub bad_line_examples: Vec<String>,
    /// Sizes above what a tick can hold, kept as [`u64::MAX`].
    pub saturated_sizes: u64,
    /// Prices and sizes that floating-point arithmetic had made finer than 1e-9, and that were rounded to it.
    pub rounded: u64,
    /// What a user should know about how the source was read, each sentence once.
    pub notes: Vec<String>,
    /// Well-formed events that are not ticks, by name; 0 where only an earlier batch had some.
    pub skipped: BTreeMap<String, u64>,
}

impl Counts {
    const EXAMPLES: usize = 5;

    /// Adds what another reader, or a later batch, counted.
    pub fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.bytes += other.bytes;
        self.bad_lines += other.bad_lines;
        let room = Self::EXAMPLES.saturating_sub(self.bad_line_examples.len());
        self.bad_line_examples.extend(other.bad_line_examples.iter().take(room).cloned());
        self.saturated_sizes += other.saturated_sizes;
        self.rounded += other.rounded;
        other.notes.iter().for_each(|note| self.note(note));
        for (name, count) in other.skipped.iter().filter(|(_, count)| **count > 0) {
            self.skip(name, *count);
        }
    }

    /// Counts from 0 again. Names stay, as the next batch nearly always has the same.
    fn clear(&mut self) {
        let mut skipped = std::mem::take(&mut self.skipped);
        skipped.values_mut().for_each(|count| *count = 0);
        *self = Self { skipped, ..Self::default() };
    }

    /// Adds a sentence about how the source was read, unless it is known.
    pub fn note(&mut self, note: &str) {
        const NOTES: usize = 64;
        if self.notes.len() < NOTES && !self.notes.iter().any(|known| known == note) {
            self.notes.push(note.to_owned());
        }
    }

    /// Counts `count` well-formed events called `name` that are no ticks.
    pub fn skip(&mut self, name: &str, count: u64) {
        // Nearly every event is of a known name, and then no name is made anew.
        if let Some(known) = self.skipped.get_mut(name) {
            *known += count;
            return;
        }
        // A hostile file can name an event anew on every line: what is kept has a bound.
        const NAMES: usize = 64;
        const LENGTH: usize = 64;
        let name = if self.skipped.len() < NAMES && name.len() <= LENGTH { name } else { "others" };
        *self.skipped.entry(name.to_owned()).or_default() += count;
    }
}

impl Batch {
    /// About how many ticks a reader puts into one batch.
    pub const TICKS: usize = 4096;

    /// Empties it for the next read; the order of `ts_recv` is watched across batches.
    pub fn clear(&mut self) {
        self.ticks.clear();
        self.new_symbols.clear();
        self.late.clear();
        self.counts.clear();
    }

    /// Says which line, or record, the next ticks come from, counted from 1.
    #[inline]
    pub fn at_line(&mut self, line: u64) {
        self.line = line;
    }

    /// The line given last.
    #[inline]
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Appends a tick of the line given last.
    #[inline]
    pub fn push(&mut self, tick: Tick) {
        if tick.ts_recv < self.high {
            self.push_late();
        } else {
            self.high = tick.ts_recv;
        }
        self.ticks.push(tick);
    }

    #[cold]
    fn push_late(&mut self) {
        self.late.push(LateTick { index: self.ticks.len(), line: self.line, high: self.high });
    }

    /// Whether a reader should hand this batch on.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.ticks.len() >= Self::TICKS
    }

    /// Carries the watch over the order of `ts_recv` on from the batch before, where two alternate.
    pub fn continue_from(&mut self, before: &Self) {
        (self.line, self.high) = (before.line, before.high);
    }
}

/// The ids of one source's symbols, in order of first appearance.
#[derive(Debug)]
pub struct SymbolIds {
    ids: HashMap<Vec<u8>, u32>,
    /// Symbols seen lately, each in the one place that a cheap hash gives it: what nearly every line
    /// finds, without the hash that hostile symbols cannot make slow.
    recent: Vec<(Vec<u8>, u32)>,
}

const RECENT: usize = 1 << 8;

impl Default for SymbolIds {
    fn default() -> Self {
        Self { ids: HashMap::new(), recent: vec![(Vec::new(), 0); RECENT] }
    }
}

impl SymbolIds {
    /// The id of `symbol`; one that is new is added to `out`, with the market it is of.
    ///
    /// # Errors
    /// The symbol is not UTF-8, is empty, or is one too many.
    #[inline]
    pub fn id(&mut self, symbol: &[u8], market: Option<&str>, out: &mut Batch) -> Result<u32, &'static str> {
        let place = recent_place(symbol);
        let (recent, id) = &self.recent[place];
        if recent == symbol && !symbol.is_empty() {
            Ok(*id)
        } else {
            self.look_up(symbol, place, market, out)
        }
    }

    #[inline(never)]
    fn look_up(
        &mut self,
        symbol: &[u8],
        place: usize,
        market: Option<&str>,
        out: &mut Batch,
    ) -> Result<u32, &'static str> {
        /// A tick file's table and a shard's dictionary are held in memory.
        const SYMBOLS: usize = 10_000_000;
        const LENGTH: usize = 256;
        const NOT_UTF8: &str = "is not UTF-8: convert the file, as by `iconv -f GBK -t UTF-8 FILE > OUT.csv` from the encoding it has";
        let id = match self.ids.get(symbol) {
            Some(id) => *id,
            None if symbol.is_empty() => return Err("is empty"),
            None if symbol.len() > LENGTH => return Err("is longer than 256 bytes"),
            None if self.ids.len() == SYMBOLS => return Err("is one more than 10 million"),
            None => {
                let name = std::str::from_utf8(symbol).map_err(|_| NOT_UTF8)?;
                let named = NamedSymbol { symbol: name.to_owned(), market: market.map(str::to_owned) };
                out.new_symbols.push(named);
                let id = self.ids.len() as u32;
                self.ids.insert(symbol.to_owned(), id);
                id
            }
        };
        let (recent, recent_id) = &mut self.recent[place];
        recent.clear();
        recent.extend_from_slice(symbol);
        *recent_id = id;
        Ok(id)
    }
}

/// A place among the recent ones, from the symbol's first and last bytes.
#[inline]
fn recent_place(symbol: &[u8]) -> usize {
    let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    let ends = match symbol.len() {
        8.. => word(symbol) ^ word(&symbol[symbol.len() - 8..]).rotate_left(29),
        _ => symbol.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    (ends.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - RECENT.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_is_used_again_counts_only_its_own() {
        let (mut batch, mut counts) = (Batch::default(), Counts::default());
        batch.counts.skip("depthUpdate", 2);
        counts.add(&batch.counts);
        batch.clear();
        batch.counts.skip("forceOrder", 1);
        counts.add(&batch.counts);
        let expected = [("depthUpdate".to_owned(), 2), ("forceOrder".to_owned(), 1)];
        assert_eq!(counts.skipped, BTreeMap::from(expected));
        let mut only = Counts::default();
        only.add(&batch.counts);
        assert!(only.skipped.keys().eq(["forceOrder"]));
    }
}
