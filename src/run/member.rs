//! What a process is called among those that run the same, and how one that is dead is known at once.

use std::path::Path;

use tick_feed::shard_of;

/// A name that no other living process has, from which a person sees where it runs:
/// `HOST-PLACE-PID`. The place tells hosts and containers of the same name apart.
pub(super) fn name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().filter(|c| c.is_ascii_alphanumeric()).take(40).collect();
    format!("{}-{}-{}", if host.is_empty() { "host" } else { &host }, place(), std::process::id())
}

/// Whether a member was a process beside this one that is no more: then nobody needs to wait until
/// it has been silent for long.
pub(super) fn is_dead(member: &str) -> bool {
    let mut parts = member.rsplitn(3, '-');
    let (Some(process), Some(of)) = (parts.next(), parts.next()) else { return false };
    of == place() && process.parse::<u32>().is_ok() && !Path::new("/proc").join(process).exists()
}

/// Where process numbers mean the same: one start of one machine, and one container on it. Where the
/// system does not tell, every process is a place of its own.
fn place() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let container = std::fs::read_link("/proc/self/ns/pid");
    let known = match (boot, container) {
        (Ok(boot), Ok(container)) => format!("{boot}{}", container.display()),
        _ => tick_sdk::RunId::random().to_string(),
    };
    // Two bytes are enough beside the name and the process.
    format!("{:04x}", shard_of(&known, u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_that_has_ended_is_dead_and_nobody_else_is() {
        assert!(!is_dead(&name()), "{}", name());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let (neighbour, _) =
            name().rsplit_once('-').map(|(place, pid)| (place.to_owned(), pid.to_owned())).unwrap();
        child.wait().unwrap();
        assert!(is_dead(&format!("{neighbour}-{}", child.id())));
        assert!(!is_dead(&format!("host-other-{}", child.id())));
        assert!(!is_dead("somebody"));
    }
}
