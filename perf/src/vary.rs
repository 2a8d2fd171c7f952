//! One option through several values, each a step: does the cost of a tick stay flat?

use std::str::FromStr;

use tick_sdk::quantity::{parse_bytes, parse_count};

/// An option, and its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vary {
    option: Knob,
    values: Vec<u64>,
}

/// An option that can be varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knob {
    Instruments,
    Shards,
    Strategies,
    FrameTicks,
    FrameBytes,
    Instances,
    Producers,
    PrefetchBytes,
    ConfirmWindow,
}

use Knob::{
    ConfirmWindow, FrameBytes, FrameTicks, Instances, Instruments, PrefetchBytes, Producers, Shards,
    Strategies,
};

const OPTIONS: [(&str, Knob, u64); 9] = [
    ("instruments", Instruments, 1_000_000),
    ("shards", Shards, 1024),
    ("strategies", Strategies, 64),
    ("frame-ticks", FrameTicks, u32::MAX as u64),
    ("frame-bytes", FrameBytes, u64::MAX),
    ("instances", Instances, 64),
    ("producers", Producers, 64),
    ("prefetch-bytes", PrefetchBytes, u64::MAX),
    ("confirm-window", ConfirmWindow, u64::MAX),
];

impl FromStr for Vary {
    type Err = String;

    /// `instruments=1,10,100`.
    fn from_str(text: &str) -> Result<Self, String> {
        let names = OPTIONS.map(|(name, ..)| name).join(", ");
        let wrong = || {
            format!("'{text}' is not an option with values: write instruments=1,10,100, or one of {names}")
        };
        let (name, values) = text.split_once('=').ok_or_else(wrong)?;
        let (_, option, most) = OPTIONS.into_iter().find(|(known, ..)| *known == name).ok_or_else(wrong)?;
        let parse = match option {
            FrameBytes | PrefetchBytes | ConfirmWindow => parse_bytes,
            _ => parse_count,
        };
        let values = values.split(',').map(|value| parse(value).ok().filter(|value| *value <= most));
        let values = values.collect::<Option<Vec<u64>>>().ok_or_else(wrong)?;
        Ok(Self { option, values })
    }
}

impl Vary {
    /// What it is called, with each value.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (String, u64)> + '_ {
        self.values.iter().map(|value| (format!("{} {value}", self.name()), *value))
    }

    /// The option's name.
    pub(crate) fn name(&self) -> &'static str {
        OPTIONS.iter().find(|(_, option, _)| *option == self.option).map_or("", |(name, ..)| name)
    }

    /// All values, as they were written.
    pub(crate) fn values(&self) -> String {
        self.values.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
    }

    /// The option.
    pub(crate) const fn option(&self) -> Knob {
        self.option
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_and_its_values_are_read() {
        let vary: Vary = "instruments=1,10,10K".parse().expect("it is one");
        assert_eq!(vary.values(), "1,10,10000");
        assert_eq!(vary.steps().last(), Some(("instruments 10000".to_owned(), 10_000)));
        let vary: Vary = "frame-bytes=64K".parse().expect("it is one");
        assert_eq!(vary.values(), "65536");
        for wrong in ["", "instruments", "instruments=", "speed=1", "shards=0", "shards=2000", "shards=1,x"] {
            assert!(wrong.parse::<Vary>().is_err(), "{wrong}");
        }
    }
}
