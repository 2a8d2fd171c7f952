//! Reports of replays: a page each, made when a replay ends, and kept compressed with the replays where every gateway reads it.

use std::io::{self, Read};
use std::sync::Arc;

use bus::Store;
use gateway::{LookupError, ReportLookup};
use tick_ingest::replays::{Captures, MOST_PAGE_BYTES, stored_page};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::replay::ReplayOutcome;
use crate::report::{ReportData, render};

/// So many are read at once.
const AT_ONCE: usize = 2;
/// A page is smaller: it has bounds of its own.
const MOST_BYTES: u64 = 64 << 20;

/// The pages that are stored in the context `ticks`.
#[derive(Clone)]
pub(super) struct Reports {
    ticks: Arc<dyn Store>,
    reading: Arc<Semaphore>,
}

impl Reports {
    pub(super) fn new(ticks: Arc<dyn Store>) -> Self {
        Self { ticks, reading: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl std::fmt::Debug for Reports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reports").finish_non_exhaustive()
    }
}

impl ReportLookup for Reports {
    fn report(&self, replay_id: Uuid) -> Result<String, LookupError> {
        let _reading = self.reading.try_acquire().map_err(|_| LookupError::Busy)?;
        let unreadable = |error: &dyn std::error::Error| {
            tracing::error!(%replay_id, %error, "a report cannot be read");
            let detail =
                "the report cannot be read, and the log says why; start the replay again to have one";
            LookupError::Unreadable(detail.to_owned())
        };
        let page = stored_page(&*self.ticks, replay_id).map_err(|error| unreadable(&error))?;
        let page = page.ok_or_else(|| {
            let most = MOST_PAGE_BYTES >> 20;
            LookupError::NotThere(format!(
                "replay {replay_id} has no report any more: the latest are kept, {most} MiB in all; start the replay again \
                 to have one"
            ))
        })?;
        unpacked(&page).map_err(|error| unreadable(&error))
    }
}

/// The page of a replay as it is stored.
///
/// # Errors
/// There is not enough memory.
pub(super) fn page(data: &ReportData) -> io::Result<Vec<u8>> {
    zstd::encode_all(render(data).as_bytes(), 0)
}

fn unpacked(page: &[u8]) -> io::Result<String> {
    let mut text = String::new();
    zstd::Decoder::new(page)?.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// What the page of a replay shows, with its files as they were asked for.
pub(super) fn report_data(outcome: &ReplayOutcome, captures: &Captures, is_cancelled: bool) -> ReportData {
    let mut data = outcome.report_data();
    for source in &mut data.facts.sources {
        *source = captures.shown(source);
    }
    if is_cancelled {
        let state = "cancelled: what was played by then";
        data.title.push_str(" (cancelled)");
        data.facts.more.push(("State".to_owned(), state.to_owned()));
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_it_was_made() {
        let data = ReportData { title: "first".to_owned(), ..ReportData::default() };
        assert_eq!(unpacked(&page(&data).unwrap()).unwrap(), render(&data));
        assert!(unpacked(b"no page").is_err());
    }
}
