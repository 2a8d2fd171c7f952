//! `orchard serve`: the control plane in one process, or this process's part of it.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use crate::ended::{Ended, UsageError};
use crate::serve::{self, ConfigError, DocumentsPlan, ServeConfig, ServeError, ServePlan, Serving, Stopped};
use crate::sources::on_interrupt;
use crate::stdout::stdout;
use crate::text::counted;

/// Ctrl-C lets everything end for so long.
const DRAIN: Duration = Duration::from_secs(10);
/// Where the bootstrap key is taken from.
const KEY_VARIABLE: &str = "ORCHARD_KEY";

/// Options of `orchard serve`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ServeArgs {
    /// What this process does and with whom it shares the work, as `orchard.toml` has it; the other options win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything is kept; it is made where it is missing, and goes on where it was
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The folder whose files can be replayed
    #[arg(long, value_name = "DIR")]
    captures: Option<PathBuf>,
    /// Where to accept requests; port 0 is any that is free [default: 127.0.0.1:8090]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// How many replays are played at once [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    replays: Option<u16>,
    /// Remember commands for so many days after their end; until then a repeated one is known [default: 7]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    keep_commands: Option<u32>,
    /// Remember at most so many ended commands of each context, the last ones [default: 10000000]
    #[arg(long, value_name = "N")]
    most_commands: Option<u64>,
    /// Requests of this machine need the key, too
    #[arg(long)]
    key_required: bool,
    /// Requests a second of this machine's programs together; 0 for any number [default: 20000]
    #[arg(long, value_name = "PER_S")]
    local_rate: Option<u32>,
    /// Requests a second with the key; 0 for any number [default: 2000]
    #[arg(long, value_name = "PER_S")]
    key_rate: Option<u32>,
    /// Requests a second of each address beyond this machine; 0 for any number [default: 2000]
    #[arg(long, value_name = "PER_S")]
    address_rate: Option<u32>,
    /// Open the page of the API in a browser
    #[arg(long)]
    open: bool,
    /// Make everything that is read anew of the events, while the old is served
    #[arg(long)]
    rebuild: bool,
}

const AFTER_HELP: &str = "\
Examples:
  orchard serve --state state --captures captures
  curl -s -H 'content-type: application/json' 127.0.0.1:8090/api/replays \\
    -d '{\"files\":[\"day1.zst\"],\"strategies\":[{\"strategy\":\"apple\"}]}'
  curl -s '127.0.0.1:8090/api/commands/COMMANDID?wait=30s'
  orchard serve --config orchard.toml      one of several processes, over RabbitMQ and PostgreSQL

The first line on standard output is the address, once requests are accepted. The API key is
taken from ORCHARD_KEY, or made and shown at the first start. Each key of the file can be given by
the environment, as ORCHARD_SERVE__GATEWAY__LISTEN. Ctrl-C lets requests end and replays go on at
the next start.";

pub(crate) fn run(args: &ServeArgs) -> Result<Ended> {
    let (interrupt, interrupted) = crossbeam_channel::bounded(1);
    on_interrupt(move || {
        // One wish is enough.
        let _ = interrupt.try_send(());
    })?;
    let plan = plan(args)?;
    let replays = plan.replays;
    let is_key_required = plan.is_key_required;
    let serving = serve::start(plan).map_err(usage_or_failure)?;
    say_ready(&serving)?;
    say_places(&serving, replays, is_key_required);
    if args.rebuild
        && let Some(report) = serving.rebuild()?
    {
        let seconds = report.elapsed.as_secs_f64();
        eprintln!("Rebuilt what is read of {} in {seconds:.1} s.", counted(report.events, "event"));
    }
    if args.open
        && let Some(address) = serving.address()
    {
        open_browser(&format!("{address}/docs"));
    }
    // The sender lives as long as the process.
    let _ = interrupted.recv();
    eprintln!("Stopping: what is under way has {} s to end.", DRAIN.as_secs() / 2);
    say_stopped(serving.stop(DRAIN));
    Ok(Ended::Interrupted)
}

/// The plan: options before the environment before the file.
fn plan(args: &ServeArgs) -> Result<ServePlan> {
    let mut config = ServeConfig::read(args.config.as_deref(), variables()).map_err(|error| match error {
        ConfigError::Read { .. } => anyhow::Error::from(error),
        error => UsageError(error.to_string()).into(),
    })?;
    config.state = args.state.clone().or(config.state);
    config.captures = args.captures.clone().or(config.captures);
    if let Some(listen) = args.listen {
        config.gateway.listen = vec![listen];
    }
    let gateway = &mut config.gateway;
    gateway.key_required |= args.key_required;
    gateway.local_requests_per_s = args.local_rate.or(gateway.local_requests_per_s);
    gateway.key_requests_per_s = args.key_rate.or(gateway.key_requests_per_s);
    gateway.address_requests_per_s = args.address_rate.or(gateway.address_requests_per_s);
    config.ingester.replays = args.replays.or(config.ingester.replays);
    config.services.keep_commands_days = args.keep_commands.or(config.services.keep_commands_days);
    config.services.most_commands = args.most_commands.or(config.services.most_commands);
    let mut plan = config.into_plan().map_err(|error| UsageError(error.to_string()))?;
    plan.rebuild = args.rebuild;
    plan.key = match std::env::var(KEY_VARIABLE) {
        Ok(key) if key.is_empty() => None,
        Ok(key) => Some(key),
        Err(std::env::VarError::NotPresent) => None,
        Err(error) => return Err(UsageError(format!("{KEY_VARIABLE}: {error}")).into()),
    };
    Ok(plan)
}

/// What the environment says in text; other variables are none of ours.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)))
}

fn usage_or_failure(error: ServeError) -> anyhow::Error {
    match error {
        ServeError::Plan(advice) => UsageError(advice.to_owned()).into(),
        ServeError::Captures(error) => UsageError(format!("--captures: {error}")).into(),
        ServeError::Key => UsageError(format!("{KEY_VARIABLE}: {error}")).into(),
        error => error.into(),
    }
}

/// Whoever started the process reads this line: the address, where it may then send, or that it is ready.
fn say_ready(serving: &Serving) -> Result<()> {
    let line = serving.address().unwrap_or_else(|| "ready".to_owned());
    let mut out = stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("writing the address")
}

fn say_places(serving: &Serving, replays: u16, is_key_required: bool) {
    let roles = serving.roles();
    let address = serving.address();
    match &address {
        Some(address) => eprintln!("Orchard serves at {address}"),
        None => eprintln!("Orchard serves"),
    }
    eprintln!("  Roles     {roles}");
    if let Some(address) = &address {
        eprintln!("  API       {address}/docs, {address}/openapi.json");
    }
    if let Some(captures) = serving.captures() {
        eprintln!("  Captures  {}, {} at once", captures.display(), counted(replays.into(), "replay"));
    }
    eprintln!("  State     {}", serving.state().display());
    if serving.documents() == DocumentsPlan::Shared {
        let kept =
            if roles.projections { "kept up to date by one process at a time" } else { "made by others" };
        eprintln!("  Documents in the database, {kept}");
    }
    if address.is_none() {
        return;
    }
    match serving.made_key() {
        Some(key) => eprintln!("  Key       {key}  (shown this once; the state has its hash)"),
        None => eprintln!(
            "  Key       {}",
            if std::env::var_os(KEY_VARIABLE).is_some() { "of ORCHARD_KEY" } else { "as at the first start" }
        ),
    }
    let local = if is_key_required { "need it, too" } else { "need none" };
    eprintln!("            programs of this machine {local}");
}

fn say_stopped(stopped: Stopped) {
    let Stopped { replays_given_back, is_clean, elapsed } = stopped;
    let replays = match replays_given_back {
        0 => String::new(),
        count => format!(" {} at the next start.", goes_on(count)),
    };
    let rest = if is_clean {
        ""
    } else {
        " Something did not end in time and was cut off; nothing that was accepted is lost."
    };
    eprintln!("Stopped after {:.1} s.{replays}{rest}", elapsed.as_secs_f64());
}

fn goes_on(replays: u32) -> String {
    let verb = if replays == 1 { "goes on" } else { "go on" };
    format!("{} {verb}", counted(replays.into(), "replay"))
}

/// Whoever has no browser reads the address.
fn open_browser(address: &str) {
    let program = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    let opened = std::process::Command::new(program)
        .arg(address)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    if let Err(error) = opened {
        eprintln!("{program} cannot be started ({error}): open {address}");
    }
}
