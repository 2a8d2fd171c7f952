//! Groups of instruments: a pair, a sector.

use std::collections::HashMap;
use std::str::FromStr;

use thiserror::Error;

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
#[error("line {line}: {reason}\n  write one group a line, as in: btc-eth = BTCUSDT ETHUSDT")]
pub struct GroupsError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

impl FromStr for Groups {
    type Err = GroupsError;

    /// One group a line, `NAME = SYMBOL SYMBOL …`; empty lines and what follows `#` are left out.
    fn from_str(text: &str) -> Result<Self, GroupsError> {
        let mut groups = Self::default();
        for (i, line) in text.lines().enumerate() {
            let content = line.split('#').next().unwrap_or_default().trim();
            if !content.is_empty() {
                groups.add(content).map_err(|reason| GroupsError { line: i + 1, reason })?;
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
    fn groups_are_read_and_errors_name_their_line() {
        let groups: Groups = "# pairs\nbtc-eth = BTCUSDT ETHUSDT # majors\n\nsol = SOLUSDT".parse().unwrap();
        assert_eq!(groups.key_of("ETHUSDT"), "btc-eth");
        assert_eq!(groups.key_of("XRPUSDT"), "XRPUSDT");
        assert_eq!(groups.group_of("ETHUSDT").unwrap().1, 1);
        for (text, line, reason) in [
            ("a = X\nb = Y X", 2, "X is in a already"),
            ("a = X X", 1, "X is in a already"),
            ("a X", 1, "no '='"),
            ("\na =", 2, "no members"),
            ("a = X\na = Y", 2, "there twice"),
        ] {
            let error = text.parse::<Groups>().unwrap_err();
            assert_eq!(error.line, line, "{text}");
            assert!(error.reason.contains(reason), "{error}");
        }
    }
}
