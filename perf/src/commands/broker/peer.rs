//! MassTransit on the same servers, by the program that `../shared/peers` describes.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use super::CommandsError;
use super::place::Servers;
use crate::peers::child;

/// Where the program is unless it is named.
const BESIDE: &str = "../shared/peers/run";
/// Commands that are sent without their confirms.
const IN_FLIGHT: &str = "1000";
/// Deliveries on their way, as where it does best.
const PREFETCH: &str = "64";
/// A run of it is done by then.
const PATIENCE: Duration = Duration::from_secs(600);

/// Starts it, with what it has to know.
pub(super) struct Peer {
    program: PathBuf,
    broker_port: String,
    management_port: String,
    postgres: String,
}

impl Peer {
    pub(super) fn new(program: Option<PathBuf>, servers: &Servers) -> Result<Self, CommandsError> {
        let program = program.or_else(|| std::env::var_os("ORCHARD_DOTNET_PEER").map(PathBuf::from));
        let options: PgConnectOptions = servers.database.parse()?;
        let (host, port, user) = (options.get_host(), options.get_port(), options.get_username());
        let database = options.get_database().unwrap_or(user);
        let postgres =
            format!("Host={host};Port={port};Username={user};Database={database};Maximum Pool Size=64");
        let management = std::env::var("ORCHARD_TEST_MANAGEMENT").unwrap_or_default();
        Ok(Self {
            program: program.unwrap_or_else(|| BESIDE.into()),
            broker_port: port_of(&servers.broker).unwrap_or("5672").to_owned(),
            management_port: port_of(&management).unwrap_or("15672").to_owned(),
            postgres,
        })
    }

    /// Handlers of one transaction each, so many at once.
    pub(super) fn drained(&self, at_once: u16, commands: u64) -> Result<f64, String> {
        let (count, at_once) = (commands.to_string(), at_once.to_string());
        self.run(&["publish", &count, IN_FLIGHT])?;
        self.run(&["drain", "db", PREFETCH, &at_once, &count])
    }

    /// .NET's plain loop in batches of 100, which says what this machine is to others.
    pub(super) fn plain(&self, commands: u64) -> Result<f64, String> {
        let count = commands.to_string();
        self.run(&["publish", &count, IN_FLIGHT])?;
        self.run(&["plain", "100", &count])
    }

    fn run(&self, args: &[&str]) -> Result<f64, String> {
        let mut command = Command::new(&self.program);
        command.args(["masstransit-bench", "bench"]).args(args);
        command.env("BROKER_PORT", &self.broker_port).env("MANAGEMENT_PORT", &self.management_port);
        command.env("POSTGRES", &self.postgres);
        let said = child::run(&mut command, PATIENCE)?;
        per_s(&said).ok_or_else(|| format!("it says no rate: {}", said.trim()))
    }
}

/// The port of a URL.
fn port_of(url: &str) -> Option<&str> {
    let place = url.split_once("://")?.1.split('/').next()?;
    let port = place.rsplit_once('@').map_or(place, |(_, place)| place).rsplit_once(':')?.1;
    port.parse::<u16>().is_ok().then_some(port)
}

/// The rate in a line such as `drained, db, prefetch 64, 32 at once: 2,320/s (…)`.
fn per_s(said: &str) -> Option<f64> {
    let rate = said.lines().rev().find_map(|line| line.split_once("/s"))?.0;
    rate.rsplit(' ').next()?.replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_rates_are_read() {
        assert_eq!(port_of("amqp://guest:guest@127.0.0.1:22790/%2f"), Some("22790"));
        assert_eq!(port_of("http://127.0.0.1:20886"), Some("20886"));
        assert_eq!(port_of("amqp://localhost/"), None);
        let said = "drained, db, prefetch 64, 32 at once: 2320/s (1.9 s CPU, 119 MiB peak, start included)\n";
        assert_eq!(per_s(said), Some(2320.0));
        assert_eq!(per_s("nothing"), None);
    }
}
