//! `--strategy`: which strategies, with which parameters, under which names.

use anyhow::Result;
use strategy_host::host::Instance;
use tick_sdk::Scope;
use tick_sdk::groups::Groups;
use tick_sdk::host::Registration;
use tick_sdk::names::{InvalidName, StrategyName};

use crate::ended::UsageError;

/// Reads every `--strategy`: `apple,pear`, or one with parameters, `NAME=apple:fast=8,slow=20`.
pub(crate) fn parse(texts: &[String]) -> Result<Vec<Instance>> {
    let mut instances: Vec<Instance> = Vec::new();
    for text in texts {
        // A colon begins parameters, whose commas are their own.
        let specs: Vec<&str> = match text.contains(':') {
            true => vec![text],
            false => text.split(',').collect(),
        };
        for spec in specs {
            let instance = parse_one(spec.trim()).map_err(|reason| usage(spec, &reason))?;
            if instances.iter().any(|other| other.name == instance.name) {
                return Err(usage(spec, "its name is there twice: put another name before it, NAME=").into());
            }
            instances.push(instance);
        }
    }
    Ok(instances)
}

/// Refuses a strategy of groups where there are none, as it would see no tick.
pub(crate) fn expect_groups(instances: &[Instance], groups: &Groups) -> Result<()> {
    let of_groups = |instance: &&Instance| instance.configured.registration().scope == Scope::Group;
    match instances.iter().find(of_groups) {
        Some(instance) if groups.all().is_empty() => Err(UsageError(format!(
            "strategy {} trades groups of instruments, and there are none: name them with --groups FILE, \
             one `NAME = SYMBOL SYMBOL` a line",
            instance.name
        ))
        .into()),
        _ => Ok(()),
    }
}

fn usage(spec: &str, reason: &str) -> UsageError {
    UsageError(format!("--strategy {spec}: {reason}"))
}

fn parse_one(spec: &str) -> Result<Instance, String> {
    let (head, params) = spec.split_once(':').unwrap_or((spec, ""));
    let (name, strategy) = head.split_once('=').unwrap_or((head, head));
    let name: StrategyName = name.parse().map_err(|error: InvalidName| error.to_string())?;
    let registration = Registration::find(strategy).map_err(|error| error.to_string())?;
    let params = params.split(',').filter(|param| !param.trim().is_empty());
    let params = params.map(|param| match param.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err(format!("'{param}' is no parameter: write NAME=VALUE, and each further strategy in a --strategy of its own")),
    });
    let params = params.collect::<Result<Vec<_>, _>>()?;
    let configured = registration.configure(&params).map_err(|error| error.to_string())?;
    Ok(Instance { name, configured })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Result<Vec<String>, String> {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        let describe = |instance: &Instance| {
            let params: Vec<_> =
                instance.configured.params().iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {} {}", instance.name, instance.configured.registration().name, params.join(","))
        };
        parse(&texts)
            .map(|instances| instances.iter().map(describe).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn lists_names_and_parameters() {
        assert_eq!(
            read(&["apple,pear", "fast=apple:fast=8,slow=20"]).unwrap(),
            ["apple apple fast=12,slow=26", "pear pear window=200,entry=2", "fast apple fast=8,slow=20"]
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (texts, reason) in [
            (&["plum"][..], "there is no strategy 'plum'; there are: apple, "),
            (&["apple", "apple"], "there twice"),
            (&["apple:fast"], "'fast' is no parameter"),
            (&["apple:fast=x"], "fast = 'x' is not a valid u32"),
            (&["apple:window=3"], "there is no parameter 'window'; there are: fast, slow"),
            (&["apple:fast=0"], "at least 1"),
            (&["a b=apple"], "not a valid strategy name"),
            (&[""], "not a valid strategy name"),
        ] {
            let error = read(texts).unwrap_err();
            assert!(error.contains(reason), "{texts:?}: {error}");
        }
    }
}
