//! The position that a strategy asks for.

use serde::{Deserialize, Serialize};

/// The position that a signal asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum TargetPosition {
    /// No position.
    #[default]
    #[serde(rename = "flat")]
    Flat = 0,
    /// One unit long: what a `buy` signal asks for.
    #[serde(rename = "buy")]
    Long = 1,
    /// One unit short: what a `sell` signal asks for.
    #[serde(rename = "sell")]
    Short = 2,
}

impl TargetPosition {
    /// `flat`, `buy` or `sell`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Long => "buy",
            Self::Short => "sell",
        }
    }

    /// The other side's position; flat stays flat.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Flat => Self::Flat,
            Self::Long => Self::Short,
            Self::Short => Self::Long,
        }
    }

    /// The position in units: 0, 1 or -1.
    pub const fn units(self) -> i64 {
        match self {
            Self::Flat => 0,
            Self::Long => 1,
            Self::Short => -1,
        }
    }
}
