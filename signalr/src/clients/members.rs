//! The connections of this instance, by their users and groups.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::batches::Whole;
use crate::backplane::Recipients;
use crate::outbox::Outbox;
use crate::protocol::{Codec, Protocol};

#[derive(Debug, Default)]
pub(super) struct Members {
    everyone: Set,
    /// How many speak each protocol.
    speakers: [usize; 2],
    users: HashMap<Arc<str>, Set>,
    groups: HashMap<Arc<str>, Set>,
    /// Where each connection is.
    places: HashMap<Arc<str>, Places>,
}

#[derive(Debug)]
struct Places {
    user: Option<Arc<str>>,
    groups: HashSet<Arc<str>>,
}

#[derive(Clone, Debug)]
struct Member {
    id: Arc<str>,
    outbox: Arc<Outbox>,
    codec: Codec,
}

impl Members {
    /// In no group.
    pub(super) fn add(&mut self, id: &str, outbox: &Arc<Outbox>, codec: Codec, user: Option<&str>) {
        self.remove(id);
        let member = Member { id: id.into(), outbox: outbox.clone(), codec };
        let user = user.map(|user| insert(&mut self.users, user, member.clone()));
        self.places.insert(member.id.clone(), Places { user, groups: HashSet::new() });
        self.speakers[codec.protocol as usize] += 1;
        self.everyone.insert(member);
    }

    pub(super) fn remove(&mut self, id: &str) {
        let Some(places) = self.places.remove(id) else { return };
        if let Some(member) = self.everyone.remove(id) {
            self.speakers[member.codec.protocol as usize] -= 1;
        }
        if let Some(user) = places.user {
            remove(&mut self.users, &user, id);
        }
        for group in places.groups {
            remove(&mut self.groups, &group, id);
        }
    }

    /// Whether the connection is here.
    pub(super) fn join(&mut self, id: &str, group: &str) -> bool {
        let Some(member) = self.everyone.get(id) else { return false };
        let group = insert(&mut self.groups, group, member.clone());
        if let Some(places) = self.places.get_mut(id) {
            places.groups.insert(group);
        }
        true
    }

    /// Whether the connection is here.
    pub(super) fn leave(&mut self, id: &str, group: &str) -> bool {
        let Some(places) = self.places.get_mut(id) else { return false };
        if places.groups.remove(group) {
            remove(&mut self.groups, group, id);
        }
        true
    }

    /// Calls `send` for each of a whole set.
    pub(super) fn each_of(&self, to: &Whole, mut send: impl FnMut(&Outbox, Codec)) {
        let set = match to {
            Whole::Everyone => Some(&self.everyone),
            Whole::Group(name) => self.groups.get(&**name),
        };
        set.into_iter().flat_map(|set| &set.members).for_each(|member| send(&member.outbox, member.codec));
    }

    /// Whether somebody speaks it.
    pub(super) fn speaks(&self, protocol: Protocol) -> bool {
        self.speakers[protocol as usize] > 0
    }

    /// Calls `send` for each of these once. Whether nobody of them can be on another instance.
    pub(super) fn each(&self, to: &Recipients, mut send: impl FnMut(&Outbox, Codec)) -> bool {
        let mut each = |member: &Member| send(&member.outbox, member.codec);
        match to {
            Recipients::All => self.everyone.members.iter().for_each(each),
            Recipients::AllExcept(without) => self.everyone.except(without).for_each(each),
            Recipients::GroupExcept { group, without } => {
                self.groups.get(&**group).into_iter().flat_map(|group| group.except(without)).for_each(each);
            }
            Recipients::Users(users) => once_each(&self.users, users, each),
            Recipients::Groups(groups) => once_each(&self.groups, groups, each),
            Recipients::Connections(ids) => {
                let mut all_are_here = true;
                for id in ids {
                    match self.everyone.get(id) {
                        Some(member) => each(member),
                        None => all_are_here = false,
                    }
                }
                return all_are_here;
            }
        }
        false
    }
}

/// Who is in several of the sets is called once.
fn once_each(sets: &HashMap<Arc<str>, Set>, names: &[String], mut each: impl FnMut(&Member)) {
    if let [name] = names {
        sets.get(&**name).into_iter().flat_map(|set| &set.members).for_each(each);
        return;
    }
    let mut called = HashSet::new();
    for member in names.iter().filter_map(|name| sets.get(&**name)).flat_map(|set| &set.members) {
        if called.insert(&*member.id) {
            each(member);
        }
    }
}

fn insert(sets: &mut HashMap<Arc<str>, Set>, name: &str, member: Member) -> Arc<str> {
    let name = sets.get_key_value(name).map_or_else(|| name.into(), |(name, _)| name.clone());
    sets.entry(name.clone()).or_default().insert(member);
    name
}

/// A set that is empty is forgotten.
fn remove(sets: &mut HashMap<Arc<str>, Set>, name: &str, id: &str) {
    if let Some(set) = sets.get_mut(name) {
        set.remove(id);
        if set.members.is_empty() {
            sets.remove(name);
        }
    }
}

/// Members one behind the other, so that a message for all of them is fast.
#[derive(Debug, Default)]
struct Set {
    members: Vec<Member>,
    places: HashMap<Arc<str>, usize>,
}

impl Set {
    fn get(&self, id: &str) -> Option<&Member> {
        self.places.get(id).map(|&place| &self.members[place])
    }

    fn insert(&mut self, member: Member) {
        if !self.places.contains_key(&member.id) {
            self.places.insert(member.id.clone(), self.members.len());
            self.members.push(member);
        }
    }

    fn remove(&mut self, id: &str) -> Option<Member> {
        let place = self.places.remove(id)?;
        let removed = self.members.swap_remove(place);
        if let Some(moved) = self.members.get(place) {
            self.places.insert(moved.id.clone(), place);
        }
        Some(removed)
    }

    fn except<'a>(&'a self, without: &'a [String]) -> impl Iterator<Item = &'a Member> {
        self.members.iter().filter(move |member| !without.iter().any(|id| **id == *member.id))
    }
}
