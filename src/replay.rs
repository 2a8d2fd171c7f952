//! `orchard replay`.

use anyhow::Result;
use clap::Args;

use crate::cli::Ended;

/// Options.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {}

pub(crate) fn run(_: ReplayArgs) -> Result<Ended> {
    anyhow::bail!("to be written")
}
