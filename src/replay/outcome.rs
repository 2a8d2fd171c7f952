//! What a replay came to: everything that summary, JSON and report show.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use strategy_host::host::{HostReport, Instance, LaneCounts, Timing};
use strategy_host::ledger::{LaneId, NamedSignal, OpenedRun, OrderedSignals};
use strategy_host::market::{Instrument, Market, Marks};
use strategy_host::paper::{PaperAccount, PaperResults, PaperRules};
use tick_ingest::feed::{FeedReport, SourceSpec};
use tick_sdk::names::{RunId, StrategyName};

use super::signals::SignalSink;
use super::trades::TradeSink;
use super::{ReplayError, ReplayPlan};
use crate::counts;
use crate::report::{
    InstrumentMarks, Latency, MarksSample, ReportData, ReportTrade, ReportTrades, RunFacts, TradesSample,
};
use crate::text::summarised;

/// A replay's results.
#[derive(Debug)]
pub struct ReplayOutcome {
    /// The run's id.
    pub run: RunId,
    /// Whether the ledger had the run already.
    pub resumed: bool,
    /// Whether its ledger is kept, so that it can be resumed.
    pub is_kept: bool,
    /// What each source is called.
    pub sources: Vec<String>,
    /// What ran, in the order of the account's strategies.
    pub strategies: Vec<ConfiguredStrategy>,
    /// What the sources gave, and whether the run was interrupted.
    pub feed: FeedReport,
    /// What each lane (strategy and shard) took.
    pub lanes: Vec<(LaneId, LaneCounts)>,
    /// Each instrument's prices, down-sampled.
    pub instruments: Vec<Instrument>,
    /// What the strategies earned on paper.
    pub account: PaperResults,
    /// A sample of the signals, for charts.
    pub marks: Vec<InstrumentMarks>,
    /// The round trips that a report lists.
    pub trades: ReportTrades,
    /// How long ticks and frames took.
    pub timing: Timing,
    /// How many transactions were committed.
    pub commits: u64,
    /// How long the run took, without opening it and without going through its signals at the end.
    pub elapsed: Duration,
}

/// A strategy under its name, and what it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfiguredStrategy {
    /// The instance's name.
    pub name: String,
    /// What it is an instance of.
    pub strategy: String,
    /// Every parameter with its value, defaults included, in the order in which the strategy declares them.
    pub parameters: Vec<(String, String)>,
}

/// As `--strategy` takes it: `fast=apple:fast=8,slow=20`.
impl fmt::Display for ConfiguredStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name != self.strategy {
            write!(f, "{}=", self.name)?;
        }
        f.write_str(&self.strategy)?;
        for (place, (name, value)) in self.parameters.iter().enumerate() {
            write!(f, "{}{name}={value}", if place == 0 { ':' } else { ',' })?;
        }
        Ok(())
    }
}

impl ConfiguredStrategy {
    fn of(instance: &Instance) -> Self {
        let parameters = instance.configured.params().into_iter();
        Self {
            name: instance.name.to_string(),
            strategy: instance.configured.registration().name.to_owned(),
            parameters: parameters.map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

impl ReplayOutcome {
    /// Signals of all strategies.
    pub fn signals(&self) -> u64 {
        self.account.strategies.iter().map(|strategy| strategy.total.signals).sum()
    }

    /// Ticks by kind: trades, bids, asks and those of unknown kind.
    pub fn ticks_by_kind(&self) -> [(&'static str, u64); 4] {
        let sum = |of: fn(&Instrument) -> u64| self.instruments.iter().map(of).sum();
        [
            ("trades", sum(|i| i.trades)),
            ("bids", sum(|i| i.bids)),
            ("asks", sum(|i| i.asks)),
            ("others", sum(|i| i.others)),
        ]
    }

    /// Ticks that lanes left out because a commit before this process held their effect already.
    pub fn duplicates(&self) -> u64 {
        self.lanes.iter().map(|(_, counts)| counts.duplicates).sum()
    }

    /// How long a tick took.
    pub fn time_per_tick(&self) -> Latency {
        Latency::of(&self.timing.tick_ps, 0.001)
    }

    /// How long a frame took.
    pub fn time_per_frame(&self) -> Latency {
        Latency::of(&self.timing.frame_ns, 1.0)
    }

    /// All that [`report::render`](crate::report::render) shows.
    pub fn report_data(&self) -> ReportData {
        let names: Vec<_> = self.account.strategies.iter().map(|s| s.strategy.clone()).collect();
        let files: Vec<_> = self.sources.iter().map(|source| file_name(source).to_owned()).collect();
        let title = format!("{}: {}", summarised(&files).join(", "), summarised(&names).join(", "));
        let (first_ts_recv, last_ts_recv) = self.feed.span.unwrap_or_default();
        ReportData {
            title,
            run: self.run.to_string(),
            facts: RunFacts {
                sources: summarised(&self.sources),
                first_ts_recv,
                last_ts_recv,
                elapsed_seconds: self.elapsed.as_secs_f64(),
                skipped: self.feed.counts.skipped.clone().into_iter().collect(),
                bad_lines: self.feed.counts.bad_lines,
                duplicates: self.duplicates(),
                gaps: 0,
                peak_memory_bytes: None,
                more: self.more_facts(),
            },
            strategies: self.strategies.clone(),
            instruments: self.instruments.clone(),
            account: self.account.clone(),
            marks: self.marks.clone(),
            trades: self.trades.clone(),
            time_per_tick: self.time_per_tick(),
            time_per_frame: self.time_per_frame(),
        }
    }
}

impl ReplayOutcome {
    fn more_facts(&self) -> Vec<(String, String)> {
        let counts = counts::rare_lines(&self.feed.counts);
        let run = ("Run", self.run.to_string());
        std::iter::once(run).chain(counts).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// A source without its folders.
fn file_name(source: &str) -> &str {
    source.rsplit('/').find(|part| !part.is_empty()).unwrap_or(source)
}

/// What feed and host did, and how long that took.
pub(super) struct Played {
    pub(super) feed: FeedReport,
    pub(super) host: HostReport,
    pub(super) elapsed: Duration,
}

/// What the outcome needs of the plan.
pub(super) struct Collecting {
    opened: OpenedRun,
    is_kept: bool,
    sources: Vec<String>,
    strategies: Vec<ConfiguredStrategy>,
    names: Vec<StrategyName>,
    rules: PaperRules,
    capital: Option<i128>,
    trades: Option<Box<dyn TradeSink>>,
    shards: u16,
}

impl Collecting {
    /// To be called before the plan's strategies are handed to a host.
    pub(super) fn of(plan: &mut ReplayPlan, opened: OpenedRun, names: Vec<StrategyName>) -> Self {
        let name = |source: &SourceSpec| match source {
            SourceSpec::File { name, .. } => name.clone(),
            SourceSpec::Generated(options) => format!("generated market, seed {}", options.seed),
        };
        let sources = plan.sources.iter().map(name).collect();
        Self {
            opened,
            is_kept: plan.ledger.is_some(),
            sources,
            strategies: plan.strategies.iter().map(ConfiguredStrategy::of).collect(),
            names,
            rules: plan.account,
            capital: plan.capital,
            trades: plan.trades.take(),
            shards: plan.shards,
        }
    }

    /// Goes once through all signals of the run in order, for the account, for the charts' sample, for
    /// `sink` and for whoever takes round trips.
    pub(super) fn collect(
        mut self,
        played: Played,
        mut sink: Option<Box<dyn SignalSink>>,
    ) -> Result<ReplayOutcome, ReplayError> {
        let Played { feed, host, elapsed } = played;
        let run = self.opened.run;
        let instruments = Market::collect(host.markets.into_iter().map(|(_, market)| market));
        let account = PaperAccount::new(self.rules, self.names.iter().map(StrategyName::to_string));
        let mut account = account.with_capital(self.capital);
        let mut sample = MarksSample::new(self.names.len());
        let mut trades = TradesSample::default();
        let mut prices = Marks::new(&instruments);
        if let Some(sink) = &mut sink {
            sink.begin(run, &self.names).map_err(ReplayError::Signals)?;
        }
        let mut closed = self.trades.take();
        if let Some(closed) = &mut closed {
            closed.begin(run, &self.names).map_err(ReplayError::Trades)?;
        }
        let mut ordered = OrderedSignals::new(&*host.ledger, run, &self.names, self.shards)?;
        while let Some(named) = ordered.next_signal()? {
            if let Some(sink) = &mut sink {
                sink.signal(&named).map_err(ReplayError::Signals)?;
            }
            let NamedSignal { strategy, symbol, signal, .. } = &named;
            while let Some(mark) = prices.next_before(signal.ts_recv) {
                account.mark(mark.ts_recv, mark.symbol, mark.price);
            }
            if let Some(trade) = account.signal(*strategy, symbol, signal)? {
                if let Some(closed) = &mut closed {
                    closed.trade(*strategy, symbol, &trade).map_err(ReplayError::Trades)?;
                }
                trades.add(ReportTrade { strategy: *strategy, symbol: symbol.clone(), trade });
            }
            sample.add(*strategy, symbol, signal);
        }
        if let Some(sink) = sink {
            sink.finish().map_err(ReplayError::Signals)?;
        }
        if let Some(closed) = closed {
            closed.finish().map_err(ReplayError::Trades)?;
        }
        for mark in prices {
            account.mark(mark.ts_recv, mark.symbol, mark.price);
        }
        let (first, last) = feed.span.unwrap_or_default();
        Ok(ReplayOutcome {
            run,
            resumed: self.opened.resumed,
            is_kept: self.is_kept,
            sources: self.sources,
            strategies: self.strategies,
            feed,
            lanes: host.lanes,
            account: account.finish(first, last),
            marks: sample.finish(),
            trades: trades.finish(),
            timing: host.timing,
            commits: host.commits,
            elapsed,
            instruments,
        })
    }
}
