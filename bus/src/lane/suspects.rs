//! Messages that may end the process, as one does whose handler aborts it, or needs more memory or stack than there is.
//!
//! No handler's error says so, and in a batch nobody knows which of them it was. So what a process that ended without a
//! word may have been at is handled one message after the other, each noted in the store before: the next end names
//! it, counts as an attempt of its, and after the last of them it has failed. Whoever has not seen a process end so
//! writes no notes.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::Place;
use crate::handler::HandlerError;
use crate::store::{Note, StoreError, StoreTransaction};

/// A suspect waits so long for the one before; then both are at it, and an end may be counted to either.
const LONGEST_TURN: Duration = Duration::from_secs(30);

/// What a context's lanes know of the processes before this one.
#[derive(Clone, Default)]
pub(crate) struct Suspects {
    /// One of them ended without a word.
    pub(crate) is_any: bool,
    /// The same for all lanes of this process.
    pub(crate) turn: Arc<Turn>,
}

/// One suspect is handled at a time, so that an end has one cause.
#[derive(Default)]
pub(crate) struct Turn {
    is_taken: Mutex<bool>,
    ended: Condvar,
}

impl Turn {
    fn take(&self) -> TurnGuard<'_> {
        let is_taken = self.is_taken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ended.wait_timeout_while(is_taken, LONGEST_TURN, |is_taken| *is_taken);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = true;
        TurnGuard(self)
    }
}

pub(super) struct TurnGuard<'a>(&'a Turn);

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        *self.0.is_taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.ended.notify_one();
    }
}

/// How an attempt at one message begins.
pub(super) enum Begun<'a> {
    /// It is no suspect, and nothing is noted.
    Freely,
    /// It is noted until the attempt has ended.
    Noted(#[expect(dead_code, reason = "held until the attempt has ended")] TurnGuard<'a>),
    /// There is no attempt: so many processes have ended while it was handled, the last of them not yet counted.
    Ended(u32),
}

impl Begun<'_> {
    /// Removes the note in the transaction that the attempt ends with; what ended a process and is `tried_again`
    /// keeps it.
    pub(super) fn settle(
        &self,
        transaction: &mut dyn StoreTransaction,
        message: Uuid,
        tried_again: bool,
    ) -> Result<(), StoreError> {
        match *self {
            Self::Freely => Ok(()),
            Self::Ended(deaths) if tried_again => transaction.settle_note(message, Some(deaths)),
            Self::Noted(_) | Self::Ended(_) => transaction.settle_note(message, None),
        }
    }

    /// Why there is no attempt.
    pub(super) fn error(&self) -> Option<HandlerError> {
        let Self::Ended(deaths) = self else { return None };
        let often = if *deaths == 1 { "once".to_owned() } else { format!("{deaths} times") };
        Some(HandlerError::failed(format!("the process ended while it was handled, {often}")))
    }
}

impl Place {
    /// Begins an attempt at a message. One that has failed before may have ended a process, too.
    pub(super) fn begin(
        &self,
        message: Uuid,
        is_suspect: bool,
        attempts: u32,
    ) -> Result<Begun<'_>, StoreError> {
        if !is_suspect && (attempts == 0 || !self.store.is_noted(message)?) {
            return Ok(Begun::Freely);
        }
        let turn = self.suspects.turn.take();
        Ok(match self.store.note(message)? {
            Note::Begun => Begun::Noted(turn),
            Note::Ended { deaths } => Begun::Ended(deaths),
        })
    }

    /// Removes this process's own note of a message that another process has handled meanwhile. The note of a process
    /// that has ended is that other's: it has removed it, or keeps it so that the next attempt counts.
    pub(super) fn forget_note(&self, begun: &Begun<'_>, message: Uuid) -> Result<(), StoreError> {
        match begun {
            Begun::Noted(_) => self.store.forget_note(message),
            Begun::Freely | Begun::Ended(_) => Ok(()),
        }
    }
}
