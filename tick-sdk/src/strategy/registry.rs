//! Strategies register where they are written and are found by name.

use std::marker::PhantomData;
use std::sync::Arc;

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
    configure: Configure,
}

type Configure = fn(&[(String, String)]) -> Result<Box<dyn Configured>, ParamError>;

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
    pub const fn of<S: Strategy>() -> Self {
        Self {
            name: S::NAME,
            summary: S::SUMMARY,
            version: S::VERSION,
            scope: S::SCOPE,
            params: S::Params::INFO,
            configure: configure::<S>,
        }
    }

    /// Every registered strategy, by name.
    pub fn all() -> Vec<&'static Self> {
        let mut all: Vec<_> = inventory::iter::<Self>.into_iter().collect();
        all.sort_by_key(|registration| registration.name);
        all
    }

    /// The strategy of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        inventory::iter::<Self>.into_iter().find(|registration| registration.name == name)
    }

    /// Sets parameters; those not named keep their defaults.
    ///
    /// # Errors
    /// A parameter that is unknown, of another type, or refused by the strategy.
    pub fn configure(&self, params: &[(String, String)]) -> Result<Box<dyn Configured>, ParamError> {
        (self.configure)(params)
    }
}

struct WithParams<S: Strategy> {
    params: S::Params,
    strategy: PhantomData<fn() -> S>,
}

fn configure<S: Strategy>(values: &[(String, String)]) -> Result<Box<dyn Configured>, ParamError> {
    let mut params = S::Params::default();
    for (name, text) in values {
        params.set(name, text)?;
    }
    S::check(&params).map_err(ParamError::Refused)?;
    Ok(Box::new(WithParams::<S> { params, strategy: PhantomData }))
}

impl<S: Strategy> Configured for WithParams<S> {
    fn registration(&self) -> &'static Registration {
        Registration::find(S::NAME).expect("it was configured through its registration")
    }

    fn params(&self) -> Vec<(&'static str, String)> {
        self.params.values()
    }

    fn lane(&self, groups: &Arc<Groups>) -> Box<dyn Lane> {
        Box::new(TypedLane::<S>::new(self.params.clone(), groups.clone()))
    }
}
