//! Reports of replays: whoever plays a replay makes its page, which the gateway hands out.

use std::fmt;

use uuid::Uuid;

use crate::ticks::LookupError;

/// Has the reports of replays that have ended. What it does blocks, for a moment.
pub trait ReportLookup: fmt::Debug + Send + Sync {
    /// The page of a replay: HTML that needs nothing but itself.
    ///
    /// # Errors
    /// As [`LookupError`] says.
    fn report(&self, replay_id: Uuid) -> Result<String, LookupError>;
}
