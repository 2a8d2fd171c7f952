//! Everything of a wish that can be known before it is played.

use thiserror::Error;
use tick_sdk::Scope;
use tick_sdk::contracts::strategies::StrategySpec;
use tick_sdk::contracts::ticks::StartReplay;
use tick_sdk::host::{Configured, Registration};
use tick_sdk::names::StrategyName;

use super::{AccountCheck, Captures, InvalidReplay, ReplaySources};

/// The most strategies of one replay.
pub const MAX_STRATEGIES: usize = 256;

/// A strategy that a replay cannot have.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidStrategy {
    /// It is not known, refuses its parameters, or has no name that signals can carry.
    #[error("strategy {name:?}: {reason}")]
    Refused {
        /// Its name, as asked for.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The signals of both would stand under one name.
    #[error("two strategies are named {name:?}: give one of them another name")]
    NameTwice {
        /// The name.
        name: String,
    },
    /// It would see no tick.
    #[error(
        "strategy {name:?} trades groups of instruments, and there are none: give them in groups, one \
         `NAME = SYMBOL SYMBOL` a line"
    )]
    NoGroups {
        /// Its name.
        name: String,
    },
    /// More than one replay may have.
    #[error("there are {count} strategies: a replay has at most {MAX_STRATEGIES}")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// None is named, and none is deployed.
    #[error(
        "strategies is empty, and none is deployed for replays: name some, as [{{\"strategy\":\"apple\"}}], or \
         deploy one first"
    )]
    NoneDeployed,
}

/// A strategy with its parameters, and the name that its signals carry.
///
/// # Errors
/// It is not known, which names those that are, or refuses a parameter, which names its own.
pub fn named_strategy(spec: &StrategySpec) -> Result<(StrategyName, Box<dyn Configured>), InvalidStrategy> {
    let name = spec.name.as_ref().filter(|name| !name.is_empty()).unwrap_or(&spec.strategy);
    let refused = |reason: String| InvalidStrategy::Refused { name: name.clone(), reason };
    let registration = Registration::find(&spec.strategy).map_err(|error| refused(error.to_string()))?;
    let parsed = name.parse::<StrategyName>().map_err(|error| refused(error.to_string()))?;
    let parameters: Vec<_> =
        spec.parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let configured = registration.configure(&parameters).map_err(|error| refused(error.to_string()))?;
    Ok((parsed, configured))
}

/// A plan that can be carried out, as far as it can be known.
pub(super) struct Checked {
    /// With its files found, and every strategy under its name.
    pub(super) plan: StartReplay,
    /// Whether it has groups of instruments.
    pub(super) has_groups: bool,
}

/// Refuses what cannot be carried out.
pub(super) fn checked(
    plan: &StartReplay,
    captures: &Captures,
    account: AccountCheck,
) -> Result<Checked, InvalidReplay> {
    let mut plan = StartReplay { files: captures.expand(&plan.files)?, ..plan.clone() };
    let sources = ReplaySources::of(&plan, captures)?;
    account.0(&plan).map_err(InvalidReplay::Account)?;
    let has_groups = !sources.groups.all().is_empty();
    check_strategies(&mut plan.strategies, has_groups)?;
    Ok(Checked { plan, has_groups })
}

/// Gives each strategy the name that it will have.
pub(super) fn check_strategies(specs: &mut [StrategySpec], has_groups: bool) -> Result<(), InvalidStrategy> {
    if specs.len() > MAX_STRATEGIES {
        return Err(InvalidStrategy::TooMany { count: specs.len() });
    }
    let mut names = std::collections::HashSet::new();
    for spec in specs {
        let (name, configured) = named_strategy(spec)?;
        if configured.registration().scope == Scope::Group && !has_groups {
            return Err(InvalidStrategy::NoGroups { name: name.to_string() });
        }
        spec.name = Some(name.to_string());
        if !names.insert(name) {
            return Err(InvalidStrategy::NameTwice { name: spec.name.clone().unwrap_or_default() });
        }
    }
    Ok(())
}
