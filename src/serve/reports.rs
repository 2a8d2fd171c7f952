//! Reports of replays: a page each, made when a replay ends and kept compressed in `reports/` in the state folder.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use gateway::{LookupError, ReportLookup};
use tick_ingest::replays::Captures;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::replay::ReplayOutcome;
use crate::report::{ReportData, render};

/// So many are kept, the latest.
const MOST_KEPT: usize = 1_000;
/// So many are read at once.
const AT_ONCE: usize = 2;
/// A page is smaller: it has bounds of its own.
const MOST_BYTES: u64 = 64 << 20;
/// What a file's name has behind the replay's id.
const ENDING: &str = ".html.zst";

/// The folder of the pages.
#[derive(Clone, Debug)]
pub(super) struct Reports {
    folder: PathBuf,
    reading: Arc<Semaphore>,
    most_kept: usize,
}

impl Reports {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, reading: Arc::new(Semaphore::new(AT_ONCE)), most_kept: MOST_KEPT }
    }

    /// Makes a replay's page; it takes the place of an earlier one.
    ///
    /// # Errors
    /// The folder takes no file.
    pub(super) fn keep(&self, replay_id: Uuid, data: &ReportData) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let page = zstd::encode_all(render(data).as_bytes(), 0)?;
        tick_feed::atomic_file::write(&self.place(replay_id), &page)
    }

    /// Removes the pages of replays that are forgotten, and the oldest where there are too many.
    ///
    /// # Errors
    /// It is not known whether one is forgotten.
    pub(super) fn sweep<E>(&self, is_forgotten: impl Fn(Uuid) -> Result<bool, E>) -> Result<(), E> {
        let mut kept = self.kept();
        kept.sort_by_key(|(_, written)| std::cmp::Reverse(*written));
        for (place, (replay_id, _)) in kept.into_iter().enumerate() {
            if place >= self.most_kept || is_forgotten(replay_id)? {
                // Another worker may have been first; what stays is tried again.
                let _ = std::fs::remove_file(self.place(replay_id));
            }
        }
        Ok(())
    }

    /// The replays that have one, and when it was written.
    fn kept(&self) -> Vec<(Uuid, SystemTime)> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let of = |entry: std::fs::DirEntry| {
            let replay_id = entry.file_name().to_str()?.strip_suffix(ENDING)?.parse().ok()?;
            Some((replay_id, entry.metadata().ok()?.modified().ok()?))
        };
        entries.filter_map(of).collect()
    }

    fn place(&self, replay_id: Uuid) -> PathBuf {
        self.folder.join(format!("{replay_id}{ENDING}"))
    }
}

impl ReportLookup for Reports {
    fn report(&self, replay_id: Uuid) -> Result<String, LookupError> {
        let _reading = self.reading.try_acquire().map_err(|_| LookupError::Busy)?;
        let read = || {
            let mut page = String::new();
            zstd::Decoder::new(File::open(self.place(replay_id))?)?
                .take(MOST_BYTES)
                .read_to_string(&mut page)?;
            Ok(page)
        };
        read().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => LookupError::NotThere(format!(
                "the report of replay {replay_id} is not here: the latest {MOST_KEPT} are kept, where they were \
                 played; start the replay again to have one"
            )),
            _ => {
                tracing::error!(%replay_id, %error, "a report cannot be read");
                let detail = "the report cannot be read, and the log says why; start the replay again to have one";
                LookupError::Unreadable(detail.to_owned())
            }
        })
    }
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
    fn a_page_is_read_as_it_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let reports = Reports::new(folder.path().join("reports"));
        let [first, second] = [Uuid::now_v7(), Uuid::now_v7()];
        let missing = reports.report(first).unwrap_err();
        assert!(
            matches!(&missing, LookupError::NotThere(reason) if reason.contains("start the replay again"))
        );

        let mut data = ReportData { title: "first".to_owned(), ..ReportData::default() };
        reports.keep(first, &data).unwrap();
        assert_eq!(reports.report(first).unwrap(), render(&data));
        data.title = "second".to_owned();
        reports.keep(first, &data).unwrap();
        reports.keep(second, &data).unwrap();
        assert_eq!(reports.report(first).unwrap(), render(&data));
        std::fs::write(reports.place(second), "no page").unwrap();
        assert!(matches!(reports.report(second), Err(LookupError::Unreadable(_))));
        let _reading = reports.reading.try_acquire_many(AT_ONCE as u32).unwrap();
        assert_eq!(reports.report(first), Err(LookupError::Busy));
    }
    #[test]
    fn pages_of_forgotten_replays_and_the_oldest_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let reports = Reports { most_kept: 2, ..Reports::new(folder.path().join("reports")) };
        let sweep = |forgotten: Uuid| {
            reports.sweep(|replay| Ok::<_, std::convert::Infallible>(replay == forgotten)).unwrap();
        };
        sweep(Uuid::nil());
        let replays = [1, 2, 3].map(Uuid::from_u128);
        for (age, replay) in replays.into_iter().rev().enumerate() {
            reports.keep(replay, &ReportData::default()).unwrap();
            let written = SystemTime::now() - std::time::Duration::from_secs(age as u64 * 60);
            let file = File::options().write(true).open(reports.place(replay)).unwrap();
            file.set_modified(written).unwrap();
        }
        let are_there = || replays.map(|replay| reports.report(replay).is_ok());
        sweep(Uuid::nil());
        assert_eq!(are_there(), [false, true, true]);
        sweep(replays[2]);
        assert_eq!(are_there(), [false, true, false]);
    }
}
