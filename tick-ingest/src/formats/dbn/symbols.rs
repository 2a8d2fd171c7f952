//! From an instrument's number, at a time, to the id of its symbol.

use ::dbn::compat::SymbolMappingRec;
use ::dbn::{Metadata, RecordRef, SymbolMappingMsg, TsSymbolMap, v1};

use crate::{Batch, SymbolIds};

/// The symbols of one file.
pub(super) struct Symbols {
    mappings: TsSymbolMap,
    /// How many mapping records were taken in.
    mapped: usize,
    ids: SymbolIds,
    market: Option<String>,
    /// What was resolved last, each at its number's low bits: numbers of one file are mostly
    /// consecutive, and a lookup of every record by hash would cost as much as decoding it.
    resolved: Vec<Resolved>,
}

/// The id of an instrument for the times in which its symbol holds.
#[derive(Clone, Copy)]
struct Resolved {
    instrument: u32,
    id: u32,
    from: u64,
    end: u64,
}

impl Resolved {
    /// Holds at no time.
    const NONE: Self = Self { instrument: 0, id: 0, from: u64::MAX, end: 0 };
}

/// How many instruments are remembered as resolved; 24 bytes each.
const RESOLVED: usize = 1 << 14;

/// How many mapping records a stream may have: they are held in memory.
const MAPPING_RECORDS: usize = 4_000_000;

impl Symbols {
    /// # Errors
    /// What is wrong with the header's mappings.
    pub(super) fn new(metadata: &Metadata) -> Result<Self, ::dbn::Error> {
        // Without numbers on one side of its mappings a file maps none.
        let numbered = metadata.is_inverse().is_ok();
        let mappings = if numbered { metadata.symbol_map()? } else { TsSymbolMap::new() };
        let dataset = &metadata.dataset;
        let market = (!dataset.is_empty()).then(|| dataset.clone());
        let resolved = vec![Resolved::NONE; RESOLVED];
        Ok(Self { mappings, mapped: 0, ids: SymbolIds::default(), market, resolved })
    }

    /// The id of the symbol that `instrument` has at `ts`.
    #[inline]
    pub(super) fn id(&mut self, instrument: u32, ts: u64, out: &mut Batch) -> Result<u32, String> {
        let known = &self.resolved[instrument as usize % RESOLVED];
        if known.instrument == instrument && known.from <= ts && ts < known.end {
            return Ok(known.id);
        }
        self.resolve(instrument, ts, out)
    }

    #[cold]
    fn resolve(&mut self, instrument: u32, ts: u64, out: &mut Batch) -> Result<u32, String> {
        let intervals = self.mappings.inner().get(&instrument).map_or(&[][..], |all| all.intervals());
        let next = intervals.partition_point(|interval| interval.start_ts <= ts);
        let before = next.checked_sub(1).map(|last| &intervals[last]);
        let number;
        let (symbol, from, end) = match before {
            Some(interval) if ts < interval.end_ts => {
                (interval.symbol.as_str(), interval.start_ts, interval.end_ts)
            }
            _ => {
                number = instrument.to_string();
                let from = before.map_or(0, |interval| interval.end_ts);
                (number.as_str(), from, intervals.get(next).map_or(u64::MAX, |interval| interval.start_ts))
            }
        };
        let id = self
            .ids
            .id(symbol.as_bytes(), self.market.as_deref(), out)
            .map_err(|reason| format!("has an instrument_id {instrument} whose symbol {reason}"))?;
        self.resolved[instrument as usize % RESOLVED] = Resolved { instrument, id, from, end };
        Ok(id)
    }

    /// Takes in a symbol mapping record of any version.
    #[cold]
    pub(super) fn map(&mut self, record: RecordRef<'_>) -> Result<(), String> {
        let (bytes, instrument) = (record.header().record_size(), record.header().instrument_id);
        self.resolved[instrument as usize % RESOLVED] = Resolved::NONE;
        if bytes >= size_of::<SymbolMappingMsg>() {
            self.take_in(record.try_get::<SymbolMappingMsg>())
        } else if bytes >= size_of::<v1::SymbolMappingMsg>() {
            self.take_in(record.try_get::<v1::SymbolMappingMsg>())
        } else {
            Err(format!("is a symbol mapping of {bytes} bytes, which is too short for one"))
        }
    }

    fn take_in<R: SymbolMappingRec>(&mut self, mapping: ::dbn::Result<&R>) -> Result<(), String> {
        if self.mapped == MAPPING_RECORDS {
            return Err(format!("is a symbol mapping, and more than {MAPPING_RECORDS} came before it"));
        }
        self.mapped += 1;
        let mapping = mapping.map_err(|error| format!("is not a valid symbol mapping: {error}"))?;
        self.mappings.on_symbol_mapping(mapping).map_err(|error| format!("maps no symbol: {error}"))
    }
}
