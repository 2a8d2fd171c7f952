//! Strategies with parameters, as they are written on the command line. The server knows which there are.

use std::collections::BTreeMap;

use tick_sdk::contracts::strategies::StrategySpec;

use crate::ended::UsageError;

/// Reads `apple,pear`, or one with parameters, `NAME=apple:fast=8,slow=20`, as `orchard replay --strategy` does.
pub(super) fn strategies(texts: &[String]) -> Result<Vec<StrategySpec>, UsageError> {
    let mut all = Vec::new();
    for text in texts {
        // A colon begins parameters, whose commas are their own.
        let specs: Vec<&str> = if text.contains(':') { vec![text] } else { text.split(',').collect() };
        for spec in specs {
            all.push(strategy(spec).map_err(|reason| UsageError(format!("--strategy {spec}: {reason}")))?);
        }
    }
    Ok(all)
}

/// Reads `[NAME=]STRATEGY[:PARAM=VALUE,…]`.
pub(super) fn strategy(spec: &str) -> Result<StrategySpec, String> {
    let (head, values) = spec.split_once(':').unwrap_or((spec, ""));
    let (name, strategy) = match head.split_once('=') {
        Some((name, strategy)) => (Some(name.trim().to_owned()), strategy.trim()),
        None => (None, head.trim()),
    };
    if strategy.is_empty() || name.as_deref() == Some("") {
        return Err("name a strategy: apple, or fast=apple:fast=8,slow=20".to_owned());
    }
    let values = values.split(',').map(str::trim).filter(|value| !value.is_empty());
    Ok(StrategySpec { name, strategy: strategy.to_owned(), parameters: parameters(values)? })
}

/// Reads `PARAM=VALUE` each.
pub(super) fn parameters<'a>(
    texts: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, String>, String> {
    let mut parameters = BTreeMap::new();
    for text in texts {
        let Some((name, value)) = text.split_once('=') else {
            return Err(format!("'{text}' is no parameter: write NAME=VALUE"));
        };
        if parameters.insert(name.trim().to_owned(), value.trim().to_owned()).is_some() {
            return Err(format!("the parameter '{}' is given twice", name.trim()));
        }
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<StrategySpec>, String> {
        strategies(&[text.to_owned()]).map_err(|error| error.to_string())
    }

    #[test]
    fn strategies_are_read_as_replay_reads_them() {
        let plain = |strategy: &str| StrategySpec { strategy: strategy.into(), ..StrategySpec::default() };
        assert_eq!(read("apple, pear"), Ok(vec![plain("apple"), plain("pear")]));
        let fast = StrategySpec {
            name: Some("fast".into()),
            parameters: [("fast", "8"), ("slow", "20")].map(|(n, v)| (n.into(), v.into())).into(),
            ..plain("apple")
        };
        assert_eq!(read("fast=apple:fast=8, slow=20"), Ok(vec![fast]));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, reason) in [
            ("apple:fast", "'fast' is no parameter"),
            ("apple:a=1,a=2", "'a' is given twice"),
            ("", "name a strategy"),
            ("=apple", "name a strategy"),
            ("fast=:a=1", "name a strategy"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with("--strategy ") && error.contains(reason), "{text}: {error}");
        }
    }
}
