//! A process that keeps documents for gateways of other processes, and answers no request itself.

use std::sync::Arc;

use bus::EventSource;

use crate::documents::{Documents, PostgresDocuments};
use crate::projections::{Projector, ProjectorError, RebuildError, RebuildReport};

/// Keeps the documents of a database, while no other process does. Dropped, it ends with the batch it is at, and
/// another process goes on at once.
pub struct DocumentKeeper {
    url: String,
    projector: Projector,
}

impl DocumentKeeper {
    /// Opens the documents in the database of a `postgres://` URL, which are made of these events. It blocks.
    ///
    /// # Errors
    /// The database cannot be used, or two projections are one too many.
    pub fn start(url: &str, source: Arc<dyn EventSource>) -> Result<Self, ProjectorError> {
        let documents = Documents::shared(PostgresDocuments::open(url)?);
        Ok(Self { url: url.to_owned(), projector: Projector::start(documents, source)? })
    }

    /// Makes all documents anew beside those that are read, then puts the new ones in their place. It blocks.
    ///
    /// # Errors
    /// A log cannot be read, the database cannot be written, or another process rebuilds them; the old documents are
    /// read on.
    pub fn rebuild(&self) -> Result<RebuildReport, RebuildError> {
        self.projector.rebuild_shared(&self.url)
    }
}
