//! `orchard new`.

use anyhow::Result;
use clap::Args;

use crate::cli::Ended;

/// Options.
#[derive(Debug, Args)]
pub(crate) struct NewArgs {}

pub(crate) fn run(_: NewArgs) -> Result<Ended> {
    anyhow::bail!("to be written")
}
