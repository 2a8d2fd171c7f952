//! Runs the projections: a thread a context takes its events in batches; a batch's documents and the cursors
//! behind it are one commit.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bus::{EventSource, StoreError, StoredEvent};
use thiserror::Error;
use tick_sdk::api::ProjectionView;

use super::{ApplyError, DuplicateProjection, Readable, RegisteredProjection};
use crate::documents::{Batch, Commit, Cursor, DocumentError, DocumentStore, Documents, Stop};

mod keeping;
mod stops;

pub use stops::SkipError;

/// At most so many events are one commit.
const BATCH: usize = 4000;
/// A thread that waits for events looks so often whether it is to stop.
const LOOK: Duration = Duration::from_millis(200);
/// After an error of a store a thread pauses so long.
const AFTER_ERROR: Duration = Duration::from_millis(500);

/// The threads that keep documents up to date. Dropped, it stops them.
pub struct Projector {
    pub(super) inner: Arc<Inner>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Why the projections do not start, or not go on.
#[derive(Debug, Error)]
pub enum ProjectorError {
    /// Two projections would write over each other.
    #[error(transparent)]
    Duplicate(#[from] DuplicateProjection),
    /// The documents cannot be read or written.
    #[error(transparent)]
    Documents(#[from] DocumentError),
    /// A context's log cannot be read.
    #[error("the events of {context} cannot be read: {source}")]
    Events {
        /// The context.
        context: String,
        /// Why.
        source: StoreError,
    },
    /// The system gives no thread.
    #[error("starting a projection's thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// What the threads share. Batches are applied one at a time, so that a projection sees documents as they are.
pub(super) struct Inner {
    pub(super) documents: Arc<Documents>,
    pub(super) source: Arc<dyn EventSource>,
    projections: Vec<&'static RegisteredProjection>,
    state: Mutex<State>,
    stopping: AtomicBool,
    /// Whether this process may commit, as far as it knows.
    keeps: AtomicBool,
    /// Notified when either has changed.
    turn: (Mutex<()>, Condvar),
}

/// Where the projections are.
#[derive(Debug, Default)]
pub(super) struct State {
    /// By context, one position for each projection.
    cursors: BTreeMap<String, Vec<u64>>,
    stops: Vec<Stop>,
}

impl Projector {
    /// Makes the collections that are missing and starts a thread for each context. Documents that processes share
    /// are kept by one of them; this one does so as soon as no other does.
    ///
    /// # Errors
    /// The documents or a log cannot be read, or two projections are one too many.
    pub fn start(documents: Arc<Documents>, source: Arc<dyn EventSource>) -> Result<Self, ProjectorError> {
        let is_shared = documents.sharing().is_some();
        let inner = Arc::new(Inner::new(documents, source)?);
        let mut threads = Vec::new();
        if is_shared {
            let inner = inner.clone();
            let thread = std::thread::Builder::new().name("projections lease".to_owned());
            threads.push(thread.spawn(move || inner.keep_lease())?);
        } else {
            inner.begin()?;
        }
        for context in inner.contexts() {
            let inner = inner.clone();
            let name = format!("projections {context}");
            threads.push(std::thread::Builder::new().name(name).spawn(move || inner.follow(&context))?);
        }
        Ok(Self { inner, threads: Mutex::new(threads) })
    }

    /// Of documents that other processes keep: it says how far they are.
    ///
    /// # Errors
    /// Two projections are one too many.
    pub fn elsewhere(
        documents: Arc<Documents>,
        source: Arc<dyn EventSource>,
    ) -> Result<Self, ProjectorError> {
        Ok(Self { inner: Arc::new(Inner::new(documents, source)?), threads: Mutex::default() })
    }

    /// How far every projection is, and which has stopped. It blocks.
    ///
    /// # Errors
    /// A log cannot be read.
    pub fn views(&self) -> Result<Vec<ProjectionView>, ProjectorError> {
        self.inner.views()
    }

    /// Leaves out the event that a projection stopped at. It blocks.
    ///
    /// # Errors
    /// There is no such projection, or it has not stopped.
    pub fn skip(&self, name: &str) -> Result<Stop, SkipError> {
        self.inner.skip(name)
    }

    /// Ends the threads after the batch that each is at: when it returns, nothing is applied any more. It blocks.
    pub fn stop(&self) {
        self.inner.set(&self.inner.stopping, true);
        // It is held until they have ended, for whoever else calls this.
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A thread that panicked has said so; there is nothing left to end.
            let _ = thread.join();
        }
    }
}

impl Drop for Projector {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Inner {
    fn new(documents: Arc<Documents>, source: Arc<dyn EventSource>) -> Result<Self, ProjectorError> {
        Ok(Self {
            documents,
            source,
            projections: RegisteredProjection::all()?,
            state: Mutex::default(),
            stopping: AtomicBool::new(false),
            keeps: AtomicBool::new(false),
            turn: Default::default(),
        })
    }

    pub(super) fn open(
        documents: Arc<Documents>,
        source: Arc<dyn EventSource>,
    ) -> Result<Self, ProjectorError> {
        let inner = Self::new(documents, source)?;
        inner.begin()?;
        Ok(inner)
    }

    /// Goes on where the documents are, with collections that are this program's.
    fn begin(&self) -> Result<(), ProjectorError> {
        let mut state = self.state();
        for projection in &self.projections {
            self.documents.prepare(projection.name, projection.version, projection.collections)?;
        }
        self.load(&mut state)?;
        self.clear_what_is_ahead(&mut state)?;
        drop(state);
        self.set(&self.keeps, true);
        Ok(())
    }

    /// Changes what threads wait for.
    fn set(&self, what: &AtomicBool, value: bool) {
        let turn = self.turn.0.lock().unwrap_or_else(PoisonError::into_inner);
        what.store(value, Ordering::Release);
        drop(turn);
        self.turn.1.notify_all();
    }

    /// Waits so long at most, as long as it is so.
    fn wait_while(&self, timeout: Duration, is_so: impl Fn() -> bool) {
        let turn = self.turn.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.turn.1.wait_timeout_while(turn, timeout, |()| is_so()));
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn keeps(&self) -> bool {
        self.keeps.load(Ordering::Acquire)
    }

    /// Documents of events that there are no more were made of another state: they are made anew.
    fn clear_what_is_ahead(&self, state: &mut State) -> Result<(), ProjectorError> {
        let heads = self.heads()?;
        for (place, projection) in self.projections.iter().enumerate() {
            let cursor = |context: &String| state.cursors.get(context).map_or(0, |cursors| cursors[place]);
            if let Some((context, head)) = heads.iter().find(|(context, head)| cursor(context) > *head) {
                let name = projection.name;
                tracing::warn!(name, context, head, "documents of lost events: the projection begins anew");
                self.documents.clear(name, projection.collections)?;
            }
        }
        Ok(self.load(state)?)
    }

    /// Reads where the projections are from the documents' store.
    pub(super) fn load(&self, state: &mut State) -> Result<(), DocumentError> {
        let mut loaded = State { stops: self.documents.stops()?, ..State::default() };
        for context in self.contexts() {
            loaded.cursors.insert(context, vec![0; self.projections.len()]);
        }
        for cursor in self.documents.cursors()? {
            let projection = self.projections.iter().position(|known| known.name == cursor.projection);
            if let (Some(place), Some(cursors)) = (projection, loaded.cursors.get_mut(&cursor.context)) {
                cursors[place] = cursor.position;
            }
        }
        *state = loaded;
        Ok(())
    }

    pub(super) fn contexts(&self) -> Vec<String> {
        self.source.contexts()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn heads(&self) -> Result<Vec<(String, u64)>, ProjectorError> {
        let head = |context: String| match self.source.head(&context) {
            Ok(head) => Ok((context, head)),
            Err(source) => Err(ProjectorError::Events { context, source }),
        };
        self.contexts().into_iter().map(head).collect()
    }

    /// Takes events until told to stop.
    fn follow(&self, context: &str) {
        while !self.is_stopping() {
            if !self.keeps() {
                self.wait_while(AFTER_ERROR, || !self.is_stopping() && !self.keeps());
                continue;
            }
            match self.step(context) {
                Ok(0) => {
                    let position = self.position(&self.state(), context);
                    self.source.wait_beyond(context, position, LOOK);
                }
                Ok(_) => {}
                Err(ProjectorError::Documents(DocumentError::KeptElsewhere)) => self.set(&self.keeps, false),
                Err(error) => {
                    tracing::error!(context, %error, "projections wait");
                    self.wait_while(AFTER_ERROR, || !self.is_stopping());
                }
            }
        }
    }

    /// Applies the next batch of a context; how many events it had.
    pub(super) fn step(&self, context: &str) -> Result<usize, ProjectorError> {
        let position = self.position(&self.state(), context);
        let events = self.source.events_after(context, position, BATCH);
        let events =
            events.map_err(|source| ProjectorError::Events { context: context.to_owned(), source })?;
        if events.is_empty() {
            return Ok(0);
        }
        let mut state = self.state();
        if self.position(&state, context) != position {
            // A projection goes on again, or the documents are others since: what follows on them is to be read.
            return Ok(events.len());
        }
        let before = state.cursors.get(context).cloned().unwrap_or_default();
        let mut batch = Batch::new(&*self.documents);
        let mut after = before.clone();
        let mut stops = Vec::new();
        for event in &events {
            self.apply(&state, event, context, &mut batch, &mut after, &mut stops)?;
        }
        let mut readable = state.readable();
        readable.0.insert(context.to_owned(), after.iter().copied().min().unwrap_or(0));
        for projection in &self.projections {
            (projection.settle)(&readable, &mut batch)?;
        }
        let moved = self.projections.iter().zip(before.iter().zip(&after)).filter(|(_, (b, a))| b != a);
        let cursor = |projection: &RegisteredProjection, position: u64| Cursor {
            projection: projection.name.to_owned(),
            context: context.to_owned(),
            position,
        };
        let moves =
            moved.map(|(projection, (from, to))| (cursor(projection, *from), cursor(projection, *to)));
        let (expected, cursors) = moves.unzip();
        let changes = batch.into_changes().collect();
        let done = self.documents.commit(&Commit { changes, expected, cursors, stops: stops.clone() });
        if let Err(DocumentError::WrittenElsewhere { .. }) = done {
            // What is known of the documents here is old. It goes on from where they are.
            self.documents.forget_all();
            self.load(&mut state)?;
        }
        done?;
        state.cursors.insert(context.to_owned(), after);
        state.stops.extend(stops);
        Ok(events.len())
    }

    /// Applies one event to each projection that has not seen it.
    fn apply(
        &self,
        state: &State,
        event: &StoredEvent,
        context: &str,
        batch: &mut Batch<'_>,
        cursors: &mut [u64],
        stops: &mut Vec<Stop>,
    ) -> Result<(), DocumentError> {
        for (projection, cursor) in self.projections.iter().zip(cursors) {
            let is_stopped = |stops: &[Stop]| {
                stops.iter().any(|stop| !stop.is_skipped && stop.is_of(projection.name, context))
            };
            if *cursor >= event.position || is_stopped(stops) || is_stopped(&state.stops) {
                continue;
            }
            let is_skipped = |stop: &Stop| {
                stop.is_skipped && stop.position == event.position && stop.is_of(projection.name, context)
            };
            if state.stops.iter().any(is_skipped) {
                *cursor = event.position;
                continue;
            }
            let applied = catch_unwind(AssertUnwindSafe(|| (projection.apply)(event, context, batch)));
            let reason = match applied {
                Ok(Ok(())) => {
                    batch.mark();
                    *cursor = event.position;
                    continue;
                }
                Ok(Err(ApplyError::Documents(error))) if error.is_of_store() => return Err(error),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the projection panicked".to_owned(),
            };
            batch.revert();
            tracing::error!(
                projection = projection.name,
                context,
                position = event.position,
                event = event.name,
                reason,
                "a projection stopped: `POST /api/projections/{}/skip` leaves the event out",
                projection.name
            );
            stops.push(Stop {
                projection: projection.name.to_owned(),
                context: context.to_owned(),
                position: event.position,
                event: event.name.clone(),
                reason,
                is_skipped: false,
            });
        }
        Ok(())
    }

    /// Up to where every projection that goes on has come.
    fn position(&self, state: &State, context: &str) -> u64 {
        let Some(cursors) = state.cursors.get(context) else { return 0 };
        let is_stopped = |projection: &RegisteredProjection| {
            state.stops.iter().any(|stop| !stop.is_skipped && stop.is_of(projection.name, context))
        };
        let going = self.projections.iter().zip(cursors).filter(|(projection, _)| !is_stopped(projection));
        going.map(|(_, position)| *position).min().unwrap_or(u64::MAX)
    }
}

impl State {
    fn readable(&self) -> Readable {
        let least = |cursors: &Vec<u64>| cursors.iter().copied().min().unwrap_or(0);
        Readable(self.cursors.iter().map(|(context, cursors)| (context.clone(), least(cursors))).collect())
    }
}
