//! Calls into a strategy: what goes wrong there becomes an error that names it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tick_sdk::host::LaneError;

use crate::host::HostError;
use crate::ledger::LaneId;

pub(super) fn failed(id: &LaneId, source: LaneError) -> HostError {
    HostError::Lane { strategy: id.strategy.clone(), shard: id.shard, source }
}

#[cold]
pub(super) fn panicked(id: &LaneId, panic: &(dyn Any + Send), during: String) -> HostError {
    let message = crate::host::panic_text(panic);
    HostError::StrategyPanicked { strategy: id.strategy.clone(), shard: id.shard, during, message }
}

/// Calls into the strategy; a panic there becomes an error that names what was done.
pub(super) fn catch(
    id: &LaneId,
    call: impl FnOnce() -> Result<(), LaneError>,
    during: impl FnOnce() -> String,
) -> Result<(), HostError> {
    // After a panic the lane is not used any more.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(done) => done.map_err(|source| failed(id, source)),
        Err(panic) => Err(panicked(id, &*panic, during())),
    }
}
