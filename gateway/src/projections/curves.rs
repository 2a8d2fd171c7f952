//! What accounts look like over time, as they were drawn where the strategy runs.

use bus::StoredEvent;
use tick_sdk::api::CurvesView;
use tick_sdk::contracts::Contract;
use tick_sdk::contracts::results::CurvesDrawn;
use tick_sdk::contracts::strategies::RunForgotten;

use super::{ApplyError, Projection, read};
use crate::documents::{Batch, Collection, Key};

/// Curves by run and strategy, in this order.
pub(crate) static CURVES: Collection = Collection { name: "curves", indexes: &["by_run"] };

struct OfCurves;

crate::projection!(OfCurves);

impl Projection for OfCurves {
    const NAME: &'static str = "curves";
    const VERSION: u32 = 1;
    const COLLECTIONS: &'static [&'static Collection] = &[&CURVES];

    fn apply(event: &StoredEvent, _: &str, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
        match event.name.as_str() {
            CurvesDrawn::NAME => {
                let CurvesDrawn { run, strategy, curves } = read(event)?;
                let keys = vec![Some(Key::new().text(&run).text(&strategy))];
                let id = format!("{run}/{strategy}");
                Ok(batch.put(&CURVES, &id, keys, &CurvesView { run, strategy, curves })?)
            }
            RunForgotten::NAME => {
                let RunForgotten { run } = read(event)?;
                for (id, _) in batch.under(&CURVES, 0, &Key::new().text(&run))? {
                    batch.delete(&CURVES, &id);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
