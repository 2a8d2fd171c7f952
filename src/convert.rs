//! `orchard convert`.

use anyhow::Result;
use clap::Args;

use crate::cli::Ended;

/// Options.
#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {}

pub(crate) fn run(_: ConvertArgs) -> Result<Ended> {
    anyhow::bail!("to be written")
}
