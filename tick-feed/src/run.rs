//! A run: one pass over one source, the manifest that fixes it, and the shard of each key.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

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
    fn manifests_are_text_and_back_and_differ_by_name() {
        let manifest = Manifest::new([("source 1", "a=b\\c\nd"), ("shards", "1")]);
        assert_eq!(manifest.to_string().parse(), Ok(manifest.clone()));
        let other = Manifest::new([("source 1", "a=b\\c\nd"), ("loop", "2"), ("shards", "1")]);
        assert_eq!(manifest.difference(&other).unwrap(), "loop was absent, and is now 2");
        assert_eq!(manifest.difference(&manifest), None);
        let [every, some] = ["", "BTC"].map(|symbols| Manifest::new([("symbols", symbols)]));
        assert_eq!(every.difference(&some).unwrap(), "symbols was empty, and is now BTC");
    }
}
