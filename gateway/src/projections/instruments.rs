//! Instruments with the last prices that a replay had, of those replays that are not forgotten.

use bus::StoredEvent;
use serde::{Deserialize, Serialize};
use tick_sdk::api::InstrumentView;
use tick_sdk::contracts::Contract;
use tick_sdk::contracts::ticks::{InstrumentPrices, ReplayCancelled, ReplayCompleted, ReplayForgotten};
use uuid::Uuid;

use super::{ApplyError, Projection, read};
use crate::documents::{Batch, Collection, DocumentError, Key};
use crate::instant::text_of_ns;

/// Instruments by symbol, in this order.
pub(crate) static INSTRUMENTS: Collection = Collection { name: "instruments", indexes: &["by_symbol"] };

/// What each replay had of each instrument: of them the last one is shown, also when another is forgotten.
static SEEN: Collection = Collection { name: "instrument_prices", indexes: &["by_symbol", "by_replay"] };
/// The index of [`SEEN`] by symbol, then in the order of prices.
const BY_SYMBOL: usize = 0;
/// The index of [`SEEN`] by replay.
const BY_REPLAY: usize = 1;

struct Instruments;

crate::projection!(Instruments);

/// A replay's prices of an instrument.
#[derive(Serialize, Deserialize)]
struct Seen {
    /// Of prices at one time those of the later event are the last ones.
    position: u64,
    view: InstrumentView,
}

impl Projection for Instruments {
    const NAME: &'static str = "instruments";
    const VERSION: u32 = 2;
    const COLLECTIONS: &'static [&'static Collection] = &[&INSTRUMENTS, &SEEN];

    fn apply(event: &StoredEvent, _: &str, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
        match event.name.as_str() {
            ReplayCompleted::NAME => {
                let ReplayCompleted { replay_id, outcome, .. } = read(event)?;
                put_all(batch, event.position, replay_id, outcome.instruments)
            }
            ReplayCancelled::NAME => {
                let ReplayCancelled { replay_id, outcome, .. } = read(event)?;
                let instruments = outcome.map(|outcome| outcome.instruments).unwrap_or_default();
                put_all(batch, event.position, replay_id, instruments)
            }
            ReplayForgotten::NAME => {
                let ReplayForgotten { replay_id, .. } = read(event)?;
                forget(batch, replay_id)
            }
            _ => Ok(()),
        }
    }
}

fn put_all(
    batch: &mut Batch<'_>,
    position: u64,
    replay_id: Uuid,
    instruments: Vec<InstrumentPrices>,
) -> Result<(), ApplyError> {
    for InstrumentPrices { symbol, ticks, last_trade, bid, ask, last_ts_recv } in instruments {
        let last_at = last_ts_recv.map(text_of_ns);
        let view = InstrumentView { symbol, ticks, last_trade, bid, ask, last_ts_recv, last_at, replay_id };
        let seen = Seen { position, view };
        let symbol = &seen.view.symbol;
        let in_order = of_symbol(symbol);
        let keys = vec![Some(in_order.number(position)), Some(of_replay(replay_id))];
        batch.put(&SEEN, &format!("{replay_id}/{symbol}"), keys, &seen)?;
        // Of replays of different days the later day's prices are the last ones.
        let shown: Option<InstrumentView> = batch.get(&INSTRUMENTS, symbol)?;
        if shown.is_none_or(|shown| shown.last_ts_recv <= last_ts_recv) {
            show(batch, &seen.view)?;
        }
    }
    Ok(())
}

/// What the replay had is shown no more: where it was the last, the last of the others is.
fn forget(batch: &mut Batch<'_>, replay_id: Uuid) -> Result<(), ApplyError> {
    for (id, body) in batch.under(&SEEN, BY_REPLAY, &of_replay(replay_id))? {
        batch.delete(&SEEN, &id);
        let symbol = serde_json::from_str::<Seen>(&body)?.view.symbol;
        let shown: Option<InstrumentView> = batch.get(&INSTRUMENTS, &symbol)?;
        if shown.is_none_or(|shown| shown.replay_id != replay_id) {
            continue;
        }
        let others = batch.under(&SEEN, BY_SYMBOL, &of_symbol(&symbol))?;
        let others = others.iter().map(|(_, body)| serde_json::from_str::<Seen>(body));
        let others = others.collect::<Result<Vec<_>, _>>()?;
        match others.iter().max_by_key(|seen| (seen.view.last_ts_recv, seen.position)) {
            Some(last) => show(batch, &last.view)?,
            None => batch.delete(&INSTRUMENTS, &symbol),
        }
    }
    Ok(())
}

fn show(batch: &mut Batch<'_>, view: &InstrumentView) -> Result<(), DocumentError> {
    batch.put(&INSTRUMENTS, &view.symbol, vec![Some(of_symbol(&view.symbol))], view)
}

fn of_symbol(symbol: &str) -> Key {
    Key::new().text(symbol)
}

fn of_replay(replay_id: Uuid) -> Key {
    Key::new().text(&replay_id.to_string())
}
