//! The circumstances of a measurement, and what is wrong with them.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use jiff::Timestamp;

use crate::outcome::Environment;

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
        processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: kilobytes("/proc/meminfo", "MemTotal").unwrap_or(0),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
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
    let before = processor_time();
    std::thread::sleep(WATCH);
    let (before, after) = match (before, processor_time()) {
        (Some(before), Some(after)) => (before, after),
        _ => return 0.0,
    };
    let all = after.0.saturating_sub(before.0);
    if all == 0 { 0.0 } else { after.1.saturating_sub(before.1) as f64 / all as f64 }
}

/// All time, and that which was not idle, since the system began.
fn processor_time() -> Option<(u64, u64)> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let times: Vec<u64> =
        stat.lines().next()?.split_whitespace().skip(1).filter_map(|time| time.parse().ok()).collect();
    let all = times.iter().take(8).sum();
    let idle: u64 = times.get(3..5)?.iter().sum();
    Some((all, all - idle))
}

/// This process's anonymous memory, in bytes.
pub(crate) fn memory() -> u64 {
    kilobytes("/proc/self/status", "RssAnon").unwrap_or(0)
}

/// What all of this process's threads have taken of the cores, to 10 ms.
pub(crate) fn cpu_time() -> Duration {
    /// Linux tells it in these, whatever the kernel's own.
    const A_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The program's name, in parentheses, may hold spaces.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let times: f64 =
        after.split_whitespace().skip(11).take(2).filter_map(|time| time.parse::<f64>().ok()).sum();
    Duration::from_secs_f64(times / A_SECOND)
}

/// This process's open files.
pub(crate) fn open_files() -> u64 {
    fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64)
}

fn kilobytes(file: &str, name: &str) -> Option<u64> {
    let value = field(file, name)?;
    Some(value.trim_end_matches(" kB").trim().parse::<u64>().ok()? * 1024)
}

/// The value behind a name and a colon.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_told() {
        assert_eq!(without_password("amqp://me:secret@host:1"), "amqp://me@host:1");
        for same in ["amqp://host", "amqp://me@host", "--json", "a:b@c"] {
            assert_eq!(without_password(same), same);
        }
    }

    #[test]
    fn the_machine_is_known() {
        let environment = look();
        assert!(environment.memory_bytes > 1 << 20 && environment.cores > 0, "{environment:?}");
        assert!(memory() > 0 && open_files() > 2);
        assert!((0.0..=1.0).contains(&environment.busy));
    }
}
