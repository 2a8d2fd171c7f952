//! CSV of any kind, by a mapping from columns to a tick's fields.

/// Which columns of a CSV are what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {}
