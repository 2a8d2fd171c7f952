//! What a run says: its progress on standard error, and each run's results on standard output.

use std::io::Write;

use strategy_host::run::{RunEvent, RunProgress};
use tick_sdk::names::{FeedName, StrategyName};

use super::{RunArgs, summary};
use crate::text::{counted, thousands};

pub(super) struct Show {
    feed: FeedName,
    strategy: StrategyName,
    is_quiet: bool,
    is_json: bool,
    /// The results that could not be written: whoever reads them has gone.
    failure: Option<std::io::Error>,
}

impl Show {
    pub(super) fn new(args: &RunArgs, strategy: StrategyName) -> Self {
        Self { feed: args.feed.clone(), strategy, is_quiet: args.quiet, is_json: args.json, failure: None }
    }

    pub(super) fn on_event(&mut self, event: RunEvent) {
        let Self { feed, strategy, .. } = self;
        match event {
            RunEvent::RunEnds(report) => {
                let text = if self.is_json { summary::json(&report) } else { summary::text(&report) };
                if let Err(error) = std::io::stdout().write_all(text.as_bytes()) {
                    self.failure.get_or_insert(error);
                }
            }
            // What is wrong is said to whoever wants no progress, too.
            RunEvent::NoIngester { run } => {
                eprintln!("feed {feed} has no ingester: resume it with `orchard ingest … --resume {run}`");
            }
            RunEvent::BrokerLost { broker, since, error } => eprintln!(
                "The broker {broker} has not been reached for {} s, and is tried again: {}",
                since.as_secs(),
                error.lines().next().unwrap_or_default()
            ),
            RunEvent::LeaseLost { silent } => eprintln!(
                "The ledger has not been reached for {:.1} s: all shards are released, and the other members \
                 take over. This one takes part again when the ledger can be reached.",
                silent.as_secs_f64()
            ),
            _ if self.is_quiet => {}
            RunEvent::BrokersConnected => eprintln!("The broker is reached again."),
            RunEvent::LeaseRegained => {
                eprintln!("The ledger is reached again: this member takes part again.")
            }
            RunEvent::RunBegins { run } => eprintln!("run {run}"),
            RunEvent::EndedBefore { run } => {
                eprintln!("Run {run} of strategy {strategy} had ended before.");
            }
            RunEvent::WaitingForRun { ended: Some(run) } => {
                eprintln!("Run {run} of feed {feed} has ended; waiting for the next one (Ctrl-C ends this).");
            }
            RunEvent::WaitingForRun { ended: None } => {
                eprintln!(
                    "Waiting for a run of feed {feed}: begin one with `orchard ingest … --feed {feed}`."
                );
            }
            RunEvent::WaitingToJoin => eprintln!(
                "Strategy {strategy} is not in feed {feed}, and only its ingester can take it in: waiting for that."
            ),
            RunEvent::Progress(progress) => eprintln!("{}", line(&progress)),
        }
    }

    /// What could not be written is an error of the command.
    pub(super) fn finish(self) -> std::io::Result<()> {
        self.failure.map_or(Ok(()), Err)
    }
}

fn line(progress: &RunProgress) -> String {
    let RunProgress { ticks, ticks_per_second, own_shards, shards, members, behind } = progress;
    let members = match members {
        Some(members) => counted(*members as u64, "member"),
        None => "not a member".to_owned(),
    };
    format!(
        "{} ticks  {} ticks/s  {own_shards} of {shards} shards, {members}  {} behind",
        thousands(*ticks),
        thousands(*ticks_per_second),
        thousands(*behind)
    )
}
