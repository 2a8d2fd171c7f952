//! What Linux says of the machine and of this process, in `/proc`.

use std::fs;
use std::time::Duration;

/// The processor's name.
pub(super) fn processor() -> Option<String> {
    field("/proc/cpuinfo", "model name")
}

/// The machine's memory.
pub(super) fn memory_bytes() -> Option<u64> {
    kilobytes("/proc/meminfo", "MemTotal")
}

/// The kernel's release.
pub(super) fn kernel() -> Option<String> {
    Some(fs::read_to_string("/proc/sys/kernel/osrelease").ok()?.trim().to_owned())
}

/// All time, and that which was not idle, since the system began.
pub(super) fn processor_time() -> Option<(u64, u64)> {
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
    /// Linux counts in these, whatever the kernel's own.
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
