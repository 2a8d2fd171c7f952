//! `orchard ctl`: every route of a gateway from the command line, by the typed client.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use tick_sdk::client::{Client, ClientError, Retries};
use tick_sdk::contracts::CommandId;
use tick_sdk::quantity::parse_duration_ns;
use uuid::Uuid;

use crate::ended::{Ended, UsageError};

mod commands;
mod deployments;
mod errors;
mod gateway;
mod output;
mod reads;
mod replays;
mod signals;
mod specs;
#[cfg(test)]
mod tests;
mod users;

use output::Output;

/// Where the gateway is, unless `--url` says so.
const URL_VARIABLE: &str = "ORCHARD_URL";
/// The API key, unless `--key` says so.
const KEY_VARIABLE: &str = "ORCHARD_KEY";
/// A file of authorities, unless `--ca` says so.
const CA_VARIABLE: &str = "ORCHARD_CA";
/// Where `orchard serve` is, unless it is told otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8090";

/// Options of `orchard ctl`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CtlArgs {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Which gateway, and how to speak with it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Gateway")]
struct GatewayArgs {
    /// Its address [default: ORCHARD_URL, else http://127.0.0.1:8090]
    #[arg(long, value_name = "URL", global = true)]
    url: Option<String>,
    /// The API key [default: ORCHARD_KEY, which other users of this machine cannot see]
    #[arg(long, value_name = "KEY", global = true)]
    key: Option<String>,
    /// Trust the authorities of this PEM file, not the system's, with https:// [default: ORCHARD_CA]
    #[arg(long, value_name = "FILE", global = true)]
    ca: Option<String>,
    /// How long it may take to answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration, global = true)]
    timeout: Duration,
    /// Read only once what this command makes can be read
    #[arg(long, value_name = "COMMANDID", global = true)]
    after: Option<CommandId>,
    /// JSON on one line: an array of a list, an object of one
    #[arg(long, global = true)]
    json: bool,
}

const AFTER_HELP: &str = "\
What changes something prints the command's id once it is on the server's disk; with --wait it
waits for the end, and fails if the command does.

Examples:
  orchard ctl files
  orchard ctl replays start usdm_btcusdt_20240808.zst --strategy apple --wait
  orchard ctl signals --run RUN --csv > signals.csv
  orchard ctl users create --email zoe@example.com --name Zoë
  orchard ctl commands list --state failed
  orchard ctl commands requeue COMMANDID --wait
  orchard ctl errors requeue create-user_error --reason timeout --dry-run
  orchard ctl --url https://orchard.example.com --ca ca.pem health
  orchard completions bash                        completion in your shell

Exit codes: 0 done, 1 failed or refused, 2 wrong usage.";

#[derive(Debug, Subcommand)]
enum What {
    /// Play files through strategies, see how far that is, end it
    #[command(subcommand)]
    Replays(replays::Action),
    /// The files that can be replayed
    Files(output::ListArgs),
    /// Create, rename, disable and see users
    #[command(subcommand)]
    Users(users::Action),
    /// The strategies that the server has, with parameters and defaults
    Strategies(deployments::StrategiesArgs),
    /// Deploy strategies, change their parameters, stop them
    #[command(subcommand)]
    Deployments(deployments::Action),
    /// What has become of commands, why, and what they caused; another try
    #[command(subcommand)]
    Commands(commands::Action),
    /// Signals as a table, CSV or JSON
    Signals(signals::SignalsArgs),
    /// What strategies earned on paper
    Positions(reads::PositionsArgs),
    /// Instruments with their last prices
    Instruments(output::ListArgs),
    /// What has happened, as the logs have it
    Events(reads::EventsArgs),
    /// How far what is read is behind what has happened; go on after an event that cannot be applied
    #[command(subcommand)]
    Projections(reads::ProjectionsAction),
    /// Messages that failed on the server's broker: why, and what becomes of them
    #[command(subcommand)]
    Errors(errors::Action),
    /// Whether the gateway can answer
    Health,
    /// The OpenAPI document of all routes
    Openapi,
}

pub(crate) fn run(args: &CtlArgs) -> Result<Ended> {
    let session = Session { client: args.gateway.client()?, out: Output { is_json: args.gateway.json } };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("the event loop")?;
    runtime.block_on(act(&args.what, &session)).map_err(usage_or_failure)?;
    Ok(Ended::Done)
}

async fn act(what: &What, session: &Session) -> Result<()> {
    match what {
        What::Replays(action) => replays::act(action, session).await,
        What::Files(which) => replays::files(which, session).await,
        What::Users(action) => users::act(action, session).await,
        What::Strategies(args) => deployments::strategies(args, session).await,
        What::Deployments(action) => deployments::act(action, session).await,
        What::Commands(action) => commands::act(action, session).await,
        What::Signals(args) => signals::list(args, session).await,
        What::Positions(args) => reads::positions(args, session).await,
        What::Instruments(which) => reads::instruments(which, session).await,
        What::Events(args) => reads::events(args, session).await,
        What::Projections(action) => reads::projections(action, session).await,
        What::Errors(action) => errors::act(action, session).await,
        What::Health => gateway::health(session).await,
        What::Openapi => gateway::openapi(session).await,
    }
}

/// A gateway, and how its answers are shown.
struct Session {
    client: Client,
    out: Output,
}

impl GatewayArgs {
    fn client(&self) -> Result<Client, UsageError> {
        let url = self.url.clone().or(variable(URL_VARIABLE)?).unwrap_or_else(|| DEFAULT_URL.to_owned());
        let wrong = |error: ClientError| UsageError(error.to_string());
        let client = match self.ca.clone().map_or_else(|| variable(CA_VARIABLE), |ca| Ok(Some(ca)))? {
            Some(ca) => {
                let authorities =
                    std::fs::read(&ca).map_err(|error| UsageError(format!("--ca {ca}: {error}")))?;
                Client::trusting(&url, &authorities)
            }
            None => Client::new(&url),
        };
        let client = client.map_err(wrong)?.with_timeout(self.timeout);
        // Somebody waits at the terminal: a server that is not there should be said soon.
        let client = client.with_retries(Retries { attempts: 3, ..Retries::default() });
        let client = match self.key.clone().or(variable(KEY_VARIABLE)?) {
            Some(key) => client.with_key(&key).map_err(wrong)?,
            None => client,
        };
        Ok(self.after.map_or(client.clone(), |command_id| client.reading_after(command_id)))
    }
}

/// A variable of the environment; an empty one is as good as none.
fn variable(name: &str) -> Result<Option<String>, UsageError> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(UsageError(format!("{name}: {error}"))),
    }
}

/// What is wrong with the request is wrong with the command line.
fn usage_or_failure(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::InvalidName(_) | ClientError::InvalidIdempotencyKey(_)) => {
            UsageError(error.to_string()).into()
        }
        Some(ClientError::Refused(problem)) if problem.status == 400 => UsageError(error.to_string()).into(),
        Some(ClientError::Refused(problem)) if problem.status == 401 => {
            error.context(format!("the gateway wants a key: give it in {KEY_VARIABLE}"))
        }
        Some(ClientError::Untrusted { .. }) => {
            error.context(format!("name a file of its authority with --ca FILE, or in {CA_VARIABLE}"))
        }
        _ => error,
    }
}

/// An id of a user or a replay, which is that of the command that made it.
fn parse_id(text: &str) -> Result<Uuid, String> {
    text.parse::<CommandId>().map(|id| id.0).map_err(|error| error.to_string())
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    parse_duration_ns(text).map(Duration::from_nanos).map_err(|error| error.to_string())
}
