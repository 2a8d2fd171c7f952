//! How far a replay is.

use std::fmt;
use std::io;
use std::time::Duration;

use tick_ingest::feed::SourceSpec;

use super::{ReplayError, per_second};
use crate::text::thousands;

/// How much there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// So many ticks.
    Ticks(u64),
    /// So many bytes of files, as they are on disk.
    Bytes(u64),
    /// It is not known before the end.
    Unknown,
}

impl Total {
    /// What `sources`, played `repeats` times, hold: ticks where they are known, else bytes of files.
    ///
    /// # Errors
    /// A file is not there.
    pub fn of(sources: &[SourceSpec], repeats: u64) -> Result<Self, ReplayError> {
        let repeats = repeats.max(1);
        if let [SourceSpec::Generated(options)] = sources {
            return Ok(Self::Ticks(options.ticks.saturating_mul(repeats)));
        }
        let mut bytes: u64 = 0;
        for source in sources {
            match source {
                SourceSpec::File { name, .. } if name != "-" => {
                    let failed = |source: io::Error| ReplayError::Source { file: name.clone(), source };
                    bytes += tick_ingest::sources::packed_bytes(name).map_err(failed)?;
                }
                _ => return Ok(Self::Unknown),
            }
        }
        Ok(Self::Bytes(bytes.saturating_mul(repeats)))
    }
}

/// How far a replay is. As text it is one line, such as `1,200,000 ticks  5,931,007 ticks/s  40 %`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayProgress {
    /// Ticks sent to the strategies so far.
    pub ticks: u64,
    /// Bytes read of the files so far, as they are on disk.
    pub bytes: u64,
    /// How much there is to do.
    pub total: Total,
    /// Since the replay began.
    pub elapsed: Duration,
}

impl ReplayProgress {
    /// Done and all, in ticks or bytes, where it is known how much there is.
    pub fn done(&self) -> Option<(u64, u64)> {
        match self.total {
            Total::Ticks(all) => Some((self.ticks.min(all), all)),
            Total::Bytes(all) => Some((self.bytes.min(all), all)),
            Total::Unknown => None,
        }
    }

    /// From 0 to 100, where it is known how much there is.
    pub fn percent(&self) -> Option<f64> {
        let (done, all) = self.done()?;
        (all > 0).then(|| 100.0 * done as f64 / all as f64)
    }

    /// The mean so far.
    pub fn ticks_per_second(&self) -> u64 {
        per_second(self.ticks, self.elapsed)
    }
}

impl fmt::Display for ReplayProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ticks  {} ticks/s", thousands(self.ticks), thousands(self.ticks_per_second()))?;
        match self.percent() {
            Some(percent) => write!(f, "  {percent:.0} %"),
            None => Ok(()),
        }
    }
}
