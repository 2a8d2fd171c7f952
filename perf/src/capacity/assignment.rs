//! Which instance of a strategy has a shard: as the product's members assign them.

use std::collections::BTreeSet;

use strategy_host::host::membership::assigned;

use super::scenario::Scenario;

/// The shards of each instance, by rendezvous hashing of the members' names. A real member's name is random,
/// and these are fixed, so that a scenario always gives the same report: all strategies and feeds have the same
/// one draw.
pub(super) fn shards_by_instance(scenario: &Scenario) -> Vec<BTreeSet<u16>> {
    let members: Vec<String> = (0..scenario.instances).map(|number| format!("host-{number}")).collect();
    members.iter().map(|member| assigned(&members, member, scenario.shards)).collect()
}

/// The instance that has each shard: the inverse of [`shards_by_instance`].
pub(super) fn instance_by_shard(scenario: &Scenario) -> Vec<usize> {
    let mut instances = vec![0; scenario.shards.into()];
    for (instance, shards) in shards_by_instance(scenario).into_iter().enumerate() {
        for shard in shards {
            instances[usize::from(shard)] = instance;
        }
    }
    instances
}
