//! Which strategies, with which parameters, under which names, as text.

use strategy_host::host::Instance;
use thiserror::Error;
use tick_sdk::Scope;
use tick_sdk::groups::Groups;
use tick_sdk::host::Registration;
use tick_sdk::names::{InvalidName, StrategyName};

/// Text that names no strategy with parameters that it has.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{spec}: {reason}")]
pub struct StrategySpecError {
    /// The part of the text in question.
    pub spec: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Reads `apple,pear`, or one with parameters, `NAME=apple:fast=8,slow=20`; each text one of these.
///
/// # Errors
/// A strategy is not known, refuses its parameters, or has a name that is there already.
pub fn parse_strategies<T: AsRef<str>>(texts: &[T]) -> Result<Vec<Instance>, StrategySpecError> {
    let mut instances: Vec<Instance> = Vec::new();
    for text in texts.iter().map(AsRef::as_ref) {
        // A colon begins parameters, whose commas are their own.
        let specs: Vec<&str> = if text.contains(':') { vec![text] } else { text.split(',').collect() };
        for spec in specs {
            let refused = |reason| StrategySpecError { spec: spec.to_owned(), reason };
            let instance = parse_one(spec.trim()).map_err(refused)?;
            if instances.iter().any(|other| other.name == instance.name) {
                let reason = "its name is there twice: put another name before it, NAME=";
                return Err(refused(reason.to_owned()));
            }
            instances.push(instance);
        }
    }
    Ok(instances)
}

/// The first instance of a strategy of groups, where there are no groups: it would see no tick.
pub fn instance_without_groups<'a>(instances: &'a [Instance], groups: &Groups) -> Option<&'a Instance> {
    let of_groups = |instance: &&Instance| instance.configured.registration().scope == Scope::Group;
    instances.iter().find(|instance| groups.all().is_empty() && of_groups(instance))
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
        parse_strategies(&texts)
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
