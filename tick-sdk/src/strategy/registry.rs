//! Strategies register where they are written and are found by name.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use thiserror::Error;

use super::{Lane, ParamError, ParamInfo, Params, Scope, Strategy, TypedLane};
use crate::groups::Groups;

/// A strategy that a user can name.
pub struct Registration {
    /// The name.
    pub name: &'static str,
    /// One line about it.
    pub summary: &'static str,
    /// Its version, which identifies stored state.
    pub version: u32,
    /// What one object of it stands for.
    pub scope: Scope,
    /// Its parameters.
    pub params: &'static [ParamInfo],
    /// Where it was registered.
    pub origin: Origin,
    configure: Configure,
}

/// The place where a strategy was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The crate's name.
    pub package: &'static str,
    /// The path of the module.
    pub module: &'static str,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "crate {} (in {})", self.package, self.module)
    }
}

/// Two strategies of one program have the same name, so that a user could not say which is meant.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "two strategies are named {name}: one of {first}, one of {second}\n  change `const NAME` of one of them"
)]
pub struct DuplicateStrategy {
    /// The name.
    pub name: &'static str,
    /// Where one of them was registered.
    pub first: Origin,
    /// Where the other one was registered.
    pub second: Origin,
}

/// A name under which no single strategy was found.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FindStrategyError {
    /// No strategy has this name.
    #[error("there is no strategy '{name}'; there are: {known}")]
    Unknown {
        /// As it was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// Two have one name.
    #[error(transparent)]
    Duplicate(#[from] DuplicateStrategy),
}

type Configure = fn(&'static Registration, &[(String, String)]) -> Result<Box<dyn Configured>, ParamError>;

inventory::collect!(Registration);

/// A strategy with its parameters set, from which a lane is made for each shard.
pub trait Configured: Send + Sync {
    /// Where it comes from.
    fn registration(&self) -> &'static Registration;
    /// Every parameter with its value as text.
    fn params(&self) -> Vec<(&'static str, String)>;
    /// A lane that has seen nothing.
    fn lane(&self, groups: &Arc<Groups>) -> Box<dyn Lane>;
}

impl Registration {
    /// The registration of `S`; used by [`register!`](crate::register).
    pub const fn of<S: Strategy>(origin: Origin) -> Self {
        Self {
            name: S::NAME,
            summary: S::SUMMARY,
            version: S::VERSION,
            scope: S::SCOPE,
            params: S::Params::INFO,
            origin,
            configure: configure::<S>,
        }
    }

    /// Every registered strategy, in order of name.
    ///
    /// # Errors
    /// Two have one name.
    pub fn all() -> Result<Vec<&'static Self>, DuplicateStrategy> {
        let mut all: Vec<_> = inventory::iter::<Self>.into_iter().collect();
        all.sort_by_key(|registration| (registration.name, registration.origin.package));
        for pair in all.windows(2) {
            let [first, second] = [pair[0], pair[1]];
            if first.name == second.name {
                return Err(DuplicateStrategy {
                    name: first.name,
                    first: first.origin,
                    second: second.origin,
                });
            }
        }
        Ok(all)
    }

    /// The strategy of this name.
    ///
    /// # Errors
    /// There is none, or two strategies of the program have one name.
    pub fn find(name: &str) -> Result<&'static Self, FindStrategyError> {
        let all = Self::all()?;
        all.iter().find(|registration| registration.name == name).copied().ok_or_else(|| {
            let known: Vec<_> = all.iter().map(|registration| registration.name).collect();
            FindStrategyError::Unknown { name: name.to_owned(), known: known.join(", ") }
        })
    }

    /// Sets parameters; those not named keep their defaults.
    ///
    /// # Errors
    /// A parameter that is unknown, of another type, or refused by the strategy.
    pub fn configure(&'static self, params: &[(String, String)]) -> Result<Box<dyn Configured>, ParamError> {
        (self.configure)(self, params)
    }
}

struct WithParams<S: Strategy> {
    registration: &'static Registration,
    params: S::Params,
    strategy: PhantomData<fn() -> S>,
}

fn configure<S: Strategy>(
    registration: &'static Registration,
    values: &[(String, String)],
) -> Result<Box<dyn Configured>, ParamError> {
    let mut params = S::Params::default();
    for (name, text) in values {
        params.set(name, text)?;
    }
    S::check(&params).map_err(ParamError::Refused)?;
    Ok(Box::new(WithParams::<S> { registration, params, strategy: PhantomData }))
}

impl<S: Strategy> Configured for WithParams<S> {
    fn registration(&self) -> &'static Registration {
        self.registration
    }

    fn params(&self) -> Vec<(&'static str, String)> {
        self.params.values()
    }

    fn lane(&self, groups: &Arc<Groups>) -> Box<dyn Lane> {
        Box::new(TypedLane::<S>::new(self.params.clone(), groups.clone()))
    }
}
