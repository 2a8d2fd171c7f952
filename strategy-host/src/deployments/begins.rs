//! Where a deployment begins in its feed's run, as its `from` says it.

use tick_sdk::contracts::envelope::UtcTime;

/// Where a deployment begins in its feed's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begins {
    /// At the next tick.
    Now,
    /// At the run's first tick.
    Start,
    /// At the first tick that was received at this time or later, in ns since the UNIX epoch.
    Time(u64),
}

/// Reads it; the error says what to write.
pub(crate) fn begins(from: Option<&str>) -> Result<Begins, String> {
    let wrong = |text: &str, what: &str| {
        format!(
            "from {text:?} {what}: write start, a receive time as 2026-01-31T12:00:00Z, or leave it out for the \
             next tick"
        )
    };
    match from {
        None => Ok(Begins::Now),
        Some("start") => Ok(Begins::Start),
        Some(text) => {
            let time: UtcTime = text.parse().map_err(|_| wrong(text, "is no time"))?;
            let ms = u64::try_from(time.unix_ms()).map_err(|_| wrong(text, "is before 1970"))?;
            ms.checked_mul(1_000_000).map(Begins::Time).ok_or_else(|| wrong(text, "is too late"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_begins_now_at_the_start_or_at_a_time() {
        assert_eq!(begins(None), Ok(Begins::Now));
        assert_eq!(begins(Some("start")), Ok(Begins::Start));
        assert_eq!(begins(Some("2024-08-08T23:54:18.5Z")), Ok(Begins::Time(1_723_161_258_500_000_000)));
        for wrong in ["", "now", "1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z"] {
            let reason = begins(Some(wrong)).unwrap_err();
            assert!(reason.contains("write start"), "{reason}");
        }
    }
}
