//! Round trips in the parts in which they were published, each of one run and strategy.

use bus::StoredEvent;
use tick_sdk::contracts::Contract;
use tick_sdk::contracts::results::TradesClosed;
use tick_sdk::contracts::strategies::RunForgotten;

use super::{ApplyError, Projection, read};
use crate::documents::{Batch, Collection, Key};

mod reader;

pub(crate) use reader::{OrderedTrades, Place, ReadTrade, Stepped, TradeFilter};

/// Parts by run, strategy and the number of their first round trip, in this order.
static TRADES: Collection = Collection { name: "trades", indexes: &["by_run"] };

struct Trades;

crate::projection!(Trades);

impl Projection for Trades {
    const NAME: &'static str = "trades";
    const VERSION: u32 = 1;
    const COLLECTIONS: &'static [&'static Collection] = &[&TRADES];

    fn apply(event: &StoredEvent, _: &str, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
        match event.name.as_str() {
            TradesClosed::NAME => {
                let part: TradesClosed = read(event)?;
                let TradesClosed { run, strategy, first, .. } = &part;
                let keys = vec![Some(Key::new().text(run).text(strategy).number(*first))];
                Ok(batch.put(&TRADES, &format!("{run}/{strategy}/{first:012}"), keys, &part)?)
            }
            RunForgotten::NAME => {
                let RunForgotten { run } = read(event)?;
                for (id, _) in batch.under(&TRADES, 0, &Key::new().text(&run))? {
                    batch.delete(&TRADES, &id);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
