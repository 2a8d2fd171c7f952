//! `orchard replay`: files through strategies in one process, exactly.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use strategy_host::host::Instance;
use strategy_host::ledger::NamedSignal;
use tick_ingest::atomic_file::{AtomicFile, Existing};
use tick_ingest::feed::SourceSpec;
use tick_ingest::generate::GenerateOptions;
use tick_sdk::{Groups, RunId};

use crate::ended::{Ended, UsageError};
use crate::progress_display::{LOOK, ProgressDisplay};
use crate::replay::{
    self, PreparedReplay, ReplayError, ReplayOutcome, ReplayPlan, SignalOutput, SignalSink, SignalWriter,
    Total,
};
use crate::sources::{SourceArgs, on_interrupt};
use crate::text::counted;

mod args;
mod summary;

#[cfg(feature = "rabbitmq")]
pub(crate) use args::ClockArgs;
pub(crate) use args::{GeneratedArgs, ReplayArgs};

pub(crate) fn run(args: &ReplayArgs) -> Result<Ended> {
    let plan = plan(args)?;
    let total = Total::of(&plan.sources, plan.selection.repeats)?;
    check_outputs(args)?;
    let market = market(&plan.sources);
    let prepared = replay::prepare(plan).map_err(usage_or_failure)?;
    say_beginning(args, market.as_ref(), &prepared);

    let running = prepared.start()?;
    let canceller = running.canceller();
    on_interrupt(move || canceller.cancel())?;
    let mut display = ProgressDisplay::new(total, args.quiet);
    while let Some(progress) = running.wait_progress(LOOK) {
        display.show(&progress);
    }
    let peak_anonymous = display.finish();
    let outcome = running.finish().map_err(|error| name_target(args, error))?;
    say_results(args, &outcome, peak_anonymous)?;
    Ok(if outcome.feed.interrupted { Ended::Interrupted } else { Ended::Done })
}

fn plan(args: &ReplayArgs) -> Result<ReplayPlan> {
    let strategies = strategies(&args.strategy)?;
    let (groups, groups_text) = read_groups(args.groups.as_deref())?;
    expect_groups(&strategies, &groups)?;
    Ok(ReplayPlan {
        read: args.sources.read_options(),
        selection: args.selection.selection(&args.sources)?,
        groups: groups_text,
        account: args.rules(),
        pace: args.clock.pace(),
        shards: args.shards,
        frame_ticks: args.frame_ticks,
        threads: args.threads,
        ledger: args.state.clone(),
        signals: args.signals_target().map(SignalsTarget::output),
        ..ReplayPlan::new(sources(&args.sources, &args.market)?, strategies)
    })
}

/// What is wrong with the plan is wrong with the command line.
fn usage_or_failure(error: ReplayError) -> anyhow::Error {
    match error {
        ReplayError::Plan(error) => UsageError(error.to_string()).into(),
        error => error.into(),
    }
}

/// Reads every `--strategy`.
pub(crate) fn strategies(texts: &[String]) -> Result<Vec<Instance>, UsageError> {
    replay::parse_strategies(texts).map_err(|error| UsageError(format!("--strategy {error}")))
}

/// Refuses a strategy of groups where there are none, as it would see no tick.
pub(crate) fn expect_groups(instances: &[Instance], groups: &Groups) -> Result<(), UsageError> {
    match replay::instance_without_groups(instances, groups) {
        Some(instance) => {
            let strategy = instance.name.to_string();
            Err(UsageError(replay::PlanError::NoGroups { strategy }.to_string()))
        }
        None => Ok(()),
    }
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

fn market(sources: &[SourceSpec]) -> Option<GenerateOptions> {
    match sources {
        [SourceSpec::Generated(options)] => Some(options.clone()),
        _ => None,
    }
}

/// Where signals go, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
enum SignalsTarget {
    /// CSV on standard output.
    Stdout,
    /// A file; `.jsonl` is JSON lines, everything else CSV.
    File(PathBuf),
}

impl SignalsTarget {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdout => None,
            Self::File(path) => Some(path),
        }
    }

    fn output(self) -> SignalOutput {
        match self {
            Self::Stdout => SignalOutput::live(SignalWriter::csv(BufWriter::new(io::stdout()))),
            Self::File(path) => SignalOutput::at_end(SignalFile { path, writer: None }),
        }
    }
}

impl ReplayArgs {
    fn signals_target(&self) -> Option<SignalsTarget> {
        self.signals.as_deref().map(|text| match text {
            "-" => SignalsTarget::Stdout,
            path => SignalsTarget::File(path.into()),
        })
    }
}

/// A file of signals, which takes its name when it is whole.
struct SignalFile {
    path: PathBuf,
    /// From the run's end on.
    writer: Option<SignalWriter<BufWriter<AtomicFile>>>,
}

impl SignalFile {
    fn writer(&mut self) -> &mut SignalWriter<BufWriter<AtomicFile>> {
        self.writer.as_mut().expect("a sink is begun first")
    }
}

impl SignalSink for SignalFile {
    fn begin(&mut self, run: RunId, strategies: &[String]) -> io::Result<()> {
        let out = BufWriter::new(AtomicFile::create(&self.path, Existing::Replace)?);
        let is_json = self.path.extension().is_some_and(|extension| extension == "jsonl");
        let writer = if is_json { SignalWriter::json_lines(out) } else { SignalWriter::csv(out) };
        self.writer.insert(writer).begin(run, strategies)
    }

    fn signal(&mut self, signal: &NamedSignal) -> io::Result<()> {
        self.writer().signal(signal)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer().flush()
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let Some(writer) = self.writer else { return Ok(()) };
        writer.into_inner().into_inner().map_err(io::IntoInnerError::into_error)?.commit()
    }
}

/// Says where signals could not be written.
fn name_target(args: &ReplayArgs, error: ReplayError) -> anyhow::Error {
    match (error, args.signals_target()) {
        (ReplayError::Signals(error), Some(SignalsTarget::File(path))) => {
            anyhow::Error::from(error).context(format!("writing {}", path.display()))
        }
        (ReplayError::Signals(error), _) => {
            anyhow::Error::from(error).context("writing signals to standard output")
        }
        (error, _) => error.into(),
    }
}

/// Refuses what could not be written at the end, hours later, in one line now.
fn check_outputs(args: &ReplayArgs) -> Result<()> {
    let signals = args.signals_target();
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

fn say_beginning(args: &ReplayArgs, market: Option<&GenerateOptions>, prepared: &PreparedReplay) {
    if args.quiet {
        return;
    }
    if let Some(options) = market {
        eprintln!(
            "No files given: playing a generated market of {} and {}, seed {}.",
            counted(options.ticks, "tick"),
            counted(options.instruments.into(), "instrument"),
            options.seed
        );
    }
    if prepared.is_resumed() {
        eprintln!("Resuming run {} where its last commit was.", prepared.run());
        if args.signals_target() == Some(SignalsTarget::Stdout) {
            eprintln!("Its signals, those before included, are written when it has ended.");
        }
    }
}

/// Names the symbols that were asked for and had no tick: they may be misspelt.
fn say_missing_symbols(args: &ReplayArgs, outcome: &ReplayOutcome) {
    let has_ticks = |symbol: &String| outcome.instruments.iter().any(|one| one.symbol == *symbol);
    let missing: Vec<_> =
        args.selection.symbols.iter().filter(|symbol| !has_ticks(symbol)).cloned().collect();
    if !missing.is_empty() && !args.quiet {
        eprintln!("No tick of --symbols {}; `orchard info FILE` lists a file's symbols.", missing.join(","));
    }
}

fn say_results(args: &ReplayArgs, outcome: &ReplayOutcome, peak_anonymous: u64) -> Result<()> {
    say_missing_symbols(args, outcome);
    let report = args.report.as_deref().map(|path| write_report(path, outcome, peak_anonymous));
    let text = if args.json {
        summary::json(outcome, peak_anonymous)?
    } else {
        summary::text(outcome, peak_anonymous)
    };
    // Standard output is the signals' where they stream.
    match args.signals_target() {
        Some(SignalsTarget::Stdout) if args.quiet && !args.json => {}
        Some(SignalsTarget::Stdout) => eprint!("{text}"),
        _ => io::stdout().write_all(text.as_bytes())?,
    }
    // The results are shown by now, whatever became of the page.
    report.unwrap_or(Ok(()))
}

fn write_report(path: &Path, outcome: &ReplayOutcome, peak_anonymous: u64) -> Result<()> {
    let mut data = outcome.report_data();
    data.facts.peak_memory_bytes = (peak_anonymous > 0).then_some(peak_anonymous);
    let page = crate::report::render(&data);
    tick_ingest::atomic_file::write(path, page.as_bytes())
        .with_context(|| format!("writing {}", path.display()))
}
