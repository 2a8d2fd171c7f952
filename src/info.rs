//! `orchard info`.

use anyhow::Result;
use clap::Args;

use crate::cli::Ended;

/// Options.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {}

pub(crate) fn run(_: InfoArgs) -> Result<Ended> {
    anyhow::bail!("to be written")
}
