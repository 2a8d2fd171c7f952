//! Carries a store's write-ahead log over into its file, on a thread of its own: whoever commits does not wait for it.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::{BUSY_TIMEOUT, Writer};

/// The log is carried over when it has so many pages of 4 KiB.
const FROM_PAGES: i32 = 2_000;
/// Whoever commits does it where the log has become so long all the same: the disk is slower than its writers.
const LONGEST: i32 = 32_000;

/// The thread, while the store is open.
pub(super) struct Checkpoints {
    asked: Arc<Asked>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Asked {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct State {
    is_asked: bool,
    is_closing: bool,
}

impl Checkpoints {
    /// Begins the thread, and asks it whenever the log of this connection has become long enough.
    pub(super) fn begin(
        place: &Path,
        writer: &Arc<Writer>,
        connection: &mut Connection,
    ) -> rusqlite::Result<Self> {
        let asked = Arc::new(Asked::default());
        let (for_thread, writer, place) = (asked.clone(), Arc::downgrade(writer), place.to_owned());
        let spawned = std::thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || for_thread.serve(&place, &writer));
        let Ok(thread) = spawned else {
            // SQLite then does it by itself, at a commit.
            return Ok(Self { asked, thread: None });
        };
        let for_hook = asked.clone();
        let hook = move |log: &mut Wal, pages: i32| {
            if pages >= LONGEST {
                return log.checkpoint();
            }
            if pages >= FROM_PAGES {
                for_hook.change(|state| state.is_asked = true);
            }
            Ok(())
        };
        connection.wal_hook(Some(hook))?;
        Ok(Self { asked, thread: Some(thread) })
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.asked.change(|state| state.is_closing = true);
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so; the log is carried over when the file is opened again.
            drop(thread.join());
        }
    }
}

impl Asked {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    fn serve(&self, place: &Path, writer: &Weak<Writer>) {
        let mut own = None;
        loop {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let mut state = self
                .changed
                .wait_while(state, |state| !state.is_asked && !state.is_closing)
                .unwrap_or_else(PoisonError::into_inner);
            if state.is_closing {
                return;
            }
            state.is_asked = false;
            drop(state);
            let Some(writer) = writer.upgrade() else { return };
            if let Err(error) = carry_over(&mut own, place, &writer) {
                tracing::warn!(place = %place.display(), %error, "a log could not be carried over; it is tried again");
            }
        }
    }
}

/// What is in the log goes to the file while others write on; what they have written meanwhile, which is little, goes
/// there while nobody writes: the log then begins anew, and does not grow for ever.
fn carry_over(own: &mut Option<Connection>, place: &Path, writer: &Writer) -> rusqlite::Result<()> {
    let connection = match own {
        Some(connection) => connection,
        None => own.insert(Connection::open(place)?),
    };
    connection.busy_timeout(BUSY_TIMEOUT)?;
    if checkpoint(connection)? {
        return Ok(());
    }
    // A transaction that is held for long is waited for the next time.
    if let Ok(held) = writer.take() {
        let done = checkpoint(connection);
        writer.give_back(held);
        done?;
    }
    Ok(())
}

/// Whether all of the log is in the file.
fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok(row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
    })
}
