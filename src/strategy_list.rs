//! `orchard strategies`: what can be run, and with which parameters.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;
use serde::Serialize;
// Without this line a program that names nothing of that crate would be linked without Apple and Pear.
use strategies as _;
use tick_sdk::host::Registration;

use crate::ended::Ended;

/// Options of `orchard strategies`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct StrategiesArgs {
    /// One JSON array, for machines
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  orchard strategies
  orchard strategies --json

How to run one, with its defaults, with others, and two side by side of which one is named fast:
  orchard replay capture.gz --strategy apple
  orchard replay capture.gz --strategy apple:fast=8,slow=20
  orchard replay capture.gz --strategy apple --strategy fast=apple:fast=8,slow=20

A strategy of scope group needs --groups FILE, with a line like: btc-eth = BTCUSDT ETHUSDT";

pub(crate) fn run(args: StrategiesArgs) -> Result<Ended> {
    let all: Vec<_> = Registration::all()?.into_iter().map(Listed::new).collect();
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
    } else {
        write_text(&mut out, &all)?;
    }
    Ok(Ended::Done)
}

/// One strategy as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    name: &'static str,
    summary: &'static str,
    scope: &'static str,
    version: u32,
    params: Vec<ListedParam>,
    /// Why the strategy does not run with defaults alone, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    defaults_refused: Option<String>,
}

#[derive(Debug, Serialize)]
struct ListedParam {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    default: Option<String>,
    help: &'static str,
}

impl Listed {
    fn new(registration: &'static Registration) -> Self {
        let (defaults, defaults_refused) = match registration.configure(&[]) {
            Ok(configured) => (configured.params(), None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let param = |info: &tick_sdk::host::ParamInfo| ListedParam {
            name: info.name,
            kind: info.kind,
            default: defaults.iter().find(|(name, _)| *name == info.name).map(|(_, value)| value.clone()),
            help: info.help.trim(),
        };
        Self {
            name: registration.name,
            summary: registration.summary,
            scope: registration.scope.name(),
            version: registration.version,
            params: registration.params.iter().map(param).collect(),
            defaults_refused,
        }
    }
}

fn write_text(out: &mut impl Write, all: &[Listed]) -> io::Result<()> {
    for (i, strategy) in all.iter().enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        let Listed { name, summary, scope, version, .. } = strategy;
        writeln!(out, "{name}: {summary}\n  per {scope}, version {version}")?;
        write_params(out, &strategy.params)?;
        if let Some(reason) = &strategy.defaults_refused {
            writeln!(out, "  its defaults alone are refused: {reason}")?;
        }
    }
    Ok(())
}

/// `name=default  type  help`, in columns.
fn write_params(out: &mut impl Write, params: &[ListedParam]) -> io::Result<()> {
    let setting = |param: &ListedParam| format!("{}={}", param.name, param.default.as_deref().unwrap_or("?"));
    let settings: Vec<_> = params.iter().map(setting).collect();
    let width = settings.iter().map(|setting| setting.chars().count()).max().unwrap_or(0);
    let kind_width = params.iter().map(|param| param.kind.len()).max().unwrap_or(0);
    for (setting, ListedParam { kind, help, .. }) in settings.iter().zip(params) {
        writeln!(out, "    {setting:width$}  {kind:kind_width$}  {help}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str) -> Listed {
        Listed::new(Registration::find(name).unwrap())
    }

    #[test]
    fn parameters_stand_in_columns_with_their_defaults() {
        let mut text = Vec::new();
        write_text(&mut text, &[listed("apple"), listed("pear")]).unwrap();
        let expected = "\
apple: trend: two exponential averages of trade prices cross
  per instrument, version 1
    fast=12  u32  Period of the fast average, in trades; at least 1.
    slow=26  u32  Period of the slow average, in trades; at least 1.

pear: mean reversion: the mid price leaves its exponential mean and comes back
  per instrument, version 1
    window=200  u32  Period of mean and variance, in evaluations of the book; it acts only after as many.
    entry=2     f64  Deviations from the mean at which it opens a position.
";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn machines_get_every_field_under_its_name() {
        let json = serde_json::to_value(listed("apple")).unwrap();
        let slow = serde_json::json!({
            "name": "slow",
            "type": "u32",
            "default": "26",
            "help": "Period of the slow average, in trades; at least 1.",
        });
        assert_eq!(json["name"], "apple");
        assert_eq!(json["scope"], "instrument");
        assert_eq!(json["version"], 1);
        assert_eq!(json["params"][1], slow);
    }
}
