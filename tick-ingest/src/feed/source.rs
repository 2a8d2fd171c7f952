//! One source, read on a thread of its own where there are few.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::SourceSpec;
use crate::detect::{self, TICKS_MAGIC};
use crate::generate::Generator;
use crate::input::STANDARD_INPUT;
use crate::sources::Place;
use crate::{Batch, ReadError, ReadOptions, Reader};

/// With more sources than this, each is read where it is merged: threads and their batches would
/// cost more than they bring.
pub(super) const SOURCES_WITH_THREADS: usize = 4;

/// How many batches a reader may be ahead.
const BATCHES_AHEAD: usize = 4;

/// How often a source that gives nothing is left to see whether anybody still wants it.
const LOOK_FOR_STOP: Duration = Duration::from_millis(100);

/// Batches of one source, in order.
pub(super) enum Source {
    Here {
        reader: Box<dyn Reader>,
        batch: Batch,
        more: bool,
    },
    Thread {
        batches: Receiver<Result<Batch, ReadError>>,
        used: Sender<Batch>,
        current: Option<Batch>,
        stopped: Arc<AtomicBool>,
    },
}

/// What a user calls a source.
pub(super) fn name_of(spec: &SourceSpec) -> &str {
    match spec {
        SourceSpec::File { name, .. } if name == "-" => STANDARD_INPUT,
        SourceSpec::File { name, .. } => name,
        SourceSpec::Generated(_) => "the generated market",
    }
}

/// Whether a file begins as a `.ticks` file does; standard input, or one in an archive, can never be mapped.
pub(super) fn is_ticks_file(name: &str) -> Result<bool, ReadError> {
    if name == "-" || matches!(Place::of(name), Place::Member { .. }) {
        return Ok(false);
    }
    let failed = |source| ReadError::Io { file: name.to_owned(), doing: "opening it", source };
    let mut magic = Vec::new();
    let file = File::open(name).map_err(failed)?;
    file.take(TICKS_MAGIC.len() as u64).read_to_end(&mut magic).map_err(failed)?;
    Ok(magic == TICKS_MAGIC)
}

impl Source {
    pub(super) fn open(spec: &SourceSpec, options: &ReadOptions, on_thread: bool) -> Result<Self, ReadError> {
        tracing::debug!(source = name_of(spec), on_thread, "opening a source");
        let reader: Box<dyn Reader> = match spec {
            SourceSpec::File { name, own, .. } => detect::open(name, &own.over(options))?.reader,
            SourceSpec::Generated(market) => Box::new(Generator::new(market.clone())),
        };
        Ok(if on_thread {
            Self::on_thread(reader, options.stopped.clone())
        } else {
            Self::Here { reader, batch: Batch::default(), more: true }
        })
    }

    fn on_thread(mut reader: Box<dyn Reader>, stopped: Arc<AtomicBool>) -> Self {
        let (filled, batches) = bounded(BATCHES_AHEAD);
        let (used, empty) = bounded::<Batch>(BATCHES_AHEAD + 2);
        let work = move || {
            let mut order = Batch::default();
            let mut more = true;
            while more {
                let mut batch = empty.try_recv().unwrap_or_default();
                batch.clear();
                batch.continue_from(&order);
                let read = reader.read(&mut batch);
                more = matches!(read, Ok(true));
                order.continue_from(&batch);
                // A receiver that has gone wants nothing more.
                if filled.send(read.map(|_| batch)).is_err() {
                    break;
                }
            }
        };
        std::thread::Builder::new()
            .name("reader".to_owned())
            .spawn(work)
            .expect("the system starts a thread");
        Self::Thread { batches, used, current: None, stopped }
    }

    /// The next batch, `None` at the end; valid until the next call.
    pub(super) fn next(&mut self) -> Result<Option<&Batch>, ReadError> {
        match self {
            Self::Here { reader, batch, more } => {
                if !*more {
                    return Ok(None);
                }
                batch.clear();
                *more = reader.read(batch)?;
                Ok(Some(batch))
            }
            Self::Thread { batches, used, current, stopped } => {
                if let Some(batch) = current.take() {
                    // Full or closed, the batch is dropped instead of used again.
                    let _ = used.try_send(batch);
                }
                *current = loop {
                    match batches.recv_timeout(LOOK_FOR_STOP) {
                        Ok(batch) => break Some(batch?),
                        Err(RecvTimeoutError::Timeout) if !stopped.load(Ordering::Acquire) => {}
                        // The thread closes its end when the source has ended.
                        Err(_) => break None,
                    }
                };
                Ok(current.as_ref())
            }
        }
    }
}
