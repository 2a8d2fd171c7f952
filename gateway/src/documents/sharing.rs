//! Documents that several processes read, and one of them at a time keeps.

use super::DocumentError;

/// Whether this process keeps the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// From now on: what it knew of them before may be old.
    Begun,
    /// As before.
    GoesOn,
    /// Another process does.
    Elsewhere,
}

/// Who keeps the documents at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// A process that is alive.
    There,
    /// None, for so many seconds.
    AwayFor(u64),
    /// None ever has.
    Never,
}

/// Called with the ids of documents that another process has changed; `None`: any may have changed.
pub type OnChange = Box<dyn Fn(Option<&[&str]>) + Send + Sync>;

/// What a store has beside documents that several processes share. Calls block.
///
/// One process at a time holds the right to commit, and renews it; a commit of any other is refused as
/// [`DocumentError::KeptElsewhere`].
pub trait Sharing: Send + Sync {
    /// Takes the right to commit where it is free or has run out, or renews it.
    ///
    /// # Errors
    /// The store cannot be written.
    fn hold(&self) -> Result<Hold, DocumentError>;

    /// Gives it back, where this process has it.
    fn release(&self);

    /// Whether anybody has it.
    ///
    /// # Errors
    /// The store cannot be read.
    fn keeper(&self) -> Result<Keeper, DocumentError>;

    /// From now on this is called when another process may have committed; it returns at once.
    fn watch(&self, changed: OnChange);
}
