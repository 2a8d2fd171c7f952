//! How what is recorded becomes what is shown: a thread that lives as long as a source is played hands changes over.

use std::sync::{Arc, Mutex, RwLock, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::board::{Board, Changes};
use crate::locked;
use crate::recording::Recording;

/// Between two times at which changes are handed over.
const PERIOD: Duration = Duration::from_millis(50);
/// With so many instruments that it takes long, it waits so many times as long as it took.
const LEAST_REST: u32 = 20;
/// Whoever records waits for so many instruments at most.
const AT_ONCE: usize = 256;

/// What all clones of a market share.
#[derive(Debug)]
pub(crate) struct Shared {
    board: RwLock<Board>,
    changes: watch::Sender<u64>,
    /// One at a time hands over, or an older price would be shown after a newer one.
    scratch: Mutex<Scratch>,
    /// Whether there is a thread.
    has_thread: Mutex<bool>,
}

#[derive(Debug, Default)]
struct Scratch {
    slots: Vec<u32>,
    changes: Changes,
}

impl Default for Shared {
    fn default() -> Self {
        let (changes, _) = watch::channel(0);
        let (board, scratch, has_thread) = Default::default();
        Self { board, changes, scratch, has_thread }
    }
}

impl Shared {
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Board) -> T) -> T {
        read(&self.board.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Changes the board, and says so.
    fn write<T>(&self, write: impl FnOnce(&mut Board, u64) -> T) -> T {
        let mut board = self.board.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let written = write(&mut board, now_ms());
        let version = board.version;
        drop(board);
        self.changes.send_if_modified(|last| std::mem::replace(last, (*last).max(version)) < version);
        written
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Begins a source, and has its changes handed over until it ends.
    pub(crate) fn begin(
        self: &Arc<Self>,
        name: &str,
        run: &str,
        is_own: bool,
    ) -> (u64, Arc<Mutex<Recording>>) {
        let begun = self.write(|board, now_ms| {
            let id = board.begin(name, run, is_own, now_ms);
            (id, board.sources[0].recording.clone())
        });
        let mut has_thread = locked(&self.has_thread);
        if !*has_thread {
            *has_thread = self.start_thread();
        }
        begun
    }

    /// Shows the rest of it.
    pub(crate) fn end(&self, id: u64) {
        self.hand_over(id);
        self.write(|board, now_ms| board.end(id, now_ms));
    }

    fn start_thread(self: &Arc<Self>) -> bool {
        let shared = Arc::downgrade(self);
        let started = thread::Builder::new().name("live".to_owned()).spawn(move || hand_over_all(&shared));
        started
            .inspect_err(|error| tracing::warn!(%error, "no thread: prices are shown at the end only"))
            .is_ok()
    }

    /// Shows what has changed of a source.
    pub(crate) fn hand_over(&self, id: u64) {
        let mut scratch = locked(&self.scratch);
        let Scratch { slots, changes } = &mut *scratch;
        let found = self.read(|board| {
            board.source(id).map(|source| (source.recording.clone(), source.symbols.len(), source.counts))
        });
        let Some((recording, known, counts)) = found else { return };
        changes.collect(&recording, known, slots);
        if changes.symbols.is_empty() && changes.prices.is_empty() && changes.counts == counts {
            return;
        }
        self.write(|board, now_ms| board.apply(id, changes, now_ms));
    }

    /// Whether the thread is to go on.
    fn is_played(&self) -> bool {
        let mut has_thread = locked(&self.has_thread);
        // A source that begins is there before it asks for a thread.
        *has_thread = self.read(|board| board.sources.iter().any(|source| !source.has_ended));
        *has_thread
    }
}

fn hand_over_all(shared: &Weak<Shared>) {
    let mut rest = PERIOD;
    loop {
        thread::sleep(rest);
        let Some(shared) = shared.upgrade() else { return };
        let begun = Instant::now();
        let played: Vec<_> = shared.read(|board| {
            let played = board.sources.iter().filter(|source| !source.has_ended);
            played.map(|source| source.id).collect()
        });
        played.into_iter().for_each(|id| shared.hand_over(id));
        if !shared.is_played() {
            return;
        }
        rest = PERIOD.max(begun.elapsed() * LEAST_REST);
    }
}

impl Changes {
    /// Collects what has changed, some at a time, so that whoever records waits for a few only.
    fn collect(&mut self, recording: &Mutex<Recording>, known: usize, slots: &mut Vec<u32>) {
        self.symbols.clear();
        self.prices.clear();
        {
            let mut recording = locked(recording);
            self.symbols.extend_from_slice(recording.symbols_from(known));
            self.counts = recording.counts();
            recording.take_changed(slots);
        }
        self.prices.reserve(slots.len());
        for some in slots.chunks(AT_ONCE) {
            let mut recording = locked(recording);
            self.prices.extend(some.iter().map(|slot| (*slot, recording.hand_over(*slot))));
        }
    }
}

/// The clock on the wall, in ms since the UNIX epoch.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
