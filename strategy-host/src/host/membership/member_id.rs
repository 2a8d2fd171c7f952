//! What a process is called among those that run the same, and how one that is dead is known at once.

use std::fmt::Write as _;

use tick_sdk::names::RunId;

/// A host's name is cut to so many characters.
const MOST_HOST_NAME: usize = 40;

/// A name that no other process has, from which a person sees where it runs:
/// `HOST-PID-PLACE-RANDOM`, the last two as 16 hexadecimal digits each.
///
/// The random part alone makes it unique, so that members never evict each other, whatever hosts and
/// containers are called. The place serves [`is_dead`].
pub fn member_id() -> String {
    let mut id = format!("{}-{}-", host_name(), std::process::id());
    match place() {
        Some(place) => write!(id, "{place:016x}"),
        None => write!(id, "unknown"),
    }
    .expect("text is written");
    let random = RunId::random().to_string();
    format!("{id}-{}", &random[..16])
}

/// Whether a member was a process in the same place as this one and is no more, so that nobody needs to
/// wait until it has been silent for long. False where that cannot be known.
pub fn is_dead(member: &str) -> bool {
    let mut parts = member.rsplitn(4, '-');
    let _random = parts.next();
    let (Some(of), Some(process)) = (parts.next(), parts.next()) else { return false };
    let is_beside = place().is_some_and(|place| of == format!("{place:016x}"));
    is_beside && process.parse().is_ok_and(is_gone)
}

fn host_name() -> String {
    let name = read_host_name().unwrap_or_default();
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).take(MOST_HOST_NAME).collect();
    if name.is_empty() { "host".to_owned() } else { name }
}

#[cfg(target_os = "linux")]
fn read_host_name() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/hostname").ok()
}

#[cfg(not(target_os = "linux"))]
fn read_host_name() -> Option<String> {
    std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok()
}

/// Where process numbers mean the same and every process can be seen: one start of one machine, one
/// namespace of processes on it (containers have one each, even where they share a host name), and one
/// user (`/proc` may hide others' processes). `None` where the system does not say.
#[cfg(target_os = "linux")]
fn place() -> Option<u64> {
    use std::os::unix::fs::MetadataExt;

    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let user = std::fs::metadata("/proc/self").ok()?.uid();
    Some(super::hash::fnv(&format!("{} {} {user}", boot.trim(), namespace.display())))
}

#[cfg(not(target_os = "linux"))]
fn place() -> Option<u64> {
    None
}

fn is_gone(process: u32) -> bool {
    !std::path::Path::new("/proc").join(process.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_are_the_same_and_a_living_process_is_not_dead() {
        let (one, other) = (member_id(), member_id());
        assert_ne!(one, other, "names in one process, as in two containers that share host name and pid");
        assert!(one.starts_with(&host_name()) && one.contains(&format!("-{}-", std::process::id())), "{one}");
        assert!(!is_dead(&one), "{one}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_neighbour_that_has_ended_is_dead_and_nobody_elsewhere_is() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = child.id();
        child.wait().unwrap();
        let here = place().unwrap();
        assert!(is_dead(&format!("host-{gone}-{here:016x}-0123456789abcdef")));
        assert!(is_dead(&format!("other-name-{gone}-{here:016x}-0123456789abcdef")), "a host may be renamed");
        let elsewhere = here ^ 1;
        assert!(!is_dead(&format!("host-{gone}-{elsewhere:016x}-0123456789abcdef")));
        assert!(!is_dead(&format!("host-{gone}-unknown-0123456789abcdef")));
        for text in ["", "somebody", "a-b", "a-b-c", "a-b-c-d"] {
            assert!(!is_dead(text), "{text}");
        }
    }
}
