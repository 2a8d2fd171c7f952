//! Carries messages to the clients of other instances.

/// A message that did not reach the other instances.
#[derive(Debug, thiserror::Error)]
#[error("backplane: {reason}")]
pub struct BackplaneError {
    /// What failed.
    pub reason: String,
}
