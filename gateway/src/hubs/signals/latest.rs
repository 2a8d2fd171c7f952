//! Where the latest signals begin in the log.

use bus::{EventSource, StoreError, StoredEvent};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tick_sdk::contracts::Contract;
use tick_sdk::contracts::strategies::{STRATEGIES, SignalsCommitted};

use super::Filter;
use super::log::READ;

/// So many events are looked at, at most.
pub(super) const MOST_LOOKED_AT: u64 = 50_000;

/// The position behind which there are about so many signals that the filter takes, where they are not too far back.
pub(super) fn position_of_latest(
    source: &dyn EventSource,
    latest: u64,
    filter: &Filter,
) -> Result<u64, StoreError> {
    let head = source.head(STRATEGIES)?;
    let (mut begin, mut earliest) = (head, head);
    let mut missing = latest;
    while missing > 0 && begin > 0 && head - begin < MOST_LOOKED_AT {
        let end = begin;
        begin = end.saturating_sub(READ as u64);
        let mut counted = counts(source, begin, end, filter)?;
        while let Some((position, signals)) = counted.pop() {
            missing = missing.saturating_sub(signals);
            if signals > 0 {
                earliest = position - 1;
            }
            if missing == 0 {
                return Ok(earliest);
            }
        }
    }
    // What is before the first of them need not be read.
    Ok(if begin == 0 { 0 } else { earliest })
}

/// How many signals that the filter takes the events of a stretch have, in order.
fn counts(
    source: &dyn EventSource,
    begin: u64,
    end: u64,
    filter: &Filter,
) -> Result<Vec<(u64, u64)>, StoreError> {
    #[derive(Deserialize)]
    struct Counted {
        run: String,
        strategy: String,
        signals: Vec<IgnoredAny>,
    }
    let count = |event: &StoredEvent| {
        let counted = serde_json::from_str::<Counted>(&event.body).ok();
        let counted = counted.filter(|counted| filter.takes(&counted.run, &counted.strategy));
        (event.position, counted.map_or(0, |counted| counted.signals.len() as u64))
    };
    let mut counts = Vec::new();
    let mut at = begin;
    while at < end {
        let read = source.look(STRATEGIES, at, (end - at) as usize, Some(&[SignalsCommitted::NAME]))?;
        if read.looked_to == at {
            break;
        }
        at = read.looked_to;
        counts.extend(read.events.iter().filter(|event| event.position <= end).map(count));
    }
    Ok(counts)
}
