//! How ticks spread over instruments, and instruments over shards.

use std::collections::BTreeMap;

use tick_sdk::groups::Groups;

use super::error::PlanError;
use crate::run::key_hash;

/// An instrument or a group: what is in one shard with all its ticks.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its name, which decides its shard.
    pub name: String,
    /// The part of all ticks that it has, from 0 to 1.
    pub share: f64,
    /// Made once, as many numbers of shards are tried.
    hash: u64,
}

impl Key {
    /// A key with its part of all ticks, from 0 to 1.
    pub fn new(name: String, share: f64) -> Self {
        Self { hash: key_hash(&name), name, share }
    }
}

/// What falls to one shard.
#[derive(Clone, Copy, Default)]
pub(super) struct ShardLoad {
    /// Of all ticks.
    pub(super) share: f64,
    pub(super) keys: usize,
    /// The place of its key with the most ticks.
    pub(super) first: Option<usize>,
}

pub(super) fn loads(keys: &[Key], shards: u16) -> Vec<ShardLoad> {
    let mut loads = vec![ShardLoad::default(); shards.into()];
    for (place, key) in keys.iter().enumerate() {
        // As `shard_of` has it.
        let load = &mut loads[(key.hash % u64::from(shards)) as usize];
        load.share += key.share;
        load.keys += 1;
        if load.first.is_none_or(|first| keys[first].share < key.share) {
            load.first = Some(place);
        }
    }
    loads
}

/// Instruments as `orchard generate` has them, each with its part of all ticks: number i has one proportional
/// to 1 / i^skew.
pub fn zipf(instruments: u32, skew: f64) -> Vec<(String, f64)> {
    let weight = |i: u32| f64::from(i + 1).powf(-skew);
    let total: f64 = (0..instruments).map(weight).sum();
    (0..instruments).map(|i| (format!("S{i:05}"), weight(i) / total)).collect()
}

/// Instruments with their parts of all ticks, of each one's number of ticks. An instrument may come more than
/// once.
///
/// # Errors
/// [`PlanError::NoTicks`] if there is not one tick.
pub fn shares(ticks: Vec<(String, f64)>) -> Result<Vec<(String, f64)>, PlanError> {
    let total: f64 = ticks.iter().map(|(_, ticks)| ticks).sum();
    if total == 0.0 {
        return Err(PlanError::NoTicks);
    }
    Ok(ticks.into_iter().map(|(symbol, ticks)| (symbol, ticks / total)).collect())
}

/// The keys of instruments with their parts of all ticks: a group's members are one key.
pub fn keys(shares: &[(String, f64)], groups: &Groups) -> Vec<Key> {
    let mut keys = BTreeMap::<&str, f64>::new();
    for (symbol, share) in shares {
        *keys.entry(groups.key_of(symbol)).or_default() += share;
    }
    keys.into_iter().map(|(key, share)| Key::new(key.to_owned(), share)).collect()
}
