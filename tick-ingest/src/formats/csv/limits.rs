//! What a CSV may have at most.

/// More columns than any capture has; it bounds the memory a hostile header can ask for.
pub(crate) const MAX_COLUMNS: usize = 4096;
