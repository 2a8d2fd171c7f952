//! `orchard ctl replays` and `orchard ctl files`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use tick_ingest::feed::Speed;
use tick_sdk::api::{FileView, ReplayView};
use tick_sdk::client::ReplayFilter;
use tick_sdk::contracts::ticks::StartReplay;
use uuid::Uuid;

use super::output::{Columns, ListArgs, SendArgs, or_dash};
use super::specs::strategies;
use super::{Session, parse_id};
use crate::duration::parse_time_ns;
use crate::text::{bytes, thousands};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Play files of the server's folder of captures through strategies
    Start(Box<StartArgs>),
    /// Replays, the newest first
    List(ReplaysArgs),
    /// One of them: how far it is, or what came of it
    Show {
        /// The replay: the id of the command that started it
        #[arg(value_name = "REPLAYID", value_parser = parse_id)]
        replay: Uuid,
    },
    /// End a replay; what it has committed stays
    Cancel(EndArgs),
    /// Forget an ended replay, with its signals and positions
    Forget(EndArgs),
}

/// The options of `orchard replay`, as far as they are the server's.
#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// Files, folders or patterns below the server's folder of captures
    #[arg(value_name = "FILES", required = true)]
    files: Vec<String>,
    /// Strategies, with parameters after a colon; repeat for several; what is deployed where there are none
    #[arg(long, value_name = "[NAME=]STRATEGY[:PARAM=VALUE,…]")]
    strategy: Vec<String>,
    /// A local file of groups of instruments, one `NAME = A B` a line
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,
    /// Only these symbols
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    symbols: Vec<String>,
    /// Only ticks received at this time or later, as 2024-08-08T23:54:18Z
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<String>,
    /// Only ticks received before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    to: Option<String>,
    /// max, or so many times as fast as received: 1x, 10x, 0.5x
    #[arg(long, default_value = "max")]
    speed: Speed,
    /// Play the files so many times
    #[arg(long = "loop", value_name = "K")]
    repeats: Option<u32>,
    /// What the columns of CSV files mean, as `orchard replay --map` takes it
    #[arg(long, value_name = "MAPPING")]
    map: Option<String>,
    /// Time zone of times that name none
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    tz: Option<String>,
    /// Put ticks that are late by up to this in their place, as 1s
    #[arg(long, value_name = "TIME")]
    reorder: Option<String>,
    /// What to do with a malformed line
    #[arg(long, value_name = "stop|skip")]
    on_bad_line: Option<String>,
    /// How the paper account fills
    #[arg(long, value_name = "signal|cross")]
    fill: Option<String>,
    /// Its slippage in basis points
    #[arg(long, value_name = "BP", allow_negative_numbers = true)]
    slippage: Option<String>,
    /// The cost of each fill in basis points
    #[arg(long, value_name = "BP", allow_negative_numbers = true)]
    fee: Option<String>,
    /// What percentages are of, in the quote unit
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    capital: Option<String>,
    #[command(flatten)]
    send: SendArgs,
}

#[derive(Debug, Args)]
pub(super) struct ReplaysArgs {
    /// Only those that are accepted, running, completed, failed or cancelled
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    #[command(flatten)]
    which: ListArgs,
}

#[derive(Debug, Args)]
pub(super) struct EndArgs {
    /// The replay: the id of the command that started it
    #[arg(value_name = "REPLAYID", value_parser = parse_id)]
    replay: Uuid,
    #[command(flatten)]
    send: SendArgs,
}

/// A time in any form that `orchard replay` takes, in the one that the gateway does.
pub(super) fn parse_time(text: &str) -> Result<String, String> {
    let ns = parse_time_ns(text)?;
    Timestamp::from_nanosecond(i128::from(ns)).map(|time| time.to_string()).map_err(|error| error.to_string())
}

const COLUMNS: Columns<ReplayView> = Columns {
    titles: &["replay", "state", "run", "files", "done", "ticks", "signals", "accepted"],
    numbers: &[4, 5, 6],
    row: |replay| {
        let ticks = ticks(replay).map(thousands);
        let signals = replay.outcome.as_ref().map(|outcome| thousands(outcome.signals));
        vec![
            replay.replay_id.to_string(),
            replay.state.clone(),
            or_dash(replay.run.as_ref()),
            replay.plan.files.join(" "),
            or_dash(share(replay).as_ref()),
            or_dash(ticks.as_ref()),
            or_dash(signals.as_ref()),
            replay.accepted_at.clone(),
        ]
    },
};

const FILES: Columns<FileView> = Columns {
    titles: &["file", "size", "modified"],
    numbers: &[1],
    row: |file| vec![file.path.clone(), bytes(file.bytes), or_dash(file.modified_at.as_ref())],
};

fn ticks(replay: &ReplayView) -> Option<u64> {
    let outcome = replay.outcome.as_ref().map(|outcome| outcome.ticks);
    outcome.or(replay.progress.as_ref().map(|progress| progress.ticks))
}

fn share(replay: &ReplayView) -> Option<String> {
    let share = replay.progress.as_ref()?.share?;
    Some(format!("{:.0} %", share * 100.0))
}

impl StartArgs {
    pub(super) fn plan(&self) -> Result<StartReplay> {
        let groups = self
            .groups
            .as_ref()
            .map(|path| std::fs::read_to_string(path).with_context(|| path.display().to_string()));
        Ok(StartReplay {
            files: self.files.clone(),
            symbols: self.symbols.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            speed: match self.speed {
                Speed::Times(factor) => Some(factor),
                Speed::Max | Speed::Rate(_) => None,
            },
            repeats: self.repeats,
            strategies: strategies(&self.strategy)?,
            map: self.map.clone(),
            time_zone: self.tz.clone(),
            reorder: self.reorder.clone(),
            on_bad_line: self.on_bad_line.clone(),
            groups: groups.transpose()?,
            fill: self.fill.clone(),
            slippage: self.slippage.clone(),
            fee: self.fee.clone(),
            capital: self.capital.clone(),
        })
    }
}

pub(super) async fn act(action: &Action, session: &Session) -> Result<()> {
    let client = &session.client;
    match action {
        Action::Start(args) => session.send(client.start_replay(&args.plan()?), &args.send).await,
        Action::List(ReplaysArgs { state, which }) => {
            let replays = client.replays(&ReplayFilter { state: state.clone() });
            session.out.list(replays, which, &COLUMNS).await
        }
        Action::Show { replay } => {
            let replay = client.replay(*replay).await?;
            session.out.one(&replay, &facts(&replay))
        }
        Action::Cancel(EndArgs { replay, send }) => session.send(client.cancel_replay(*replay), send).await,
        Action::Forget(EndArgs { replay, send }) => session.send(client.forget_replay(*replay), send).await,
    }
}

pub(super) async fn files(which: &ListArgs, session: &Session) -> Result<()> {
    session.out.list(session.client.files(), which, &FILES).await
}

fn facts(replay: &ReplayView) -> Vec<(&'static str, String)> {
    let strategies = replay.plan.strategies.iter().map(|spec| spec.name.as_ref().unwrap_or(&spec.strategy));
    let strategies: Vec<_> = strategies.cloned().collect();
    let mut facts = vec![
        ("Replay", replay.replay_id.to_string()),
        ("State", replay.state.clone()),
        ("Run", or_dash(replay.run.as_ref())),
        ("Files", replay.plan.files.join("\n")),
        ("Strategies", strategies.join(", ")),
        ("Accepted", replay.accepted_at.clone()),
        ("Started", or_dash(replay.started_at.as_ref())),
        ("Ended", or_dash(replay.ended_at.as_ref())),
    ];
    if let Some(progress) = &replay.progress {
        let share = share(replay).map(|share| format!(", {share}")).unwrap_or_default();
        let (ticks, rate) = (thousands(progress.ticks), thousands(progress.ticks_per_second));
        facts.push(("Progress", format!("{ticks} ticks{share}, {rate} ticks/s, at {}", progress.at)));
    }
    if let Some(outcome) = &replay.outcome {
        facts.push(("Ticks", thousands(outcome.ticks)));
        facts.push(("Signals", thousands(outcome.signals)));
        facts.push(("Played", format!("{:.3} s", outcome.elapsed_seconds)));
        facts.push(("Skipped", format!("{} malformed lines", thousands(outcome.bad_lines))));
    }
    if replay.resumed > 0 {
        facts.push(("Resumed", format!("{} times", replay.resumed)));
    }
    if let Some(reason) = &replay.reason {
        facts.push(("Reason", reason.clone()));
    }
    facts
}
