//! One replay, from its claim to its end.

use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use tick_ingest::feed::TickSelection;
use tick_ingest::replays::{ClaimedReplay, QueueError, ReplayEnd, Standing};
use tick_sdk::contracts::bus::ReadableAt;
use tick_sdk::contracts::strategies::STRATEGIES;
use tick_sdk::contracts::ticks::ReplayProgressed;
use tick_sdk::names::RunId;

use super::outcome::{nothing_played, outcome_event};
use super::player::{PlayEnd, PlayError, Prepared, RunningPlay};
use super::publication::Publication;
use super::reports::{page, report_data};
use super::task::{Task, Waited};
use super::worker::Workplace;
use crate::replay::{ReplayOutcome, ReplayProgress};

/// How often a worker looks whether its replay is to end.
const LOOK: Duration = Duration::from_millis(100);
/// How often it says how far it is, which also renews its lease.
const PROGRESS: Duration = Duration::from_secs(1);

/// How a worker leaves a replay.
pub(super) enum Ending {
    /// It has ended.
    Ended(ReplayEnd),
    /// The process stops: the next one resumes it.
    GivenBack,
}

/// Why a replay is to stop before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopWish {
    /// Somebody has cancelled it.
    Cancel,
    /// The process stops.
    Shutdown,
}

/// A replay that this worker has.
pub(super) struct Playing<'a> {
    pub(super) place: &'a Workplace,
    pub(super) claimed: &'a ClaimedReplay,
}

impl Playing<'_> {
    /// Plays it, and publishes what it makes.
    ///
    /// # Errors
    /// Another worker has it, or the store failed.
    pub(super) fn carry_out(&self) -> Result<Ending, QueueError> {
        let prepared = match self.prepare()? {
            Ok(prepared) => prepared,
            Err(ending) => return Ok(ending),
        };
        let Prepared { run, is_resumed, feed, ledger, selection, play } = prepared;
        self.place.queue.started(self.claimed, &run.to_string(), is_resumed, feed.as_ref())?;
        let publication = self.publication(run, ledger);
        let source = format!("replay/{}", self.claimed.replay_id);
        let running = match play.start(self.place.market.begin(&source, &run.to_string())) {
            Ok(running) => running,
            Err(error) => return Ok(self.failed(Some(run), &error)),
        };
        let publishing = publication.start();
        let wish = self.watch(&running)?;
        let played = running.finish();
        drop(publishing);
        self.end(&publication, &selection, played, wish)
    }

    /// Opens its ledger, which reads every file once; or how it ends before that is done.
    fn prepare(&self) -> Result<Result<Prepared, Ending>, QueueError> {
        let (claimed, captures) = (self.claimed.clone(), self.place.captures.clone());
        let player = self.place.player.clone();
        let prepared = self.wait_for("prepare", move || player.prepare(&claimed, &captures))?;
        Ok(match prepared {
            Ok(Ok(prepared)) => Ok(prepared),
            Ok(Err(error)) => Err(self.failed(None, &error)),
            Err(Unfinished::Wish(StopWish::Cancel)) => Err(self.cancelled_early()),
            Err(Unfinished::Wish(StopWish::Shutdown)) => Err(Ending::GivenBack),
            Err(Unfinished::Failed(error)) => Err(self.failed(None, &error)),
        })
    }

    /// It has not begun to play in this process. What an earlier one committed is published.
    fn cancelled_early(&self) -> Ending {
        let run = self.claimed.run.clone();
        if let Some(run) = run.as_ref().and_then(|run| run.parse().ok()) {
            for ledger in self.place.player.ledgers(self.claimed) {
                // Best effort, and said in the log: the wish is not refused for it.
                let _ = self.publication(run, ledger).publish();
            }
        }
        Ending::Ended(ReplayEnd::Cancelled { run, outcome: None, report: None, readable_at: Vec::new() })
    }

    fn publication(&self, run: RunId, ledger: String) -> Publication {
        let command = self.claimed.command;
        let is_paced = self.claimed.plan.speed.is_some();
        Publication { bus: self.place.bus.clone(), ledger, run, command, is_paced }
    }

    /// Says how far it is until it has ended, and stops it when somebody wishes so.
    fn watch(&self, running: &RunningPlay) -> Result<Option<StopWish>, QueueError> {
        let mut wish = None;
        let mut said = Instant::now();
        while let Some(progress) = running.wait_progress(LOOK) {
            if wish.is_none() {
                wish = self.stop_wish()?;
                if wish.is_some() {
                    running.cancel();
                }
            }
            if said.elapsed() >= PROGRESS {
                said = Instant::now();
                self.say(&progress)?;
            }
        }
        Ok(wish)
    }

    fn say(&self, progress: &ReplayProgress) -> Result<(), QueueError> {
        let progressed = ReplayProgressed {
            replay_id: self.claimed.replay_id,
            ticks: progress.ticks,
            share: progress.percent().map(|percent| (percent / 100.0).min(1.0)),
            ticks_per_second: progress.ticks_per_second(),
        };
        unless_lost(self.place.queue.progressed(self.claimed, &progressed)).map(drop)
    }

    /// Whether somebody wishes that it stops. A store that fails stops nothing.
    fn stop_wish(&self) -> Result<Option<StopWish>, QueueError> {
        match unless_lost(self.place.queue.standing(self.claimed))? {
            Some(Standing::CancelWanted) => Ok(Some(StopWish::Cancel)),
            Some(Standing::Lost) => Err(QueueError::Lost { replay_id: self.claimed.replay_id }),
            _ if self.place.is_stopping() => Ok(Some(StopWish::Shutdown)),
            _ => Ok(None),
        }
    }

    /// Publishes what is left of the run, and says how it ended.
    fn end(
        &self,
        publication: &Publication,
        selection: &TickSelection,
        played: Result<PlayEnd, PlayError>,
        wish: Option<StopWish>,
    ) -> Result<Ending, QueueError> {
        let run = publication.run;
        let (outcome, is_stopped) = match played {
            Ok(PlayEnd::Played(outcome)) => (Some(outcome), false),
            Ok(PlayEnd::Stopped(outcome)) => (outcome, true),
            Err(error) => {
                // What it committed stays, and is readable; the next attempt publishes what this one could not.
                let _ = publication.publish();
                return Ok(self.failed(Some(run), &error));
            }
        };
        if is_stopped && wish == Some(StopWish::Shutdown) {
            return Ok(Ending::GivenBack);
        }
        let published = {
            let publication = publication.clone();
            let account = outcome.as_ref().map(|outcome| outcome.account.clone()).unwrap_or_default();
            self.wait_through("publish", move || publication.finish(&account))?
        };
        let position = match published {
            Ok(Ok(position)) => position,
            Ok(Err(error)) => return Ok(self.failed(Some(run), &error)),
            Err(Unfinished::Failed(error)) => return Ok(self.failed(Some(run), &error)),
            Err(Unfinished::Wish(_)) => return Ok(Ending::GivenBack),
        };
        let readable_at = vec![ReadableAt { context: STRATEGIES.to_owned(), position }];
        let run = run.to_string();
        Ok(Ending::Ended(match outcome {
            Some(outcome) if !is_stopped => match nothing_played(&self.claimed.plan, selection, &outcome) {
                Some(reason) => ReplayEnd::Failed { run: Some(run), reason },
                None => {
                    let report = self.report(&outcome, false)?;
                    ReplayEnd::Completed { run, outcome: outcome_event(&outcome), report, readable_at }
                }
            },
            outcome => {
                let report =
                    outcome.as_ref().map(|outcome| self.report(outcome, true)).transpose()?.flatten();
                let outcome = outcome.map(|outcome| outcome_event(&outcome));
                ReplayEnd::Cancelled { run: Some(run), outcome, report, readable_at }
            }
        }))
    }

    /// Its page, made while its outcome is here: ledger and captures may go. A replay whose page cannot be made ends without.
    fn report(&self, outcome: &ReplayOutcome, is_cancelled: bool) -> Result<Option<Vec<u8>>, QueueError> {
        let data = report_data(outcome, &self.place.captures, is_cancelled);
        let error = match self.wait_through("report", move || page(&data))? {
            Ok(Ok(page)) => return Ok(Some(page)),
            Ok(Err(error)) | Err(Unfinished::Failed(error)) => error,
            Err(Unfinished::Wish(_)) => io::Error::other("the process stops"),
        };
        let replay = self.claimed.replay_id;
        tracing::warn!(%replay, %error, "the report of a replay could not be made");
        Ok(None)
    }

    fn failed(&self, run: Option<RunId>, error: &(dyn Error + 'static)) -> Ending {
        let run = run.map(|run| run.to_string()).or_else(|| self.claimed.run.clone());
        let reason = self.place.captures.shown(&in_words(error));
        Ending::Ended(ReplayEnd::Failed { run, reason })
    }

    /// Waits for work on another thread with the lease kept, until it is done or somebody wishes otherwise.
    fn wait_for<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, Unfinished>, QueueError> {
        self.wait_while(name, work, |wish| wish)
    }

    /// The same for what a wish to cancel does not stop, as the replay has ended.
    fn wait_through<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, Unfinished>, QueueError> {
        self.wait_while(name, work, |wish| wish.filter(|wish| *wish == StopWish::Shutdown))
    }

    fn wait_while<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
        heeded: impl Fn(Option<StopWish>) -> Option<StopWish>,
    ) -> Result<Result<T, Unfinished>, QueueError> {
        let task = match Task::start(name, work) {
            Ok(task) => task,
            Err(error) => return Ok(Err(Unfinished::Failed(error))),
        };
        let mut renewed = Instant::now();
        loop {
            match task.wait(LOOK) {
                Waited::Done(done) => return Ok(Ok(done)),
                Waited::Panicked => {
                    let error = io::Error::other(format!("{name} panicked: see the server's log"));
                    return Ok(Err(Unfinished::Failed(error)));
                }
                Waited::Pending => {}
            }
            if let Some(wish) = heeded(self.stop_wish()?) {
                return Ok(Err(Unfinished::Wish(wish)));
            }
            if renewed.elapsed() >= PROGRESS {
                renewed = Instant::now();
                unless_lost(self.place.queue.renew(self.claimed))?;
            }
        }
    }
}

/// Why work on another thread was not waited for to its end.
enum Unfinished {
    /// Somebody wishes that it stops.
    Wish(StopWish),
    /// It panicked, or there was no thread for it.
    Failed(io::Error),
}

/// A store that fails now and then ends no replay, but another worker's claim does. `None` where it failed.
fn unless_lost<T>(asked: Result<T, QueueError>) -> Result<Option<T>, QueueError> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(error @ QueueError::Lost { .. }) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "the replays' store failed; the replay goes on");
            Ok(None)
        }
    }
}

/// An error and its causes, without those whose words it says already.
fn in_words(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
