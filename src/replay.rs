//! `orchard replay`: files through strategies in one process, exactly.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use strategy_host::host::{CommitObserver, HostPlan, Instance, RunningHost};
use strategy_host::ledger::{Ledger, OpenedRun, OrderedSignals, SqliteLedger};
use tick_ingest::feed::{self, FeedControl, FeedPlan, SourceSpec, TickSelection};
use tick_ingest::generate::GenerateOptions;
use tick_sdk::groups::Groups;
use tick_sdk::names::StrategyName;

use crate::ended::Ended;
use crate::manifest::{self, Described};
use crate::sources::{SourceArgs, on_interrupt};
use crate::text::counted;

mod args;
mod outcome;
pub(crate) mod progress;
mod signals;
pub(crate) mod strategy_spec;
mod stream;
mod summary;

#[cfg(feature = "rabbitmq")]
pub(crate) use args::ClockArgs;
pub(crate) use args::{GeneratedArgs, ReplayArgs};
use outcome::{Outcome, Played};
use progress::{Progress, Total};
use signals::{SignalFile, SignalsTarget};
use stream::{SignalStream, StreamFailure};

pub(crate) fn run(args: &ReplayArgs) -> Result<Ended> {
    let instances = strategy_spec::parse(&args.strategy)?;
    let names: Vec<StrategyName> = instances.iter().map(|instance| instance.name.clone()).collect();
    let (groups, groups_text) = read_groups(args.groups.as_deref())?;
    strategy_spec::expect_groups(&instances, &groups)?;
    let groups = Arc::new(groups);
    let sources = sources(&args.sources, &args.market)?;
    let selection = args.selection.selection(&args.sources)?;
    let total = Total::of(&sources, selection.repeats)?;
    check_outputs(args)?;
    let manifest = match &args.state {
        Some(_) => manifest::describe(&Described {
            sources: &args.sources,
            selection: &args.selection,
            specs: &sources,
            shards: args.shards,
            groups: &groups_text,
            is_logged: false,
        })?,
        None => tick_feed::run::Manifest::default(),
    };
    // What was wrong with the command is known by now, so that nothing wrong is recorded.
    let mut ledger = open_ledger(args)?;
    let opened = ledger.ledger.open_run(&manifest)?;
    say_beginning(args, &sources, opened);

    let control = Arc::new(FeedControl::default());
    let stop = control.clone();
    on_interrupt(move || stop.stop())?;
    let stream_failure = StreamFailure::new(control.clone());
    let observer = stream(args, opened, &names, &stream_failure)?;
    let streamed = observer.is_some();
    let read_bytes = Arc::new(AtomicU64::new(0));
    let mut plan = plan(args, opened, sources, selection, groups.clone(), read_bytes.clone());
    plan.read.stopped = control.stop_flag();
    let progress = Progress::start(control.clone(), read_bytes, total, args.quiet);
    let host = host_plan(args, instances, groups, observer);
    let played = play(&plan, host, ledger.ledger, &control, progress)?;
    stream_failure.take().context("writing signals to standard output")?;

    let outcome = Outcome::collect(args, opened, names, played, |signals| {
        write_signals(args, opened, streamed, signals)
    })?;
    say_results(args, &outcome)?;
    Ok(if outcome.feed.interrupted { Ended::Interrupted } else { Ended::Done })
}

/// The groups, and the text they were read from; none where no file is named.
pub(crate) fn read_groups(path: Option<&Path>) -> Result<(Groups, String)> {
    let Some(path) = path else { return Ok(Default::default()) };
    let name = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(name)?;
    Ok((text.parse().with_context(name)?, text))
}

/// The files, or the generated market where there are none.
pub(crate) fn sources(files: &SourceArgs, market: &GeneratedArgs) -> Result<Vec<SourceSpec>> {
    let specs = files.specs()?;
    if !specs.is_empty() {
        return Ok(specs);
    }
    let GeneratedArgs { ticks, instruments, seed } = *market;
    let options = GenerateOptions { ticks, instruments, seed, ..GenerateOptions::default() };
    Ok(vec![SourceSpec::Generated(options)])
}

/// Refuses what could not be written at the end, hours later, in one line now.
fn check_outputs(args: &ReplayArgs) -> Result<()> {
    let signals = args.signals.as_deref().map(SignalsTarget::from);
    let signals = signals.as_ref().and_then(SignalsTarget::path);
    for (option, path) in [("--signals", signals), ("--report", args.report.as_deref())] {
        let Some(path) = path else { continue };
        let wrong = || format!("{option} {}: cannot be written", path.display());
        if path.is_dir() {
            anyhow::bail!("{}: it is a folder; name a file in it", wrong());
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        // It has no name, and is gone when it is closed.
        tempfile::tempfile_in(folder.unwrap_or(Path::new("."))).with_context(wrong)?;
    }
    Ok(())
}

/// A ledger, and the folder that goes with it when nobody asked to keep it.
struct OpenLedger {
    ledger: Box<dyn Ledger>,
    _temporary: Option<tempfile::TempDir>,
}

fn open_ledger(args: &ReplayArgs) -> Result<OpenLedger> {
    let (folder, temporary) = match &args.state {
        Some(folder) => (folder.clone(), None),
        None => {
            let folder = tempfile::tempdir().context("making a temporary folder for the ledger")?;
            (folder.path().to_owned(), Some(folder))
        }
    };
    Ok(OpenLedger { ledger: Box::new(SqliteLedger::open_exclusive(&folder)?), _temporary: temporary })
}

fn say_beginning(args: &ReplayArgs, sources: &[SourceSpec], opened: OpenedRun) {
    if args.quiet {
        return;
    }
    if let [SourceSpec::Generated(options)] = sources {
        eprintln!(
            "No files given: playing a generated market of {} and {}, seed {}.",
            counted(options.ticks, "tick"),
            counted(options.instruments.into(), "instrument"),
            options.seed
        );
    }
    if opened.resumed {
        eprintln!("Resuming run {} where its last commit was.", opened.run);
        if args.signals.as_deref().map(SignalsTarget::from) == Some(SignalsTarget::Stdout) {
            eprintln!("Its signals, those before included, are written when it has ended.");
        }
    }
}

/// The stream to standard output, if it is asked for and the run begins here: a resumed one's
/// signals are written whole at the end.
fn stream(
    args: &ReplayArgs,
    opened: OpenedRun,
    names: &[StrategyName],
    failure: &StreamFailure,
) -> Result<Option<Box<dyn CommitObserver>>> {
    if opened.resumed || args.signals.as_deref().map(SignalsTarget::from) != Some(SignalsTarget::Stdout) {
        return Ok(None);
    }
    let stream = SignalStream::to_stdout(opened.run, names, args.shards, failure.clone());
    Ok(Some(Box::new(stream.context("writing to standard output")?)))
}

fn plan(
    args: &ReplayArgs,
    opened: OpenedRun,
    sources: Vec<SourceSpec>,
    selection: TickSelection,
    groups: Arc<Groups>,
    read_bytes: Arc<AtomicU64>,
) -> FeedPlan {
    let mut read = args.sources.read_options();
    read.read_bytes = read_bytes;
    FeedPlan {
        run: opened.run,
        sources,
        read,
        selection,
        pace: args.clock.pace(),
        shards: args.shards,
        frame_ticks: args.frame_ticks as usize,
        gather: feed::Gather::default(),
        start: Vec::new(),
        groups,
    }
}

fn host_plan(
    args: &ReplayArgs,
    instances: Vec<Instance>,
    groups: Arc<Groups>,
    observer: Option<Box<dyn CommitObserver>>,
) -> HostPlan {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // About 5 MB of ticks wait for a thread: with fewer, threads sleep and wake too often
    // (measured: 8 frames of 4,096 ticks 0.8 of the speed of 32); with more, they leave the cache.
    let queued_frames = (131_072 / args.frame_ticks as usize).clamp(4, 4096);
    HostPlan {
        instances,
        shards: args.shards,
        threads: args.threads.map_or(cores, usize::from),
        groups,
        queued_frames,
        record_market: true,
        observer,
    }
}

fn play(
    plan: &FeedPlan,
    host: HostPlan,
    ledger: Box<dyn Ledger>,
    control: &FeedControl,
    progress: Progress,
) -> Result<Played> {
    let started = Instant::now();
    let host = RunningHost::start(ledger, plan.run, host)?;
    let frames = host.frames();
    let feed = feed::run(plan, &frames, control);
    drop(frames);
    // A host that failed is why the feed could not go on: its error comes first.
    let host = host.finish()?;
    let elapsed = started.elapsed();
    Ok(Played { feed: feed?, host, elapsed, peak_anonymous: progress.finish() })
}

/// Writes the whole run's signals from the ledger where they are asked for, and hands each to `see`.
fn write_signals(
    args: &ReplayArgs,
    opened: OpenedRun,
    streamed: bool,
    visit: outcome::Visit<'_>,
) -> Result<()> {
    let outcome::Visit { ledger, names, see } = visit;
    let mut ordered = OrderedSignals::new(ledger, opened.run, names, args.shards)?;
    let target = args.signals.as_deref().map(SignalsTarget::from);
    let mut file = match &target {
        Some(SignalsTarget::File(path)) => Some(SignalFile::create(path, opened.run, names.to_vec())?),
        _ => None,
    };
    let mut stdout = match target {
        Some(SignalsTarget::Stdout) if !streamed => {
            let out = std::io::BufWriter::new(std::io::stdout());
            Some(signals::SignalWriter::new(out, opened.run, names.to_vec(), false)?)
        }
        _ => None,
    };
    while let Some(signal) = ordered.next_signal()? {
        if let Some(file) = &mut file {
            file.write(&signal)?;
        }
        if let Some(stdout) = &mut stdout {
            stdout.write(&signal)?;
        }
        see(&signal)?;
    }
    if let Some(stdout) = stdout {
        stdout.finish()?;
    }
    file.map_or(Ok(()), SignalFile::finish)
}

/// Names the symbols that were asked for and had no tick: they may be misspelt.
fn say_missing_symbols(args: &ReplayArgs, outcome: &Outcome) {
    let has_ticks = |symbol: &String| outcome.instruments.iter().any(|one| one.symbol == *symbol);
    let missing: Vec<_> =
        args.selection.symbols.iter().filter(|symbol| !has_ticks(symbol)).cloned().collect();
    if !missing.is_empty() && !args.quiet {
        eprintln!("No tick of --symbols {}; `orchard info FILE` lists a file's symbols.", missing.join(","));
    }
}

fn say_results(args: &ReplayArgs, outcome: &Outcome) -> Result<()> {
    say_missing_symbols(args, outcome);
    if let Some(path) = &args.report {
        write_report(path, outcome)?;
    }
    let text = if args.json { summary::json(outcome)? } else { summary::text(outcome) };
    // Standard output is the signals' where they stream.
    match args.signals.as_deref().map(SignalsTarget::from) {
        Some(SignalsTarget::Stdout) if args.quiet && !args.json => {}
        Some(SignalsTarget::Stdout) => eprint!("{text}"),
        _ => std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?,
    }
    Ok(())
}

fn write_report(path: &Path, outcome: &Outcome) -> Result<()> {
    let page = crate::report::render(&outcome.report_data());
    std::fs::write(path, page).with_context(|| format!("writing {}", path.display()))
}

/// What a run took, as a rate.
pub(crate) fn per_second(count: u64, elapsed: Duration) -> u64 {
    (count as f64 / elapsed.as_secs_f64().max(1e-9)) as u64
}
