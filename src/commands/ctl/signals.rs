//! `orchard ctl signals`.

use std::io::Write;

use anyhow::{Context, Result};
use clap::Args;
use futures_util::TryStreamExt;
use tick_sdk::api::SignalView;
use tick_sdk::client::SignalFilter;

use super::Session;
use super::output::{Columns, ListArgs, or_dash};
use crate::stdout::stdout;

/// Options of `orchard ctl signals`.
#[derive(Debug, Args)]
pub(super) struct SignalsArgs {
    /// Only of this run
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only of this instance; repeat for several
    #[arg(long, value_name = "NAME")]
    strategy: Vec<String>,
    /// Only of this instrument; repeat for several
    #[arg(long, value_name = "SYMBOL")]
    symbol: Vec<String>,
    /// Only with this side
    #[arg(long, value_name = "buy|sell|flat")]
    side: Option<String>,
    /// Only from this event time on, as 2024-08-08T23:54:18Z
    #[arg(long, value_name = "TIME", value_parser = super::replays::parse_time)]
    from: Option<String>,
    /// Only before this event time
    #[arg(long, value_name = "TIME", value_parser = super::replays::parse_time)]
    to: Option<String>,
    /// Only at this price or above
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true)]
    min_price: Option<String>,
    /// The last N of the run instead of the first, the newest at the end
    #[arg(long, value_name = "N", requires = "run", conflicts_with_all = ["limit", "all", "side", "min_price"], value_parser = clap::value_parser!(u32).range(1..=1000))]
    latest: Option<u32>,
    /// All of them as CSV, in the columns of `orchard replay --signals`
    #[arg(long, conflicts_with_all = ["json", "limit", "all"])]
    csv: bool,
    #[command(flatten)]
    which: ListArgs,
}

const COLUMNS: Columns<SignalView> = Columns {
    titles: &["at", "strategy", "symbol", "side", "price", "shard", "seq", "n", "run"],
    numbers: &[4, 5, 6, 7],
    row: |signal| {
        vec![
            signal.at.clone(),
            signal.strategy.clone(),
            signal.symbol.clone(),
            signal.side.clone(),
            or_dash(signal.price.as_ref()),
            signal.shard.to_string(),
            signal.seq.to_string(),
            signal.n.to_string(),
            signal.run.clone(),
        ]
    },
};

impl SignalsArgs {
    fn filter(&self) -> SignalFilter {
        SignalFilter {
            run: self.run.clone(),
            strategies: self.strategy.clone(),
            symbols: self.symbol.clone(),
            side: self.side.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            min_price: self.min_price.clone(),
            latest: self.latest,
        }
    }
}

pub(super) async fn list(args: &SignalsArgs, session: &Session) -> Result<()> {
    let (client, filter) = (&session.client, args.filter());
    if args.csv {
        let mut parts = client.signals_csv(&filter).await?;
        let mut out = stdout();
        while let Some(part) = parts.try_next().await? {
            out.write_all(&part).context("writing to standard output")?;
        }
        return out.flush().context("writing to standard output");
    }
    if args.latest.is_some() {
        return session.out.list(client.signals(&filter), &ListArgs::all(), &COLUMNS).await;
    }
    // One answer for all of them; a page where only some are wanted.
    let signals =
        if args.which.is_all() { client.signal_stream(&filter).await? } else { client.signals(&filter) };
    session.out.list(signals, &args.which, &COLUMNS).await
}
