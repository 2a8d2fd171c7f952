//! `orchard generate`.

use anyhow::Result;
use clap::Args;

use crate::cli::Ended;

/// Options.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {}

pub(crate) fn run(_: GenerateArgs) -> Result<Ended> {
    anyhow::bail!("to be written")
}
