//! `orchard contracts`: what other languages need of the contracts and routes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bindings::Generated;
use clap::Args;

use crate::ended::Ended;
use crate::stdout::stdout;

/// Options of `orchard contracts`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ContractsArgs {
    #[command(flatten)]
    language: Language,
    /// A folder for all files, or a file with everything; standard output where absent
    ///
    /// What has an extension and is no folder is a file.
    #[arg(long, value_name = "DIR|FILE")]
    out: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Examples:
  orchard contracts --csharp --out src/Orchard            Contracts.cs for MassTransit, OrchardApi.cs for Refit
  orchard contracts --typescript --out web/orchard.ts     types of messages and bodies, and the routes
  orchard contracts --json-schema                         every message, as JSON Schema 2020-12";

/// For whom.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Language {
    /// Records of all messages, as MassTransit wants them, and an interface of all routes for Refit
    #[arg(long)]
    csharp: bool,
    /// Types of all messages and bodies, and the routes
    #[arg(long)]
    typescript: bool,
    /// A JSON Schema of all messages, draft 2020-12
    #[arg(long)]
    json_schema: bool,
}

/// Writes what was asked for.
pub(crate) fn run(args: &ContractsArgs) -> Result<Ended> {
    match &args.out {
        None => {
            let text = in_one_file(&args.language).text;
            stdout().write_all(text.as_bytes()).context("writing to standard output")?;
        }
        Some(file) if !file.is_dir() && file.extension().is_some() => {
            write(file, &in_one_file(&args.language).text)?;
        }
        Some(folder) => {
            fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
            for Generated { name, text } in files(&args.language) {
                write(&folder.join(name), &text)?;
            }
        }
    }
    Ok(Ended::Done)
}

fn in_one_file(language: &Language) -> Generated {
    if language.csharp {
        bindings::csharp_in_one_file()
    } else if language.typescript {
        bindings::typescript()
    } else {
        bindings::json_schema()
    }
}

fn files(language: &Language) -> Vec<Generated> {
    if language.csharp { bindings::csharp() } else { vec![in_one_file(language)] }
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}
