//! Lanes as they are: which runs, which has failed, and which is to end.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use tick_sdk::names::FeedName;

use super::backoff::Backoff;
use super::event::Report;
use super::{HostsEvent, HostsPlan, LaneKey, WantedLane};
use crate::host::HostError;
use crate::run::{self, AtEnd, Cancellation, RunEnd, RunError, RunEvent, RunPlan};

/// So many reports of a member wait to be handed on.
const WAITING_EVENTS: usize = 64;
/// A lane whose strategy this program does not have is reported so often.
const UNKNOWN_AGAIN: Duration = Duration::from_secs(60);
/// A member that has ended with its run, and is wanted on, says so again: the ingester that is waiting for that may
/// be another one by now, of which no member knows.
const ENDED_AGAIN: Duration = Duration::from_secs(5);
/// A member that has run for so long is said to run: it has reached its broker and its ledger, or would have failed, and
/// a strategy that fails at a tick has come there again.
pub(super) const RUNS: Duration = Duration::from_secs(60);
/// Between looks whether members have ended, while all of them do.
const LOOK_FOR_ENDED: Duration = Duration::from_millis(5);

/// The lanes of this process.
pub(super) struct Lanes {
    plan: HostsPlan,
    hosted: BTreeMap<LaneKey, Hosted>,
    /// Those that are to end, and are not waited for.
    ending: Vec<(LaneKey, Member)>,
    /// How many wait for a place, as it was reported.
    waiting: usize,
    /// The feeds that end with what is wanted of them, and have places for all of their lanes.
    admitted: BTreeSet<FeedName>,
}

/// A lane that is wanted.
struct Hosted {
    wanted: WantedLane,
    backoff: Backoff,
    state: State,
    /// Its end was reported.
    has_ended: bool,
    /// It was reported that it runs.
    runs: bool,
}

enum State {
    /// It is to be started, but not before this.
    Due(Instant),
    Running(Member),
}

/// A member at work.
struct Member {
    cancellation: Cancellation,
    started: Instant,
    events: Receiver<RunEvent>,
    thread: JoinHandle<Result<RunEnd, RunError>>,
}

/// Why a member has failed.
struct Failure {
    reason: String,
    is_of_strategy: bool,
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self { reason, is_of_strategy: false }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let is_of_strategy =
            matches!(&error, RunError::Host(HostError::Lane { .. } | HostError::StrategyPanicked { .. }));
        Self { reason: error.to_string(), is_of_strategy }
    }
}

impl Lanes {
    pub(super) fn new(plan: HostsPlan) -> Self {
        Self { plan, hosted: BTreeMap::new(), ending: Vec::new(), waiting: 0, admitted: BTreeSet::new() }
    }

    /// These are wanted from now on, and no others.
    pub(super) fn want(&mut self, wanted: Vec<WantedLane>) {
        let mut before = std::mem::take(&mut self.hosted);
        for wanted in wanted {
            let key = wanted.key();
            let hosted = match before.remove(&key) {
                Some(hosted) => Hosted { wanted, ..hosted },
                None => {
                    let state = State::Due(Instant::now());
                    Hosted { wanted, backoff: Backoff::default(), state, has_ended: false, runs: false }
                }
            };
            self.hosted.insert(key, hosted);
        }
        self.ending.extend(before.into_iter().filter_map(|(key, hosted)| match hosted.state {
            State::Running(member) => Some((key, member.cancelled())),
            State::Due(_) => None,
        }));
    }

    /// Starts what is due, and takes what has ended.
    pub(super) fn step(&mut self, now: Instant, report: &mut Report<'_>) {
        self.take_ended(report);
        for (key, hosted) in &mut self.hosted {
            hosted.look(key, now, report);
        }
        self.start_due(now, report);
    }

    /// Ends every member by this time; whether they have.
    pub(super) fn stop(mut self, until: Instant, report: &mut Report<'_>) -> bool {
        self.want(Vec::new());
        while !self.ending.is_empty() && Instant::now() < until {
            self.take_ended(report);
            std::thread::sleep(LOOK_FOR_ENDED);
        }
        for (LaneKey { feed, name }, _) in &self.ending {
            tracing::warn!(%feed, strategy = %name, "a member did not end in time: others take over after some seconds");
        }
        self.ending.is_empty()
    }

    fn take_ended(&mut self, report: &mut Report<'_>) {
        for (lane, member) in self.ending.extract_if(.., |(_, member)| member.thread.is_finished()) {
            member.report_events(&lane, report);
            if let Err(Failure { reason, .. }) = member.outcome() {
                tracing::warn!(feed = %lane.feed, strategy = %lane.name, reason, "a member failed at its end");
            }
            report.on(HostsEvent::LaneStopped { lane });
        }
    }

    fn start_due(&mut self, now: Instant, report: &mut Report<'_>) {
        self.admit();
        let has_place = |key: &LaneKey, hosted: &Hosted| match hosted.wanted.at_end {
            AtEnd::Stop => self.admitted.contains(&key.feed),
            AtEnd::WaitForNext => matches!(hosted.state, State::Running(_)),
        };
        let taken = self.hosted.iter().filter(|(key, hosted)| has_place(key, hosted)).count();
        let mut room = self.plan.most_lanes.saturating_sub(taken);
        let mut waiting = 0;
        for (key, hosted) in &mut self.hosted {
            let State::Due(due) = hosted.state else { continue };
            // Its last member must have ended: two of one process would share the shards.
            if now < due || self.ending.iter().any(|(ending, _)| ending == key) {
                continue;
            }
            if !self.admitted.contains(&key.feed) {
                if room == 0 || hosted.wanted.at_end == AtEnd::Stop {
                    waiting += 1;
                    continue;
                }
                room -= 1;
            }
            hosted.start(key, &self.plan, now, report);
        }
        if waiting != std::mem::replace(&mut self.waiting, waiting) && waiting > 0 {
            report.on(HostsEvent::LanesWait { waiting, most: self.plan.most_lanes });
        }
    }

    /// A feed that ends with what is wanted of it is waited for by its ingester until all of its lanes have ended: so
    /// all of them begin, or none, or several such feeds could wait for each other's places.
    fn admit(&mut self) {
        let mut lanes: BTreeMap<&FeedName, usize> = BTreeMap::new();
        let ending_ones = self.hosted.values().filter(|hosted| hosted.wanted.at_end == AtEnd::Stop);
        ending_ones.for_each(|hosted| *lanes.entry(&hosted.wanted.feed).or_default() += 1);
        self.admitted.retain(|feed| lanes.contains_key(feed));
        let others = self.hosted.values().filter(|hosted| {
            hosted.wanted.at_end == AtEnd::WaitForNext && matches!(hosted.state, State::Running(_))
        });
        let admitted: usize = self.admitted.iter().filter_map(|feed| lanes.get(feed)).sum();
        let mut room = self.plan.most_lanes.saturating_sub(others.count() + admitted);
        let waiting = lanes.iter().filter(|(feed, _)| !self.admitted.contains(**feed));
        let mut new = Vec::new();
        for (feed, count) in waiting {
            if *count <= room {
                room -= count;
                new.push((*feed).clone());
            }
        }
        self.admitted.extend(new);
    }
}

impl Hosted {
    /// Hands on what its member reports, and its end.
    fn look(&mut self, key: &LaneKey, now: Instant, report: &mut Report<'_>) {
        let State::Running(member) = &self.state else { return };
        member.report_events(key, report);
        if !member.thread.is_finished() {
            let has_run = now.saturating_duration_since(member.started) >= RUNS;
            if has_run && !std::mem::replace(&mut self.runs, true) {
                report.on(HostsEvent::LaneRuns { lane: key.clone() });
            }
            return;
        }
        let again = State::Due(now + ENDED_AGAIN);
        let State::Running(member) = std::mem::replace(&mut self.state, again) else { return };
        let started = member.started;
        match member.outcome() {
            Ok(_) if std::mem::replace(&mut self.has_ended, true) => {}
            Ok(_) => report.on(HostsEvent::LaneEnded { lane: key.clone() }),
            Err(failure) => {
                let again_in = self.backoff.on_failure(started, now);
                self.fail(key, failure, again_in, now, report);
            }
        }
    }

    fn start(&mut self, key: &LaneKey, plan: &HostsPlan, now: Instant, report: &mut Report<'_>) {
        let configured = match &self.wanted.configured {
            Ok(configured) => configured.clone(),
            Err(reason) => {
                let reason = reason.clone();
                return self.fail(key, Failure::from(reason), UNKNOWN_AGAIN, now, report);
            }
        };
        let run = RunPlan {
            brokers: plan.brokers.clone(),
            feed: key.feed.clone(),
            name: key.name.clone(),
            configured,
            state: plan.state.clone(),
            begin: self.wanted.begin,
            accept_gaps: plan.accept_gaps,
            prefetch_bytes: plan.prefetch_bytes,
            at_end: self.wanted.at_end,
        };
        match Member::start(run, now) {
            Ok(member) => {
                self.state = State::Running(member);
                self.runs = false;
                if !self.has_ended {
                    report.on(HostsEvent::LaneStarts { lane: key.clone() });
                }
            }
            Err(error) => {
                let again_in = self.backoff.on_failure(now, now);
                self.fail(key, format!("starting a thread: {error}").into(), again_in, now, report);
            }
        }
    }

    fn fail(
        &mut self,
        key: &LaneKey,
        failure: Failure,
        again_in: Duration,
        now: Instant,
        report: &mut Report<'_>,
    ) {
        self.state = State::Due(now + again_in);
        let Failure { reason, is_of_strategy } = failure;
        let (lane, failures) = (key.clone(), self.backoff.failures());
        report.on(HostsEvent::LaneFailed { lane, reason, is_of_strategy, failures, again_in });
    }
}

impl Member {
    fn start(plan: RunPlan, now: Instant) -> std::io::Result<Self> {
        let cancellation = Cancellation::default();
        let (report, events) = bounded(WAITING_EVENTS);
        let cancelled = cancellation.clone();
        let work = move || {
            run::run(&plan, &cancelled, |event| {
                // Who falls behind with listening misses some; a member does not wait for that.
                let _ = report.try_send(event);
            })
        };
        let thread = std::thread::Builder::new().name("lane".to_owned()).spawn(work)?;
        Ok(Self { cancellation, started: now, events, thread })
    }

    fn cancelled(self) -> Self {
        self.cancellation.cancel();
        self
    }

    fn report_events(&self, lane: &LaneKey, report: &mut Report<'_>) {
        for event in self.events.try_iter() {
            report.on(HostsEvent::Lane { lane: lane.clone(), event });
        }
    }

    /// What it came to, once its thread has ended.
    fn outcome(self) -> Result<RunEnd, Failure> {
        match self.thread.join() {
            Ok(outcome) => outcome.map_err(Failure::from),
            Err(_) => Err("it panicked: see the log".to_owned().into()),
        }
    }
}
