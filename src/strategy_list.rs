//! `orchard strategy_list`.

use anyhow::Result;
use clap::Args;

use crate::cli::Ended;

/// Options.
#[derive(Debug, Args)]
pub(crate) struct StrategiesArgs {}

pub(crate) fn run(_: StrategiesArgs) -> Result<Ended> {
    anyhow::bail!("to be written")
}
