//! Positions and profit, as the account was marked where the strategy runs: no money is computed here.

use bus::StoredEvent;
use tick_sdk::api::PositionView;
use tick_sdk::contracts::Contract;
use tick_sdk::contracts::strategies::{AccountMarked, RunForgotten};

use super::{ApplyError, Projection, read};
use crate::documents::{Batch, Collection, Key};
use crate::instant::text_of_ms;

/// Accounts by run and strategy, in this order.
pub(crate) static POSITIONS: Collection = Collection { name: "positions", indexes: &["by_run"] };

struct Positions;

crate::projection!(Positions);

impl Projection for Positions {
    const NAME: &'static str = "positions";
    const VERSION: u32 = 1;
    const COLLECTIONS: &'static [&'static Collection] = &[&POSITIONS];

    fn apply(event: &StoredEvent, _: &str, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
        match event.name.as_str() {
            AccountMarked::NAME => put(event, batch),
            RunForgotten::NAME => {
                let RunForgotten { run } = read(event)?;
                for (id, _) in batch.under(&POSITIONS, 0, &Key::new().text(&run))? {
                    batch.delete(&POSITIONS, &id);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn put(event: &StoredEvent, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
    let AccountMarked { run, strategy, total, instruments } = read(event)?;
    let keys = vec![Some(Key::new().text(&run).text(&strategy))];
    let id = format!("{run}/{strategy}");
    let marked_at = text_of_ms(event.at_ms);
    let marked = PositionView { run, strategy, total, instruments, marked_at };
    Ok(batch.put(&POSITIONS, &id, keys, &marked)?)
}
