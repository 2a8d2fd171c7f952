//! Documents that several processes share: one of them keeps them, and the others stand by.

use std::time::Duration;

use super::{Inner, State};
use crate::documents::{DocumentError, DocumentStore, Hold, Sharing};

/// Whoever keeps the documents shows so often that it lives, and the others look so often whether it does.
const RENEW: Duration = Duration::from_secs(1);

impl Inner {
    /// Keeps the documents as long as no other process does, until it is to stop.
    pub(super) fn keep_lease(&self) {
        let Some(sharing) = self.documents.sharing() else { return };
        let mut failed = String::new();
        while !self.is_stopping() {
            match self.renew(sharing) {
                Ok(()) => failed.clear(),
                Err(error) if error.to_string() == failed => {}
                Err(error) => {
                    failed = error.to_string();
                    tracing::error!(%error, "the documents cannot be kept; it is tried again");
                }
            }
            self.wait_while(RENEW, || !self.is_stopping());
        }
        self.set(&self.keeps, false);
        // A batch that is being committed ends first.
        drop(self.state());
        sharing.release();
    }

    fn renew(&self, sharing: &dyn Sharing) -> Result<(), super::ProjectorError> {
        match sharing.hold()? {
            Hold::Elsewhere => self.set(&self.keeps, false),
            Hold::GoesOn if self.keeps() => self.take_over_skips()?,
            Hold::Begun | Hold::GoesOn => {
                self.begin()?;
                tracing::info!("this process keeps the documents from now on");
            }
        }
        Ok(())
    }

    /// Another process may have been asked to skip the event that a projection stopped at.
    fn take_over_skips(&self) -> Result<(), DocumentError> {
        let mut state = self.state();
        if state.stops.iter().any(|stop| !stop.is_skipped) {
            state.stops = self.documents.stops()?;
        }
        Ok(())
    }

    /// What this process knows is old where another keeps the documents.
    pub(super) fn refresh(&self, state: &mut State) -> Result<(), DocumentError> {
        if self.keeps() { Ok(()) } else { self.load(state) }
    }
}
