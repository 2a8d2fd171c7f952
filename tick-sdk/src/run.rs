//! A run: one pass over one source, and the groups it puts instruments into.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Names one run: 16 random bytes, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
#[repr(transparent)]
pub struct RunId(pub [u8; 16]);

impl RunId {
    /// An id that no other run has.
    pub fn random() -> Self {
        let draw = || RandomState::new().hash_one(std::process::id()).to_le_bytes();
        let mut id = [0; 16];
        id[..8].copy_from_slice(&draw());
        id[8..].copy_from_slice(&draw());
        Self(id)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunId({self})")
    }
}

/// A text that is no [`RunId`].
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("'{0}' is no run id: 32 hexadecimal digits are expected")]
pub struct NoRunId(String);

impl FromStr for RunId {
    type Err = NoRunId;

    fn from_str(text: &str) -> Result<Self, NoRunId> {
        let wrong = || NoRunId(text.to_owned());
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| wrong())?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// What decides which ticks a run has and in which order: sources with sizes and hashes, and
/// options. Fixed at the run's start; resuming compares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    entries: BTreeMap<String, String>,
}

impl Manifest {
    /// Of named values.
    pub fn new<N: Into<String>, V: Into<String>>(entries: impl IntoIterator<Item = (N, V)>) -> Self {
        Self { entries: entries.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }

    /// The first difference in words, as in "shards was 1, and is now 3".
    pub fn difference(&self, now: &Self) -> Option<String> {
        let names: BTreeSet<_> = self.entries.keys().chain(now.entries.keys()).collect();
        let value = |manifest: &Self, name| match manifest.entries.get(name) {
            None => "absent".to_owned(),
            Some(value) if value.is_empty() => "empty".to_owned(),
            Some(value) => value.clone(),
        };
        names.into_iter().find_map(|name| {
            let (before, now) = (value(self, name), value(now, name));
            (before != now).then(|| format!("{name} was {before}, and is now {now}"))
        })
    }
}

impl fmt::Display for Manifest {
    /// One `name=value` a line; a line break within either is written `\n`, a backslash `\\`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escape = |text: &str| text.replace('\\', "\\\\").replace('\n', "\\n").replace('=', "\\e");
        self.entries.iter().try_for_each(|(name, value)| writeln!(f, "{}={}", escape(name), escape(value)))
    }
}

impl FromStr for Manifest {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let entry = |line: &str| {
            let (name, value) = line.split_once('=').ok_or(())?;
            Ok((unescape(name)?, unescape(value)?))
        };
        Ok(Self { entries: text.lines().map(entry).collect::<Result<_, ()>>()? })
    }
}

fn unescape(text: &str) -> Result<String, ()> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        out.push(match char {
            '\\' => match chars.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('e') => '=',
                _ => return Err(()),
            },
            other => other,
        });
    }
    Ok(out)
}

/// The shard of a key: [`key_hash`] modulo the number of shards.
pub fn shard_of(key: &str, shards: u16) -> u16 {
    (key_hash(key) % u64::from(shards.max(1))) as u16
}

/// FNV-1a-64 of a key's UTF-8 bytes.
pub fn key_hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Named groups of instruments, which strategies of scope group see as one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    groups: Vec<Group>,
    by_symbol: HashMap<String, (usize, usize)>,
}

/// One named group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The key under which its members are sharded and kept.
    pub name: String,
    /// Its symbols, in the file's order.
    pub members: Vec<String>,
}

/// A groups file that cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {problem}\n  write one group a line, as in: btc-eth = BTCUSDT ETHUSDT")]
pub struct GroupsError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

impl FromStr for Groups {
    type Err = GroupsError;

    /// One group a line, `NAME = SYMBOL SYMBOL …`; empty lines and what follows `#` are left out.
    fn from_str(text: &str) -> Result<Self, GroupsError> {
        let mut groups = Self::default();
        for (i, line) in text.lines().enumerate() {
            let content = line.split('#').next().unwrap_or_default().trim();
            if !content.is_empty() {
                groups.add(content).map_err(|problem| GroupsError { line: i + 1, problem })?;
            }
        }
        Ok(groups)
    }
}

impl Groups {
    fn add(&mut self, line: &str) -> Result<(), String> {
        let (name, members) = line.split_once('=').ok_or("there is no '='")?;
        let name = name.trim();
        if name.is_empty() {
            return Err("the group has no name".to_owned());
        }
        if self.groups.iter().any(|group| group.name == name) {
            return Err(format!("group {name} is there twice"));
        }
        let members: Vec<String> = members.split_whitespace().map(str::to_owned).collect();
        if members.is_empty() {
            return Err(format!("group {name} has no members"));
        }
        for (place, symbol) in members.iter().enumerate() {
            if let Some((other, _)) = self.by_symbol.insert(symbol.clone(), (self.groups.len(), place)) {
                let other = self.groups.get(other).map_or(name, |group| &group.name);
                return Err(format!("{symbol} is in {other} already, and may be in one group only"));
            }
        }
        self.groups.push(Group { name: name.to_owned(), members });
        Ok(())
    }

    /// Every group, in the file's order.
    pub fn all(&self) -> &[Group] {
        &self.groups
    }

    /// The key of a symbol: its group's name, or the symbol itself.
    pub fn key_of<'a>(&'a self, symbol: &'a str) -> &'a str {
        self.group_of(symbol).map_or(symbol, |(group, _)| &group.name)
    }

    /// The group of a symbol, and its place among the members.
    pub fn group_of(&self, symbol: &str) -> Option<(&Group, usize)> {
        self.by_symbol.get(symbol).map(|&(group, place)| (&self.groups[group], place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_follow_the_published_hash() {
        // The published test vectors of FNV-1a-64, reduced modulo 1000.
        assert_eq!(shard_of("", 1000), (0xcbf2_9ce4_8422_2325u64 % 1000) as u16);
        assert_eq!(shard_of("a", 1000), (0xaf63_dc4c_8601_ec8cu64 % 1000) as u16);
        assert_eq!(shard_of("foobar", 1000), (0x8594_4171_f739_67e8u64 % 1000) as u16);
        assert_eq!(shard_of("anything", 1), 0);
    }

    #[test]
    fn run_ids_are_text_and_back() {
        let id = RunId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("xyz".parse::<RunId>().is_err());
        assert_ne!(RunId::random(), id);
    }

    #[test]
    fn manifests_are_text_and_back_and_differ_by_name() {
        let manifest = Manifest::new([("source 1", "a=b\\c\nd"), ("shards", "1")]);
        assert_eq!(manifest.to_string().parse(), Ok(manifest.clone()));
        let other = Manifest::new([("source 1", "a=b\\c\nd"), ("loop", "2"), ("shards", "1")]);
        assert_eq!(manifest.difference(&other).unwrap(), "loop was absent, and is now 2");
        assert_eq!(manifest.difference(&manifest), None);
        let [every, some] = ["", "BTC"].map(|symbols| Manifest::new([("symbols", symbols)]));
        assert_eq!(every.difference(&some).unwrap(), "symbols was empty, and is now BTC");
    }

    #[test]
    fn groups_are_read_and_mistakes_named() {
        let groups: Groups = "# pairs\nbtc-eth = BTCUSDT ETHUSDT # majors\n\nsol = SOLUSDT".parse().unwrap();
        assert_eq!(groups.key_of("ETHUSDT"), "btc-eth");
        assert_eq!(groups.key_of("XRPUSDT"), "XRPUSDT");
        assert_eq!(groups.group_of("ETHUSDT").unwrap().1, 1);
        for (text, line, problem) in [
            ("a = X\nb = Y X", 2, "X is in a already"),
            ("a = X X", 1, "X is in a already"),
            ("a X", 1, "no '='"),
            ("\na =", 2, "no members"),
            ("a = X\na = Y", 2, "there twice"),
        ] {
            let error = text.parse::<Groups>().unwrap_err();
            assert_eq!(error.line, line, "{text}");
            assert!(error.problem.contains(problem), "{error}");
        }
    }
}
