//! `orchard replay`: files through strategies in one process, exactly.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use strategy_host::host::Instance;
use strategy_host::ledger::NamedSignal;
use strategy_host::paper::Trade;
use tick_feed::atomic_file::{AtomicFile, Existing};
use tick_ingest::feed::SourceSpec;
use tick_ingest::generate::GenerateOptions;
use tick_ingest::outputs::{Output, OutputError};
use tick_sdk::groups::Groups;
use tick_sdk::names::{RunId, StrategyName};

use crate::counts;
use crate::ended::{Ended, UsageError};
use crate::progress_display::{LOOK, ProgressDisplay};
use crate::replay::{
    self, PreparedReplay, ReplayError, ReplayOutcome, ReplayPlan, SignalOutput, SignalSink, SignalWriter,
    Total, TradeSink, TradeWriter,
};
use crate::sources::{SourceArgs, Sources, files_of, nothing_selected, on_interrupt};
use crate::stdout::stdout;
use crate::text::counted;

mod args;
mod figures;
mod summary;

#[cfg(feature = "rabbitmq")]
pub(crate) use args::ClockArgs;
pub(crate) use args::{GeneratedArgs, ReplayArgs};
use summary::Summary;

pub(crate) fn run(args: &ReplayArgs) -> Result<Ended> {
    let plan = plan(args)?;
    let total = Total::of(&plan.sources, plan.selection.repeats)?;
    let signals = args.signals_target();
    let outputs = outputs(args, signals.as_ref());
    check_outputs(args, &plan.sources, &outputs)?;
    let selection = plan.selection.clone();
    let market = market(&plan.sources);
    let prepared = replay::prepare(plan).map_err(usage_or_failure)?;
    check_own(args, &outputs, prepared.run())?;
    if let Some(state) = &args.state {
        super::report::keep_command(state, prepared.run())?;
    }
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
    if outcome.feed.interrupted {
        return Ok(Ended::Interrupted);
    }
    if outcome.feed.ticks > 0 {
        return Ok(Ended::Done);
    }
    let nothing_left = || counts::nothing_but(&outcome.feed.counts);
    match nothing_selected(&selection, outcome.feed.offered).or_else(nothing_left) {
        Some(reason) => bail!(reason),
        None => {
            eprintln!("No tick was played: the sources have none.");
            Ok(Ended::Done)
        }
    }
}

/// What the options ask for.
pub(super) fn plan(args: &ReplayArgs) -> Result<ReplayPlan> {
    let strategies = strategies(&args.strategy)?;
    let (groups, groups_text) = read_groups(args.groups.as_deref())?;
    expect_groups(&strategies, &groups)?;
    let Sources { specs, read } = sources(&args.sources, &args.market)?;
    Ok(ReplayPlan {
        read,
        selection: args.selection.selection(&specs)?,
        groups: groups_text,
        account: args.rules(),
        capital: args.account.capital.map(|capital| capital.amount),
        pace: args.clock.pace(),
        shards: args.shards,
        frame_ticks: args.frame_ticks,
        threads: args.threads,
        ledger: args.state.clone(),
        signals: args.signals_target().map(SignalsTarget::output),
        trades: args.trades.clone().map(TradeFile::sink),
        ..ReplayPlan::new(specs, strategies)
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
pub(crate) fn sources(files: &SourceArgs, market: &GeneratedArgs) -> Result<Sources> {
    let mut sources = files.sources()?;
    if sources.specs.is_empty() {
        let GeneratedArgs { ticks, instruments, seed } = *market;
        let options = GenerateOptions { ticks, instruments, seed, ..GenerateOptions::default() };
        sources.specs.push(SourceSpec::Generated(options));
    }
    Ok(sources)
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
            Self::Stdout => SignalOutput::live(SignalWriter::csv(BufWriter::new(stdout()))),
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
    fn begin(&mut self, run: RunId, strategies: &[StrategyName]) -> io::Result<()> {
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

/// A file of round trips, which takes its name when it is whole.
struct TradeFile {
    path: PathBuf,
    /// From the run's end on.
    writer: Option<TradeWriter<BufWriter<AtomicFile>>>,
}

impl TradeFile {
    fn sink(path: PathBuf) -> Box<dyn TradeSink> {
        Box::new(Self { path, writer: None })
    }
}

impl TradeSink for TradeFile {
    fn begin(&mut self, run: RunId, strategies: &[StrategyName]) -> io::Result<()> {
        let out = BufWriter::new(AtomicFile::create(&self.path, Existing::Replace)?);
        self.writer.insert(TradeWriter::csv(out)).begin(run, strategies)
    }

    fn trade(&mut self, strategy: usize, symbol: &str, trade: &Trade) -> io::Result<()> {
        self.writer.as_mut().expect("a sink is begun first").trade(strategy, symbol, trade)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let Some(writer) = self.writer else { return Ok(()) };
        writer.into_inner().into_inner().map_err(io::IntoInnerError::into_error)?.commit()
    }
}

/// Says where signals or round trips could not be written.
fn name_target(args: &ReplayArgs, error: ReplayError) -> anyhow::Error {
    match (error, args.signals_target()) {
        (ReplayError::Signals(error), Some(SignalsTarget::File(path))) => {
            anyhow::Error::from(error).context(format!("writing {}", path.display()))
        }
        (ReplayError::Signals(error), _) => {
            anyhow::Error::from(error).context("writing signals to standard output")
        }
        (ReplayError::Trades(error), _) => {
            let path = args.trades.as_deref().unwrap_or(Path::new("round trips"));
            anyhow::Error::from(error).context(format!("writing {}", path.display()))
        }
        (error, _) => error.into(),
    }
}

/// What the command writes, with the endings that say what that is.
fn outputs<'a>(args: &'a ReplayArgs, signals: Option<&'a SignalsTarget>) -> Vec<Output<'a>> {
    let signals = signals.and_then(SignalsTarget::path);
    let signals = signals.map(|path| Output { option: "--signals", path, endings: &["csv", "jsonl"] });
    let report = args.report.as_deref();
    let report = report.map(|path| Output { option: "--report", path, endings: &["html"] });
    let trades = args.trades.as_deref();
    let trades = trades.map(|path| Output { option: "--trades", path, endings: &["csv"] });
    signals.into_iter().chain(trades).chain(report).collect()
}

/// Refuses what could not be written at the end, hours later, in one line now.
fn check_outputs(
    args: &ReplayArgs,
    sources: &[SourceSpec],
    outputs: &[Output<'_>],
) -> Result<(), OutputError> {
    let sources: Vec<_> = files_of(sources).chain(args.groups.as_deref()).collect();
    // What a kept run wrote before may be replaced, which is seen when its id is known.
    let may_be_its_own = args.state.as_ref().is_some_and(|folder| folder.exists());
    tick_ingest::outputs::check(outputs, &sources, args.force || may_be_its_own)
}

/// Refuses to replace what is not an earlier output of the same run.
fn check_own(args: &ReplayArgs, outputs: &[Output<'_>], run: RunId) -> Result<()> {
    if args.force || args.state.is_none() {
        return Ok(());
    }
    for Output { option, path, .. } in outputs {
        if path.exists() && !is_of_run(path, run).with_context(|| path.display().to_string())? {
            return Err(OutputError::Exists { output: format!("{option} {}", path.display()) }.into());
        }
    }
    Ok(())
}

/// Whether a file of signals or round trips or a page names this run, or holds none.
fn is_of_run(path: &Path, run: RunId) -> io::Result<bool> {
    const FIRST_ROWS: u64 = 64 << 10;
    let is_page = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("html"));
    let mut text = Vec::new();
    File::open(path)?.take(if is_page { u64::MAX } else { FIRST_ROWS }).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let is_empty = ["", replay::SIGNAL_COLUMNS, replay::TRADE_COLUMNS].contains(&&*text);
    Ok(is_empty || text.contains(&run.to_string()))
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
    if outcome.feed.ticks > 0 {
        say_missing_symbols(args, outcome);
    }
    let signals = args.signals_target();
    let mut written: Vec<_> = signals.iter().filter_map(SignalsTarget::path).collect();
    written.extend(args.trades.as_deref());
    let report = args.report.as_deref().map(|path| write_report(path, outcome, peak_anonymous));
    if let Some(Ok(())) = report {
        written.extend(args.report.as_deref());
    }
    let summary = Summary { outcome, peak_anonymous, written };
    let text = if args.json { summary.json()? } else { summary.text() };
    // Standard output is the signals' where they stream.
    match signals {
        Some(SignalsTarget::Stdout) if args.quiet && !args.json => {}
        Some(SignalsTarget::Stdout) => eprint!("{text}"),
        _ => stdout().write_all(text.as_bytes()).context("writing the summary")?,
    }
    // The results are shown by now, whatever became of the page.
    report.unwrap_or(Ok(()))
}

fn write_report(path: &Path, outcome: &ReplayOutcome, peak_anonymous: u64) -> Result<()> {
    let mut data = outcome.report_data();
    data.facts.peak_memory_bytes = (peak_anonymous > 0).then_some(peak_anonymous);
    let page = crate::report::render(&data);
    tick_feed::atomic_file::write(path, page.as_bytes())
        .with_context(|| format!("writing {}", path.display()))
}
