//! How ticks spread over instruments, and instruments over shards.

use tick_feed::run::key_hash;

/// An instrument or a group.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Key {
    pub(in crate::plan) name: String,
    /// Of all ticks.
    pub(in crate::plan) share: f64,
    /// Made once, as many numbers of shards are tried.
    hash: u64,
}

impl Key {
    pub(in crate::plan) fn new(name: String, share: f64) -> Self {
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

/// Instruments as `orchard generate` has them: number i has a part proportional to 1 / i^skew.
pub(in crate::plan) fn zipf(instruments: u32, skew: f64) -> Vec<(String, f64)> {
    let weight = |i: u32| f64::from(i + 1).powf(-skew);
    let total: f64 = (0..instruments).map(weight).sum();
    (0..instruments).map(|i| (format!("S{i:05}"), weight(i) / total)).collect()
}
