//! The circumstances of a measurement, and what is wrong with them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::outcome::Environment;

#[cfg_attr(target_os = "linux", path = "environment/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "environment/portable.rs")]
mod machine;

pub(crate) use machine::{cpu_time, memory, open_files};

/// How long others are watched before anything is measured.
const WATCH: Duration = Duration::from_millis(300);
/// Others that use more of all cores make figures doubtful.
const BUSY: f64 = 0.05;

/// Machine, versions, command; and warnings.
pub(crate) fn look() -> Environment {
    let busy = busy_share();
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let mut warnings = Vec::new();
    if profile == "debug" {
        warnings.push("a debug build: figures say nothing; use `cargo run --release`".to_owned());
    }
    if busy > BUSY {
        warnings.push(format!(
            "the machine is busy: others used {:.0} % of its cores before this began",
            busy * 100.0
        ));
    }
    let orchard = match env!("ORCHARD_COMMIT") {
        "" => env!("CARGO_PKG_VERSION").to_owned(),
        commit => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
    };
    let versions = [("orchard", orchard), ("rustc", env!("ORCHARD_RUSTC").to_owned())];
    Environment {
        command: command(),
        at: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        processor: machine::processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: machine::memory_bytes().unwrap_or(0),
        kernel: machine::kernel().unwrap_or_default(),
        versions: versions
            .map(|(name, version)| (name.to_owned(), version))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        profile: profile.to_owned(),
        busy,
        warnings,
    }
}

/// The command as it was typed, with the program's bare name.
fn command() -> String {
    let quoted = |arg: String| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+@%".contains(c);
        let arg = without_password(&arg);
        if !arg.is_empty() && arg.chars().all(is_plain) {
            arg
        } else {
            format!("'{}'", arg.replace('\'', r"'\''"))
        }
    };
    let args = std::env::args_os().skip(1).map(|arg| quoted(arg.to_string_lossy().into_owned()));
    ["perf".to_owned()].into_iter().chain(args).collect::<Vec<_>>().join(" ")
}

/// Results are shown to others.
fn without_password(arg: &str) -> String {
    let Some((scheme, rest)) = arg.split_once("://") else { return arg.to_owned() };
    let Some((login, host)) = rest.split_once('@') else { return arg.to_owned() };
    match login.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}@{host}"),
        None => arg.to_owned(),
    }
}

/// Share of all cores' time that is used while this process waits.
fn busy_share() -> f64 {
    let before = machine::processor_time();
    std::thread::sleep(WATCH);
    let (before, after) = match (before, machine::processor_time()) {
        (Some(before), Some(after)) => (before, after),
        _ => return 0.0,
    };
    let all = after.0.saturating_sub(before.0);
    if all == 0 { 0.0 } else { after.1.saturating_sub(before.1) as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(without_password("amqp://me:secret@host:1"), "amqp://me@host:1");
        for same in ["amqp://host", "amqp://me@host", "--json", "a:b@c"] {
            assert_eq!(without_password(same), same);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_machine_is_known() {
        let environment = look();
        assert!(environment.memory_bytes > 1 << 20 && environment.cores > 0, "{environment:?}");
        assert!(memory() > 0 && open_files() > 2);
        assert!((0.0..=1.0).contains(&environment.busy));
    }
}
