//! What a replay came to: everything that summary, JSON and report show.

use std::time::Duration;

use anyhow::Result;
use strategy_host::host::{HostReport, LaneCounts, Timing};
use strategy_host::ledger::{LaneId, Ledger, NamedSignal, OpenedRun};
use strategy_host::market::{Instrument, Market, Marks};
use strategy_host::paper::{PaperAccount, PaperResults};
use tick_ingest::feed::FeedReport;
use tick_sdk::names::StrategyName;

use super::ReplayArgs;
use crate::report::{InstrumentMarks, Latency, MarksSample, ReportData, RunFacts};

/// A replay's results.
pub(super) struct Outcome {
    pub(super) opened: OpenedRun,
    /// Whether its ledger is kept, so that it can be resumed.
    pub(super) kept: bool,
    pub(super) sources: Vec<String>,
    pub(super) feed: FeedReport,
    pub(super) lanes: Vec<(LaneId, LaneCounts)>,
    pub(super) instruments: Vec<Instrument>,
    pub(super) account: PaperResults,
    pub(super) marks: Vec<InstrumentMarks>,
    pub(super) timing: Timing,
    pub(super) commits: u64,
    pub(super) elapsed: Duration,
    pub(super) peak_anonymous: u64,
}

/// What feed and host did, and what that took.
pub(super) struct Played {
    pub(super) feed: FeedReport,
    pub(super) host: HostReport,
    pub(super) elapsed: Duration,
    /// The highest anonymous memory seen, in bytes.
    pub(super) peak_anonymous: u64,
}

/// Where the signals are, and who wants to see each in order.
pub(super) struct Visit<'a> {
    pub(super) ledger: &'a dyn Ledger,
    pub(super) names: &'a [StrategyName],
    pub(super) see: &'a mut See<'a>,
}

type See<'a> = dyn FnMut(&NamedSignal) -> Result<()> + 'a;

impl Outcome {
    /// Puts the parts together; `visit` goes once through all signals, in order.
    pub(super) fn collect(
        args: &ReplayArgs,
        opened: OpenedRun,
        names: Vec<StrategyName>,
        played: Played,
        visit: impl FnOnce(Visit<'_>) -> Result<()>,
    ) -> Result<Self> {
        let Played { feed, host, elapsed, peak_anonymous } = played;
        let instruments = Market::collect(host.markets.into_iter().map(|(_, market)| market));
        let mut account = PaperAccount::new(args.rules(), names.iter().map(StrategyName::to_string));
        let mut sample = MarksSample::new(names.len());
        let mut prices = Marks::new(&instruments);
        let mut see = |named: &NamedSignal| {
            let NamedSignal { strategy, symbol, signal, .. } = named;
            while let Some(mark) = prices.next_before(signal.ts_recv) {
                account.mark(mark.ts_recv, mark.symbol, mark.price);
            }
            account.signal(*strategy, symbol, signal)?;
            sample.add(*strategy, symbol, signal);
            Ok(())
        };
        visit(Visit { ledger: &*host.ledger, names: &names, see: &mut see })?;
        for mark in prices {
            account.mark(mark.ts_recv, mark.symbol, mark.price);
        }
        let (first, last) = feed.span.unwrap_or_default();
        let account = account.finish(first, last);
        let sources = match args.sources.files.is_empty() {
            true => vec![format!("generated market, seed {}", args.market.seed)],
            false => args.sources.files.clone(),
        };
        Ok(Self {
            opened,
            kept: args.state.is_some(),
            sources,
            feed,
            lanes: host.lanes,
            instruments,
            account,
            marks: sample.finish(),
            timing: host.timing,
            commits: host.commits,
            elapsed,
            peak_anonymous,
        })
    }

    /// Ticks by kind: trades, bids, asks and those of unknown kind.
    pub(super) fn ticks_by_kind(&self) -> [(&'static str, u64); 4] {
        let sum = |of: fn(&Instrument) -> u64| self.instruments.iter().map(of).sum();
        [
            ("trades", sum(|i| i.trades)),
            ("bids", sum(|i| i.bids)),
            ("asks", sum(|i| i.asks)),
            ("others", sum(|i| i.others)),
        ]
    }

    /// Ticks that lanes left out because a commit before this process held their effect already.
    pub(super) fn duplicates(&self) -> u64 {
        self.lanes.iter().map(|(_, counts)| counts.duplicates).sum()
    }

    pub(super) fn time_per_tick(&self) -> Latency {
        Latency::of(&self.timing.tick_ps, 0.001)
    }

    pub(super) fn time_per_frame(&self) -> Latency {
        Latency::of(&self.timing.frame_ns, 1.0)
    }

    pub(super) fn report_data(&self) -> ReportData {
        let names: Vec<_> = self.account.strategies.iter().map(|s| s.strategy.as_str()).collect();
        let (first_ts_recv, last_ts_recv) = self.feed.span.unwrap_or_default();
        ReportData {
            title: format!("{}: {}", self.sources.join(", "), names.join(", ")),
            facts: RunFacts {
                sources: self.sources.clone(),
                first_ts_recv,
                last_ts_recv,
                elapsed_seconds: self.elapsed.as_secs_f64(),
                skipped: self.feed.counts.skipped.clone().into_iter().collect(),
                bad_lines: self.feed.counts.bad_lines,
                duplicates: self.duplicates(),
                gaps: 0,
                peak_memory_bytes: (self.peak_anonymous > 0).then_some(self.peak_anonymous),
                more: vec![("Run".to_owned(), self.opened.run.to_string())],
            },
            instruments: self.instruments.clone(),
            account: self.account.clone(),
            marks: self.marks.clone(),
            time_per_tick: self.time_per_tick(),
            time_per_frame: self.time_per_frame(),
        }
    }
}
