//! A deployment as a row, and its parameters.

use std::collections::BTreeMap;

use bus::{HandlerError, Tables, TablesError, values};
use tick_sdk::host::Registration;

/// So many deployments are named in a refusal.
const MOST_NAMED: usize = 20;

/// What there is under a name.
pub(super) struct Deployment {
    pub(super) strategy: String,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) revision: u32,
    pub(super) is_stopped: bool,
}

impl Deployment {
    /// What changes with it: its revision, and whether it is stopped.
    pub(super) const fn version(&self) -> (u32, bool) {
        (self.revision, self.is_stopped)
    }

    /// The name of its lane on a feed.
    pub(super) fn lane(&self, name: &str) -> String {
        format!("{name}@{}", self.revision)
    }
}

/// What there is or was under this name.
pub(super) fn find(tables: &mut dyn Tables, name: &str) -> Result<Option<Deployment>, HandlerError> {
    let sql = "SELECT strategy, parameters, revision, is_stopped FROM deployment WHERE name = $1";
    let Some(row) = tables.query_first(sql, &values![name])? else { return Ok(None) };
    Ok(Some(Deployment {
        strategy: row.get(0)?,
        parameters: serde_json::from_str(&row.get::<String>(1)?)?,
        revision: row.get(2)?,
        is_stopped: row.get(3)?,
    }))
}

/// The deployment of this name that is not stopped; the refusal names those there are.
pub(super) fn find_running(tables: &mut dyn Tables, name: &str) -> Result<Deployment, HandlerError> {
    if let Some(found) = find(tables, name)?.filter(|found| !found.is_stopped) {
        return Ok(found);
    }
    let sql = "SELECT name FROM deployment WHERE is_stopped = 0 ORDER BY name LIMIT $1";
    let found = tables.query(sql, &values![MOST_NAMED as u64 + 1])?;
    let mut names = found.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, TablesError>>()?;
    if names.len() > MOST_NAMED {
        names[MOST_NAMED] = "…".to_owned();
    }
    let there_are = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Err(HandlerError::refused(format!("there is no deployment '{name}'; there are: {there_are}")))
}

/// Stores what there is under a name from now on, where there is still what was found.
pub(super) fn store(
    tables: &mut dyn Tables,
    name: &str,
    found: Option<(u32, bool)>,
    now: &Deployment,
) -> Result<(), HandlerError> {
    let sql = "INSERT INTO deployment (name, strategy, parameters, revision, is_stopped) \
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO UPDATE SET strategy = excluded.strategy, \
               parameters = excluded.parameters, revision = excluded.revision, is_stopped = excluded.is_stopped \
               WHERE deployment.revision = $6 AND deployment.is_stopped = $7";
    let parameters = serde_json::to_string(&now.parameters)?;
    let (revision, is_stopped) = found.unzip();
    let row = values![name, &now.strategy, parameters, now.revision, now.is_stopped, revision, is_stopped];
    if tables.execute(sql, &row)? == 0 {
        // Only a store with several writers lets another transaction come in between.
        return Err(HandlerError::failed(format!("deployment '{name}' was changed meanwhile")));
    }
    Ok(())
}

/// Every parameter of a strategy with its value, those not given with their defaults. A strategy or parameter
/// that is not known is refused with the known ones.
pub(super) fn checked_parameters(
    strategy: &str,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, HandlerError> {
    let refused = |reason: String| HandlerError::refused(reason);
    let registration = Registration::find(strategy).map_err(|error| refused(error.to_string()))?;
    let given: Vec<_> = given.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let configured =
        registration.configure(&given).map_err(|error| refused(format!("strategy {strategy}: {error}")))?;
    Ok(configured.params().into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
