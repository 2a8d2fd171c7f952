//! `orchard completions`: what a shell needs to complete the command line.

use std::io::Write;

use anyhow::{Context, Result};
use clap::{Args, Command, ValueEnum};
use clap_complete::{Shell, generate};

use crate::ended::Ended;
use crate::stdout::stdout;

/// Options of `orchard completions`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Known,
}

const AFTER_HELP: &str = "\
Examples:
  orchard completions bash > ~/.local/share/bash-completion/completions/orchard
  orchard completions zsh > \"${fpath[1]}/_orchard\"
  orchard completions fish > ~/.config/fish/completions/orchard.fish";

/// The shells whose completion was tried.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Known {
    Bash,
    Zsh,
    Fish,
}

/// Writes the script for the whole program, which is `command`.
pub(crate) fn run(args: &CompletionsArgs, mut command: Command) -> Result<Ended> {
    let shell = match args.shell {
        Known::Bash => Shell::Bash,
        Known::Zsh => Shell::Zsh,
        Known::Fish => Shell::Fish,
    };
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    generate(shell, &mut command, name, &mut script);
    stdout().write_all(&script).context("writing to standard output")?;
    Ok(Ended::Done)
}
