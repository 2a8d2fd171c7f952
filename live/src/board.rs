//! What readers see of all sources: the latest that was handed over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tick_sdk::decimal::UNDEFINED_PRICE;

use crate::market::{Quote, Quotes, SourceView};
use crate::recording::{Counts, Prices, Recording};
use crate::selection::Selection;

/// So many sources are kept that have ended; beyond it the one that ended first is forgotten.
pub(crate) const MOST_ENDED: usize = 16;
/// So many candles are kept of all sources that have ended: beyond it the one that ended first loses its own.
pub(crate) const MOST_ENDED_CANDLES: usize = 1_000_000;

/// Every source, those that have ended in the order of their ends behind those that are played.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) version: u64,
    pub(crate) sources: Vec<Source>,
    begun: u64,
}

/// One source.
#[derive(Debug)]
pub(crate) struct Source {
    /// Tells it from an earlier one of the same name.
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) run: String,
    /// Whether it is played in this process, which others are to learn.
    #[cfg_attr(not(feature = "rabbitmq"), allow(dead_code))]
    pub(crate) is_own: bool,
    pub(crate) has_ended: bool,
    pub(crate) counts: Counts,
    /// When it changed last.
    pub(crate) version: u64,
    pub(crate) recording: Arc<Mutex<Recording>>,
    pub(crate) symbols: Vec<Arc<str>>,
    slots: HashMap<Arc<str>, u32>,
    /// The slots in order of symbol.
    order: Vec<u32>,
    /// When each slot changed last; 0 for never.
    pub(crate) versions: Vec<u64>,
    shown: Vec<Shown>,
}

#[derive(Clone, Copy, Debug)]
struct Shown {
    prices: Prices,
    seen_ms: u64,
}

/// What of one source is handed over.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Those behind the ones that were handed over before.
    pub(crate) symbols: Vec<Arc<str>>,
    pub(crate) prices: Vec<(u32, Prices)>,
    pub(crate) counts: Counts,
}

impl Board {
    /// The next version. It goes with the clock, so that it grows over a restart and from one gateway to another, too.
    fn next_version(&mut self, now_ms: u64) -> u64 {
        self.version = (self.version + 1).max(now_ms);
        self.version
    }

    /// Begins a source; one of the same name is forgotten.
    pub(crate) fn begin(&mut self, name: &str, run: &str, is_own: bool, now_ms: u64) -> u64 {
        self.sources.retain(|source| source.name != name);
        self.begun += 1;
        let source = Source {
            id: self.begun,
            name: name.to_owned(),
            run: run.to_owned(),
            is_own,
            has_ended: false,
            counts: Counts::default(),
            version: self.next_version(now_ms),
            recording: Arc::default(),
            symbols: Vec::new(),
            slots: HashMap::new(),
            order: Vec::new(),
            versions: Vec::new(),
            shown: Vec::new(),
        };
        self.sources.insert(0, source);
        self.begun
    }

    pub(crate) fn source(&self, id: u64) -> Option<&Source> {
        self.sources.iter().find(|source| source.id == id)
    }

    /// Whether this process plays a source of this name.
    #[cfg(feature = "rabbitmq")]
    pub(crate) fn is_played_here(&self, name: &str) -> bool {
        self.sources.iter().any(|source| source.is_own && !source.has_ended && source.name == name)
    }

    /// Shows what was handed over of a source, if it is still there.
    pub(crate) fn apply(&mut self, id: u64, changes: &Changes, now_ms: u64) {
        let version = self.next_version(now_ms);
        if let Some(source) = self.sources.iter_mut().find(|source| source.id == id) {
            source.apply(changes, version, now_ms);
        }
    }

    /// Marks it as ended, and forgets those for which there is no room.
    pub(crate) fn end(&mut self, id: u64, now_ms: u64) {
        let Some(place) = self.sources.iter().position(|source| source.id == id) else { return };
        let mut source = self.sources.remove(place);
        source.has_ended = true;
        source.version = self.next_version(now_ms);
        self.sources.push(source);
        let ended = self.sources.iter().filter(|source| source.has_ended).count();
        let mut excess = ended.saturating_sub(MOST_ENDED);
        self.sources.retain(|source| {
            let is_forgotten = source.has_ended && excess > 0;
            excess -= usize::from(is_forgotten);
            !is_forgotten
        });
        self.bound_candles();
    }

    /// The last one that ended comes first, and keeps its candles.
    fn bound_candles(&self) {
        let mut candles = 0;
        for source in self.sources.iter().rev().filter(|source| source.has_ended) {
            let mut recording = crate::locked(&source.recording);
            candles += recording.candles();
            if candles > MOST_ENDED_CANDLES {
                recording.forget_candles();
            }
        }
    }

    /// Those that are played by name, then those that have ended, the last one first.
    pub(crate) fn views(&self) -> Vec<SourceView> {
        let (ended, mut played): (Vec<_>, Vec<_>) = self.sources.iter().partition(|source| source.has_ended);
        played.sort_by(|a, b| a.name.cmp(&b.name));
        played.into_iter().chain(ended.into_iter().rev()).map(Source::view).collect()
    }

    pub(crate) fn quotes(&self, selection: &Selection, after: u64) -> Quotes {
        let mut sources: Vec<_> = self.sources.iter().filter(|source| source.version > after).collect();
        sources.retain(|source| selection.has_source(&source.name));
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        let mut quotes = Vec::new();
        sources.iter().for_each(|source| source.quotes(selection, after, &mut quotes));
        Quotes { version: self.version, quotes }
    }

    /// Where the candles of an instrument are.
    pub(crate) fn find(&self, source: &str, symbol: &str) -> Option<(Arc<Mutex<Recording>>, u32)> {
        let source = self.sources.iter().find(|other| other.name == source)?;
        Some((source.recording.clone(), *source.slots.get(symbol)?))
    }
}

impl Source {
    fn view(&self) -> SourceView {
        let Counts { instruments, ticks, last_ts_recv } = self.counts;
        let (source, run, has_ended) = (self.name.clone(), self.run.clone(), self.has_ended);
        SourceView { source, run, instruments, ticks, last_ts_recv, has_ended }
    }

    fn apply(&mut self, changes: &Changes, version: u64, seen_ms: u64) {
        for symbol in &changes.symbols {
            self.slots.insert(symbol.clone(), self.symbols.len() as u32);
            self.symbols.push(symbol.clone());
            self.versions.push(0);
            self.shown.push(Shown { prices: Prices::NONE, seen_ms: 0 });
        }
        if !changes.symbols.is_empty() {
            self.order = (0..self.symbols.len() as u32).collect();
            self.order.sort_by(|a, b| self.symbols[*a as usize].cmp(&self.symbols[*b as usize]));
        }
        for (slot, prices) in &changes.prices {
            let slot = *slot as usize;
            let (Some(shown), Some(changed)) = (self.shown.get_mut(slot), self.versions.get_mut(slot)) else {
                continue;
            };
            *shown = Shown { prices: *prices, seen_ms };
            *changed = version;
        }
        self.counts = changes.counts;
        self.version = version;
    }

    fn quotes(&self, selection: &Selection, after: u64, quotes: &mut Vec<Quote>) {
        if let Some(symbols) = selection.exact() {
            let mut symbols: Vec<_> = symbols.iter().map(String::as_str).collect();
            symbols.sort_unstable();
            symbols.dedup();
            let slots = symbols.iter().filter_map(|symbol| self.slots.get(*symbol));
            quotes.extend(slots.filter(|slot| self.has_changed(**slot, after)).map(|slot| self.quote(*slot)));
            return;
        }
        let changed = self.order.iter().filter(|slot| self.has_changed(**slot, after));
        let selected = changed.filter(|slot| selection.has_symbol(&self.symbols[**slot as usize]));
        quotes.extend(selected.map(|slot| self.quote(*slot)));
    }

    fn has_changed(&self, slot: u32, after: u64) -> bool {
        self.versions[slot as usize] > after
    }

    fn quote(&self, slot: u32) -> Quote {
        let slot = slot as usize;
        let Shown { prices, seen_ms } = self.shown[slot];
        let price = |price: i64| (price != UNDEFINED_PRICE).then_some(price);
        let size = |of: i64, size: u64| price(of).map(|_| i64::try_from(size).unwrap_or(i64::MAX));
        Quote {
            source: self.name.clone(),
            symbol: self.symbols[slot].to_string(),
            version: self.versions[slot],
            bid: price(prices.bid),
            bid_size: size(prices.bid, prices.bid_size),
            ask: price(prices.ask),
            ask_size: size(prices.ask, prices.ask_size),
            last: price(prices.last),
            last_size: size(prices.last, prices.last_size),
            first: price(prices.first),
            ticks: prices.ticks,
            ts_recv: prices.ts_recv,
            seen_ms,
        }
    }
}
