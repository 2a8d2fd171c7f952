//! The one line that a peer prints.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What a peer that moves bodies prints.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(super) struct Moved {
    /// From the first publish until all is confirmed and has come out of every queue.
    pub(super) seconds: f64,
    /// That were published; each counts once, however many queues get it.
    pub(super) messages: u64,
    /// Of these messages' bodies.
    pub(super) bytes: u64,
}

/// What a peer that plays ticks prints.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(super) struct Played {
    /// Of the run alone.
    pub(super) seconds: f64,
    pub(super) ticks: u64,
    pub(super) signals: u64,
}

impl Moved {
    /// Reads it; it must have moved what was asked for.
    pub(super) fn parse(output: &str, messages: u64, bytes: u64) -> Result<Self, String> {
        let moved: Self = last_line(output)?;
        if (moved.messages, moved.bytes) != (messages, bytes) {
            let (m, b) = (moved.messages, moved.bytes);
            return Err(format!("it moved {m} messages of {b} bytes, not {messages} of {bytes}"));
        }
        took_time(moved.seconds)?;
        Ok(moved)
    }
}

impl Played {
    /// Reads it; it must have played all ticks.
    pub(super) fn parse(output: &str, ticks: u64) -> Result<Self, String> {
        let played: Self = last_line(output)?;
        if played.ticks != ticks {
            return Err(format!("it played {} ticks, not {ticks}", played.ticks));
        }
        took_time(played.seconds)?;
        Ok(played)
    }
}

/// The last line that is not empty: libraries print before it.
fn last_line<T: DeserializeOwned>(output: &str) -> Result<T, String> {
    let line = output.lines().rfind(|line| !line.trim().is_empty()).ok_or("it printed nothing")?;
    serde_json::from_str(line).map_err(|error| format!("it printed something else than its result: {error}"))
}

fn took_time(seconds: f64) -> Result<(), String> {
    if seconds.is_finite() && seconds > 0.0 { Ok(()) } else { Err(format!("it says it took {seconds} s")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts() {
        let output = "library 1.0\n{\"seconds\": 0.5, \"messages\": 2, \"bytes\": 20}\n\n";
        assert_eq!(Moved::parse(output, 2, 20), Ok(Moved { seconds: 0.5, messages: 2, bytes: 20 }));
        let output = r#"{"seconds": 2, "ticks": 7, "signals": 1}"#;
        assert_eq!(Played::parse(output, 7), Ok(Played { seconds: 2.0, ticks: 7, signals: 1 }));
    }

    #[test]
    fn what_is_no_result_is_refused() {
        let wrong = ["", "\n", "done", "{}", r#"{"seconds": 1, "messages": 2}"#];
        assert!(wrong.iter().all(|output| Moved::parse(output, 2, 20).is_err()));
        for seconds in ["0", "-1", "1e999", "null"] {
            let output = format!(r#"{{"seconds": {seconds}, "messages": 2, "bytes": 20}}"#);
            assert!(Moved::parse(&output, 2, 20).is_err(), "{output}");
        }
    }

    #[test]
    fn less_than_was_asked_for_is_refused() {
        let output = r#"{"seconds": 1, "messages": 1, "bytes": 20}"#;
        let why = Moved::parse(output, 2, 40).unwrap_err();
        assert_eq!(why, "it moved 1 messages of 20 bytes, not 2 of 40");
        assert!(Played::parse(r#"{"seconds": 1, "ticks": 1, "signals": 0}"#, 2).is_err());
    }
}
