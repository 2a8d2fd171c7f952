//! The command line: subcommands, and how each ends.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tick_ingest::outputs::OutputError;
use tick_sdk::host::Registration;

#[cfg(feature = "rabbitmq")]
use crate::commands::errors;
#[cfg(all(feature = "rabbitmq", feature = "services"))]
use crate::commands::topology;
#[cfg(feature = "services")]
use crate::commands::{completions, contracts, ctl, serve};
use crate::commands::{replay, report};
use crate::ended::{Ended, UsageError};
use crate::logging::LogArgs;
#[cfg(not(all(feature = "rabbitmq", feature = "services")))]
use crate::not_built_in;
use crate::{convert, generate, info, new, stdout, strategy_list};
#[cfg(feature = "rabbitmq")]
use crate::{ingest, plan, run, status, verify};

/// Replay market captures through strategies, exactly and at memory speed.
#[derive(Debug, Parser)]
#[command(name = "orchard", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  orchard replay                                  a generated market, to see what comes out
  orchard replay capture.gz --signals out.csv     a capture through Apple and Pear
  orchard info capture.gz                         what is in a file
  orchard strategies                              what can be run, with parameters

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted after a clean shutdown.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Play files through strategies and report what they did
    Replay(Box<replay::ReplayArgs>),
    /// Make the page of a replay that kept its ledger
    Report(report::ReportArgs),
    #[cfg(feature = "rabbitmq")]
    /// Publish files as a feed on RabbitMQ, for any number of `orchard run`
    Ingest(Box<ingest::IngestArgs>),
    #[cfg(feature = "rabbitmq")]
    /// Run a strategy on a feed's shards, together with whoever runs the same
    Run(Box<run::RunArgs>),
    /// Write sources as one .ticks or .csv file
    Convert(convert::ConvertArgs),
    /// Say what is in a file: format, instruments, time span, first ticks
    Info(info::InfoArgs),
    /// Write a generated market to a .ticks or .csv file
    Generate(generate::GenerateArgs),
    /// List the strategies with their parameters and defaults
    Strategies(strategy_list::StrategiesArgs),
    #[cfg(feature = "rabbitmq")]
    /// Say how a feed stands: shards, cursors, lag, instances
    Status(status::StatusArgs),
    #[cfg(feature = "rabbitmq")]
    /// List, show, requeue, move and discard what failed on a broker, that of .NET services too
    Errors(errors::ErrorsArgs),
    #[cfg(all(feature = "rabbitmq", feature = "services"))]
    /// Compare what stands on a broker with what Orchard's endpoints need, and declare what is missing
    Topology(topology::TopologyArgs),
    #[cfg(feature = "rabbitmq")]
    /// Say how many broker nodes and shards a feed needs, and what runs out first
    Plan(Box<plan::PlanArgs>),
    #[cfg(feature = "rabbitmq")]
    /// Compare a run's signals in a ledger with those of a replay
    Verify(verify::VerifyArgs),
    #[cfg(feature = "services")]
    /// Take commands and answer reads over HTTP: replays on request, deployments, users
    Serve(serve::ServeArgs),
    #[cfg(feature = "services")]
    /// Ask a server to do something, and see what came of it
    Ctl(Box<ctl::CtlArgs>),
    #[cfg(feature = "services")]
    /// Write the contracts and routes as C#, TypeScript or JSON Schema
    Contracts(contracts::ContractsArgs),
    #[cfg(feature = "services")]
    /// Write what a shell needs to complete these commands
    Completions(completions::CompletionsArgs),
    /// Write a crate for a strategy of your own
    New(new::NewArgs),
    #[cfg(not(all(feature = "rabbitmq", feature = "services")))]
    #[command(flatten)]
    NotBuiltIn(not_built_in::NotBuiltIn),
}

/// The whole program: reads the command line, runs the command, and gives the exit code: 0 done,
/// 1 failed, 2 wrong usage, 130 interrupted after a clean shutdown.
pub fn main() -> ExitCode {
    let Cli { log, command } = Cli::parse();
    log.start();
    match Registration::all().map_err(Into::into).and_then(|_| run_command(command)) {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::Interrupted) => ExitCode::from(130),
        // Whoever reads the results has closed them: `orchard … | head` is no failure.
        Err(error) if stdout::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", explain(&error));
            ExitCode::from(if is_usage(&error) { 2 } else { 1 })
        }
    }
}

fn run_command(command: Command) -> anyhow::Result<Ended> {
    match command {
        Command::Replay(args) => replay::run(&args),
        Command::Report(args) => report::run(&args),
        #[cfg(feature = "rabbitmq")]
        Command::Ingest(args) => ingest::run(&args),
        #[cfg(feature = "rabbitmq")]
        Command::Run(args) => run::run(&args),
        Command::Convert(args) => convert::run(args),
        Command::Info(args) => info::run(args),
        Command::Generate(args) => generate::run(args),
        Command::Strategies(args) => strategy_list::run(args),
        #[cfg(feature = "rabbitmq")]
        Command::Status(args) => status::run(&args),
        #[cfg(feature = "rabbitmq")]
        Command::Errors(args) => errors::run(args),
        #[cfg(all(feature = "rabbitmq", feature = "services"))]
        Command::Topology(args) => topology::run(args),
        #[cfg(feature = "rabbitmq")]
        Command::Plan(args) => plan::run(*args),
        #[cfg(feature = "rabbitmq")]
        Command::Verify(args) => verify::run(&args),
        #[cfg(feature = "services")]
        Command::Serve(args) => serve::run(&args),
        #[cfg(feature = "services")]
        Command::Ctl(args) => ctl::run(&args),
        #[cfg(feature = "services")]
        Command::Contracts(args) => contracts::run(&args),
        #[cfg(feature = "services")]
        Command::Completions(args) => completions::run(&args, <Cli as clap::CommandFactory>::command()),
        Command::New(args) => new::run(args),
        #[cfg(not(all(feature = "rabbitmq", feature = "services")))]
        Command::NotBuiltIn(command) => Err(command.advice().into()),
    }
}

/// The error and its causes, without those whose words it says already.
fn explain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<UsageError>() || error.downcast_ref::<OutputError>().is_some_and(OutputError::is_usage)
}
