//! Which member has a shard: rendezvous hashing, so that a member that comes or goes moves only the
//! shards that it gets or had.

use std::collections::BTreeSet;

use super::hash::fnv;
use crate::ledger::LaneRow;

/// The shards of member `me` among the `members` that live: a shard belongs to the member with the
/// highest hash of (member, shard). Every member computes the same from the same list, in whatever
/// order that is. Empty where `me` is not among them.
pub fn assigned(members: &[String], me: &str, shards: u16) -> BTreeSet<u16> {
    (0..shards).filter(|&shard| owner(members, shard) == Some(me)).collect()
}

/// Whether these lanes of one strategy are all there are, and their run's end is committed.
pub fn has_ended(lanes: &[LaneRow], shards: u16) -> bool {
    lanes.len() == usize::from(shards) && lanes.iter().all(|row| row.ended)
}

fn owner(members: &[String], shard: u16) -> Option<&str> {
    // Names decide between equal hashes, so that the order of the list never does.
    members.iter().map(String::as_str).max_by_key(|member| (weight(member, shard), *member))
}

/// FNV-1a of the name, mixed with the shard by the finaliser of SplitMix64: FNV alone hardly changes
/// the high bits with the last byte, and those decide which hash is the highest.
fn weight(member: &str, shard: u16) -> u64 {
    mix(mix(fnv(member)).wrapping_add(mix(u64::from(shard) + 1)))
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owners(members: &[String], shards: u16) -> Vec<Option<String>> {
        (0..shards).map(|shard| owner(members, shard).map(str::to_owned)).collect()
    }

    fn names(numbers: &BTreeSet<u64>) -> Vec<String> {
        numbers.iter().map(|number| format!("trader-{number}-{:016x}", number * 7919)).collect()
    }

    proptest! {
        #[test]
        fn every_shard_has_one_owner_whatever_the_order_of_the_members(
            numbers in proptest::collection::btree_set(any::<u32>().prop_map(u64::from), 1..12),
            shards in 0..300u16,
        ) {
            let members = names(&numbers);
            let reversed: Vec<String> = members.iter().rev().cloned().collect();
            let parts = members.iter().map(|me| assigned(&members, me, shards));
            let mut all: Vec<u16> = parts.flatten().collect();
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..shards));
            prop_assert_eq!(owners(&members, shards), owners(&reversed, shards));
        }

        #[test]
        fn a_member_that_joins_or_leaves_moves_only_its_own_shards(
            numbers in proptest::collection::btree_set(any::<u32>().prop_map(u64::from), 2..12),
            which in any::<prop::sample::Index>(),
            shards in 1..300u16,
        ) {
            let all = names(&numbers);
            let mut others = all.clone();
            let joins = others.remove(which.index(all.len()));
            for (with, without) in owners(&all, shards).into_iter().zip(owners(&others, shards)) {
                prop_assert!(with == without || with.as_deref() == Some(joins.as_str()), "{with:?} {without:?}");
            }
        }
    }

    #[test]
    fn shards_are_spread_about_evenly_and_a_join_moves_its_part() {
        const SHARDS: u16 = 1024;
        for count in [2, 3, 5, 8] {
            let members: Vec<String> = (0..count).map(|n| format!("host-{n}")).collect();
            let even = f64::from(SHARDS) / f64::from(count);
            for me in &members {
                let part = assigned(&members, me, SHARDS).len() as f64;
                assert!((0.75..1.25).contains(&(part / even)), "{me} of {count} has {part} of {SHARDS}");
            }
            let before = owners(&members[1..], SHARDS);
            let moved =
                owners(&members, SHARDS).iter().zip(&before).filter(|(now, then)| now != then).count();
            assert!((0.75..1.25).contains(&(moved as f64 / even)), "{moved} moved at {count} members");
        }
    }

    #[test]
    fn whoever_is_not_a_member_has_nothing() {
        assert!(assigned(&["other".to_owned()], "me", 4).is_empty());
        assert!(assigned(&[], "me", 4).is_empty());
    }
}
