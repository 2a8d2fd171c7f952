//! Carries the documents' write-ahead log over into their file on a thread of its own: whoever commits does not wait for
//! the disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::BUSY_TIMEOUT;

/// The log is carried over when it has so many pages of 4 KiB: 32 MiB.
pub(super) const FROM_PAGES: i32 = 8192;
/// Whoever commits does it where the log has become so many times as long all the same: the disk is slower.
const LONGEST: i32 = 4;

/// The thread, while the documents are open.
#[derive(Debug)]
pub(super) struct Checkpoints {
    asked: SyncSender<Asked>,
    progress: Arc<Progress>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Asked {
    CarryOver,
    Close,
}

#[derive(Debug, Default)]
struct Progress {
    /// The thread was asked, and what it did is not completed.
    is_asked: AtomicBool,
    /// It has carried over what there was.
    is_carried: AtomicBool,
}

impl Checkpoints {
    /// Begins the thread, and asks it whenever the log of this connection has become so long.
    pub(super) fn begin(
        place: &Path,
        connection: &mut Connection,
        from_pages: i32,
    ) -> rusqlite::Result<Self> {
        let (asked, receiver) = sync_channel(1);
        let progress = Arc::new(Progress::default());
        let (for_thread, place) = (progress.clone(), place.to_owned());
        let thread = std::thread::Builder::new()
            .name("read checkpoints".to_owned())
            .spawn(move || for_thread.serve(&place, &receiver));
        // Without one SQLite does it by itself, at a commit.
        if thread.is_ok() {
            let (asked, progress) = (asked.clone(), progress.clone());
            let hook = move |log: &mut Wal, pages: i32| {
                // What the hook returns would be the result of a commit that has succeeded. A checkpoint that cannot be
                // done now, as the thread does one, is done at a later commit.
                if pages >= from_pages.saturating_mul(LONGEST)
                    && let Err(error) = log.checkpoint()
                {
                    tracing::debug!(%error, "the log of the read model is carried over later");
                }
                if pages >= from_pages && !progress.is_asked.swap(true, Ordering::AcqRel) {
                    // There is room: what was asked before has been completed.
                    drop(asked.try_send(Asked::CarryOver));
                }
                Ok(())
            };
            connection.wal_hook(Some(hook))?;
        }
        Ok(Self { asked, progress, thread: thread.ok() })
    }

    /// Carries over what was written while the thread did, which is little: the log then begins anew, and does not grow
    /// for ever. No transaction is open on this connection.
    pub(super) fn complete(&self, connection: &Connection) {
        if !self.progress.is_carried.swap(false, Ordering::AcqRel) {
            return;
        }
        if let Err(error) = carry_over(connection) {
            tracing::warn!(%error, "the log of the read model could not be carried over; it is tried again");
        }
        self.progress.is_asked.store(false, Ordering::Release);
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // It takes this when it has done what it was asked before. One that panicked has said so; the log is
            // carried over when the file is closed.
            drop(self.asked.send(Asked::Close));
            drop(thread.join());
        }
    }
}

impl Progress {
    fn serve(&self, place: &Path, asked: &Receiver<Asked>) {
        let mut own = None;
        while let Ok(Asked::CarryOver) = asked.recv() {
            let carried = match &own {
                Some(connection) => carry_over(connection),
                None => open(place).and_then(|connection| carry_over(own.insert(connection))),
            };
            if let Err(error) = carried {
                tracing::warn!(place = %place.display(), %error, "a log could not be carried over; it is tried again");
            }
            self.is_carried.store(true, Ordering::Release);
        }
    }
}

fn open(place: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(place)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

fn carry_over(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_commit_succeeds_while_the_thread_carries_the_log_over() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("read");
        let mut connection = Connection::open(&place).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE rows (body BLOB)").unwrap();
        // Each commit asks the thread, and is long enough to carry over itself.
        let checkpoints = Checkpoints::begin(&place, &mut connection, 1).unwrap();
        for _ in 0..1_000 {
            connection.execute("INSERT INTO rows VALUES (zeroblob(40000))", []).unwrap();
            checkpoints.complete(&connection);
        }
    }

    #[test]
    fn a_log_begins_anew_beside_whoever_writes() {
        const FROM: i32 = 20;
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("read");
        let mut connection = Connection::open(&place).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE rows (body BLOB)").unwrap();
        let checkpoints = Checkpoints::begin(&place, &mut connection, FROM).unwrap();
        let write = || {
            connection.execute("INSERT INTO rows VALUES (zeroblob(40000))", []).unwrap();
            checkpoints.complete(&connection);
        };
        (0..2 * FROM).for_each(|_| write());
        // The thread has been asked; what it has done is completed by a commit some time.
        let until = Instant::now() + Duration::from_secs(60);
        while checkpoints.progress.is_asked.load(Ordering::Acquire) {
            assert!(Instant::now() < until, "the thread does nothing");
            write();
        }
        let log = || std::fs::metadata(folder.path().join("read-wal")).unwrap().len();
        let longest = log();
        (0..FROM).for_each(|_| write());
        assert!(log() <= longest.max((LONGEST * FROM + 20) as u64 * 4200), "{} after {longest}", log());
        drop(checkpoints);
        let rows: i64 = connection.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).unwrap();
        assert!(rows >= i64::from(3 * FROM), "{rows}");
    }
}
