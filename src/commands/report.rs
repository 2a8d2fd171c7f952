//! `orchard report`: the page of a replay that has been played, from the ledger it kept and its sources.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};
use tick_ingest::feed::{FeedControl, SourceSpec};
use tick_ingest::outputs::Output;
use tick_sdk::names::RunId;

use super::replay::{self, ReplayArgs};
use crate::ended::{Ended, UsageError};
use crate::logging::LogArgs;
use crate::replay::outcome_of_kept;
use crate::report::{Latency, render};
use crate::sources::on_interrupt;
use crate::text::{counted, printable};

/// Options of `orchard report`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ReportArgs {
    /// The run, to make sure that it is the one meant [default: the one that the folder keeps]
    #[arg(value_name = "RUN")]
    run: Option<RunId>,
    /// The folder that `orchard replay --state` kept
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Where the page goes
    #[arg(long, value_name = "OUT.html")]
    out: PathBuf,
    /// Where the files of the replay are now, if they were moved
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// Replace the page if it is already there
    #[arg(long)]
    force: bool,
    /// No words about what was written
    #[arg(long)]
    quiet: bool,
}

const AFTER_HELP: &str = "\
The files are read again and compared with those of the replay, for their prices; no strategy runs.
Signals are those of the ledger, and the account is the replay's: its fill, slippage, fee and capital.

Examples:
  orchard replay capture.gz --state run1
  orchard report --state run1 --out later.html
  orchard report --state run1 --out later.html --files /archive/2024";

/// The command of a replay, beside the ledger that it keeps.
#[derive(Debug, Serialize, Deserialize)]
struct KeptCommand {
    /// The run's id.
    run: String,
    /// Where the command was given: its paths may begin there.
    folder: PathBuf,
    /// The command's words, without the program's name.
    arguments: Vec<String>,
}

/// The file of a folder of state that has it.
const FILE: &str = "replay.json";

/// Keeps the command of this process beside the ledger of `run`, so that its report can be made later.
///
/// # Errors
/// The folder takes no file.
pub(super) fn keep_command(state: &Path, run: RunId) -> Result<()> {
    let arguments = std::env::args_os().skip(1).map(|word| word.into_string());
    // A name that is not Unicode has no place in JSON: such a replay is played again for a report.
    let Ok(arguments) = arguments.collect::<Result<Vec<_>, _>>() else { return Ok(()) };
    let folder = std::env::current_dir().context("the current folder")?;
    let text = serde_json::to_string(&KeptCommand { run: run.to_string(), folder, arguments })?;
    let place = state.join(FILE);
    tick_feed::atomic_file::write(&place, (text + "\n").as_bytes())
        .with_context(|| format!("writing {}", place.display()))
}

pub(crate) fn run(args: &ReportArgs) -> Result<Ended> {
    let output = Output { option: "--out", path: &args.out, endings: &["html"] };
    tick_ingest::outputs::check(&[output], &[], args.force)?;
    let [state, out] = [&args.state, &args.out].map(std::path::absolute);
    let (state, out) = (state?, out?);
    let files = args.files.as_ref().map(std::path::absolute).transpose()?;

    let kept = kept_command(&state)?;
    if args.run.is_some_and(|run| run.to_string() != kept.run) {
        return Err(UsageError(format!("{} keeps run {}", args.state.display(), kept.run)).into());
    }
    let command = Kept::try_parse_from(std::iter::once("orchard".to_owned()).chain(kept.arguments));
    let KeptSubcommand::Replay(replayed) =
        command.context("the replay's command, of another version")?.command;
    // A folder that is gone leaves the paths that do not begin there.
    if kept.folder.is_dir() {
        std::env::set_current_dir(&kept.folder).with_context(|| kept.folder.display().to_string())?;
    }
    let mut plan = replay::plan(&replayed)?;
    plan.ledger = Some(state);
    plan.signals = None;
    plan.trades = None;
    if let Some(files) = files {
        plan.sources.iter_mut().for_each(|source| move_to(source, &files));
    }

    let control = Arc::new(FeedControl::default());
    let stop = control.clone();
    on_interrupt(move || stop.stop())?;
    let (outcome, is_whole) = outcome_of_kept(plan, &control)?;
    if outcome.feed.interrupted {
        return Ok(Ended::Interrupted);
    }
    let mut data = outcome.report_data();
    // Reading the files again says nothing of how fast the replay was.
    data.facts.elapsed_seconds = 0.0;
    data.time_per_tick = Latency::default();
    data.time_per_frame = Latency::default();
    if !is_whole {
        let state = "interrupted: signals and round trips are those that were committed by then, and what was held then \
                     is valued to the end of the files";
        data.title.push_str(" (interrupted)");
        data.facts.more.push(("State".to_owned(), state.to_owned()));
    }
    tick_feed::atomic_file::write(&out, render(&data).as_bytes())
        .with_context(|| format!("writing {}", args.out.display()))?;
    if !args.quiet {
        let signals = counted(outcome.signals(), "signal");
        let out = printable(&args.out.display().to_string());
        let state = if is_whole { "" } else { ", interrupted: the same replay goes on where it was" };
        eprintln!("Wrote {out}: run {}, {signals}{state}.", outcome.run);
    }
    Ok(Ended::Done)
}

/// The command line that was kept.
#[derive(Debug, Parser)]
struct Kept {
    #[command(flatten)]
    _log: LogArgs,
    #[command(subcommand)]
    command: KeptSubcommand,
}

#[derive(Debug, Subcommand)]
enum KeptSubcommand {
    Replay(Box<ReplayArgs>),
}

fn kept_command(state: &Path) -> Result<KeptCommand> {
    let place = state.join(FILE);
    let text = match fs::read_to_string(&place) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "{} keeps no replay's command: it is not a folder of `orchard replay --state`, or of an earlier version; \
             the same replay again with --report makes its page",
            state.display()
        ),
        Err(error) => return Err(error).with_context(|| place.display().to_string()),
    };
    serde_json::from_str(&text).with_context(|| place.display().to_string())
}

/// A file of the same name in another folder.
fn move_to(source: &mut SourceSpec, folder: &Path) {
    if let SourceSpec::File { name, .. } = source
        && let Some(base) = Path::new(name.as_str()).file_name()
    {
        *name = folder.join(base).display().to_string();
    }
}
