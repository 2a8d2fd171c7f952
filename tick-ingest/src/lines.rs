//! Text formats: one line at a time, sans I/O.

use crate::{BadField, Batch};

/// A text format: turns one line into ticks, and knows nothing of files.
pub trait LineParser: Send {
    /// Appends the ticks of `line` (without its line break) to `out`; on an error it has appended
    /// none.
    ///
    /// # Errors
    /// The first field that is not what the format says.
    fn line(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField>;
}
