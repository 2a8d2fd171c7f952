//! What is deployed for replays that name no strategies.
//!
//! Each of the three events has a lane of its own, and one that failed comes again later: they may come in any
//! order. So a row keeps the position of the event that each of its parts is of, and a part is changed by a later
//! event only.

use bus::{Consumer, HandlerError, Message, Row, Tables, Work, values};
use tick_sdk::contracts::strategies::{ParametersChanged, StrategyDeployed, StrategySpec, StrategyStopped};

/// The deployments that take part in replays, in order of name, each under the name of its lane.
pub(super) fn for_replays(tables: &mut dyn Tables) -> Result<Vec<StrategySpec>, HandlerError> {
    let sql = "SELECT name, strategy, parameters, revision FROM deployed \
               WHERE is_for_replays = 1 AND deployed_at > stopped_at ORDER BY name";
    let rows = tables.query(sql, &[])?;
    let spec = |row: &Row| {
        let (name, parameters, revision): (String, String, u32) = (row.get(0)?, row.get(2)?, row.get(3)?);
        let name = if revision > 1 { format!("{name}@{revision}") } else { name };
        let parameters = serde_json::from_str(&parameters)?;
        Ok(StrategySpec { name: Some(name), strategy: row.get(1)?, parameters })
    };
    rows.iter().map(spec).collect()
}

#[derive(Default)]
struct OnStrategyDeployed;

impl Consumer for OnStrategyDeployed {
    type Event = StrategyDeployed;

    async fn consume(
        &self,
        message: &Message<StrategyDeployed>,
        work: &mut Work<'_>,
    ) -> Result<(), HandlerError> {
        let deployed = &message.body;
        let position = message.position;
        let tables = work.tables()?;
        let sql = "INSERT INTO deployed (name, strategy, is_for_replays, deployed_at) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (name) DO UPDATE SET strategy = excluded.strategy, \
                   is_for_replays = excluded.is_for_replays, deployed_at = excluded.deployed_at \
                   WHERE excluded.deployed_at > deployed.deployed_at";
        let is_for_replays = deployed.feed.is_none();
        tables.execute(sql, &values![&deployed.name, &deployed.strategy, is_for_replays, position])?;
        set_parameters(tables, &deployed.name, &deployed.parameters, deployed.revision, position)
    }
}

bus::consumer!(OnStrategyDeployed, in "ticks");

#[derive(Default)]
struct OnParametersChanged;

impl Consumer for OnParametersChanged {
    type Event = ParametersChanged;

    async fn consume(
        &self,
        message: &Message<ParametersChanged>,
        work: &mut Work<'_>,
    ) -> Result<(), HandlerError> {
        let changed = &message.body;
        set_parameters(work.tables()?, &changed.name, &changed.parameters, changed.revision, message.position)
    }
}

bus::consumer!(OnParametersChanged, in "ticks");

#[derive(Default)]
struct OnStrategyStopped;

impl Consumer for OnStrategyStopped {
    type Event = StrategyStopped;

    async fn consume(
        &self,
        message: &Message<StrategyStopped>,
        work: &mut Work<'_>,
    ) -> Result<(), HandlerError> {
        let sql = "INSERT INTO deployed (name, stopped_at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET \
                   stopped_at = excluded.stopped_at WHERE excluded.stopped_at > deployed.stopped_at";
        work.tables()?.execute(sql, &values![&message.body.name, message.position])?;
        Ok(())
    }
}

bus::consumer!(OnStrategyStopped, in "ticks");

fn set_parameters(
    tables: &mut dyn Tables,
    name: &str,
    parameters: &std::collections::BTreeMap<String, String>,
    revision: u32,
    position: u64,
) -> Result<(), HandlerError> {
    let parameters = serde_json::to_string(parameters)?;
    let sql = "INSERT INTO deployed (name, parameters, revision, changed_at) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (name) DO UPDATE SET parameters = excluded.parameters, \
               revision = excluded.revision, changed_at = excluded.changed_at \
               WHERE excluded.changed_at > deployed.changed_at";
    tables.execute(sql, &values![name, parameters, revision, position])?;
    Ok(())
}
