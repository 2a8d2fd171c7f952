//! Where peers are, and how they are set up: a folder each, with `kind`, `setup` and `run`.

use std::fs;
use std::path::{Path, PathBuf, absolute};
use std::process::Command;
use std::time::Duration;

use super::PeersError;
use super::child;

/// Compilers and package indexes take their time.
const SETUP: Duration = Duration::from_secs(1800);
/// `setup` exits with this when it cannot, and prints why.
const CANNOT: i32 = 3;

/// What a peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Moves opaque bodies, all the same.
    Transport,
    /// Moves a file in bodies.
    FileTransport,
    /// Plays a file through Apple.
    Embedded,
}

/// A folder of scripts.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: String,
    pub(super) kind: Kind,
    folder: PathBuf,
}

/// A peer that can be run.
#[derive(Debug)]
pub(super) struct ReadyPeer {
    pub(super) name: String,
    pub(super) kind: Kind,
    run: PathBuf,
    build: PathBuf,
}

/// All peers of a folder by name, or those that are named, in the order in which they are.
pub(super) fn find(dir: &Path, only: &[String]) -> Result<Vec<Peer>, PeersError> {
    let no_peers = |source| PeersError::NoPeers { dir: dir.to_owned(), source };
    let entries = fs::read_dir(dir).map_err(|error| no_peers(Some(error)))?;
    let mut peers = Vec::new();
    for entry in entries {
        let folder = entry.map_err(|error| no_peers(Some(error)))?.path();
        if folder.join("setup").is_file() && folder.join("run").is_file() {
            peers.push(Peer::read(folder)?);
        }
    }
    peers.sort_by(|a, b| a.name.cmp(&b.name));
    if peers.is_empty() {
        return Err(no_peers(None));
    }
    if only.is_empty() {
        return Ok(peers);
    }
    let known = peers.iter().map(|peer| peer.name.as_str()).collect::<Vec<_>>().join(", ");
    let mut chosen = Vec::new();
    for name in only {
        match peers.iter().position(|peer| peer.name == *name) {
            Some(at) => chosen.push(peers.remove(at)),
            // Named twice.
            None if chosen.iter().any(|peer: &Peer| peer.name == *name) => {}
            None => return Err(PeersError::UnknownPeer { name: name.clone(), known }),
        }
    }
    Ok(chosen)
}

impl Peer {
    fn read(folder: PathBuf) -> Result<Self, PeersError> {
        let file = folder.join("kind");
        let kind = match fs::read_to_string(&file).unwrap_or_default().trim() {
            "transport" => Kind::Transport,
            "transport of a file" => Kind::FileTransport,
            "embedded" => Kind::Embedded,
            _ => return Err(PeersError::NoKind { file }),
        };
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, kind, folder })
    }

    /// Builds and installs it below `build`; gives in one line why that cannot be.
    pub(super) fn set_up(&self, build: &Path) -> Result<ReadyPeer, String> {
        let path = |path: &Path| absolute(path).map_err(|error| format!("{}: {error}", path.display()));
        let (folder, build) = (path(&self.folder)?, path(&build.join(&self.name))?);
        fs::create_dir_all(&build).map_err(|error| format!("{}: {error}", build.display()))?;
        let ended = child::finish(Command::new(folder.join("setup")).arg(&build), SETUP)?;
        if ended.status.success() {
            let (name, kind, run) = (self.name.clone(), self.kind, folder.join("run"));
            return Ok(ReadyPeer { name, kind, run, build });
        }
        let said = if ended.status.code() == Some(CANNOT) { &ended.output } else { &ended.errors };
        let why = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing").trim();
        Err(format!("it cannot be set up: {why}"))
    }
}

impl ReadyPeer {
    /// The command that runs it, without its arguments.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.run);
        command.arg(&self.build);
        command
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn peer(dir: &Path, name: &str, kind: &str, setup: &str) {
        let folder = dir.join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("kind"), kind).unwrap();
        for (script, text) in [("setup", setup), ("run", "echo run")] {
            let file = folder.join(script);
            fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn folders_with_scripts_are_peers() {
        let dir = tempfile::tempdir().unwrap();
        peer(dir.path(), "b", "embedded\n", "true");
        peer(dir.path(), "a", "transport", "true");
        fs::create_dir(dir.path().join("shared")).unwrap();
        let names = |peers: Vec<Peer>| peers.into_iter().map(|peer| peer.name).collect::<Vec<_>>();
        assert_eq!(names(find(dir.path(), &[]).unwrap()), ["a", "b"]);
        assert_eq!(names(find(dir.path(), &["b".into(), "b".into()]).unwrap()), ["b"]);
        let error = find(dir.path(), &["c".into()]).unwrap_err();
        assert_eq!(error.to_string(), "there is no peer 'c': there are a, b");
    }

    #[test]
    fn a_folder_without_peers_or_kind_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(find(dir.path(), &[]), Err(PeersError::NoPeers { .. })));
        peer(dir.path(), "a", "quick", "true");
        assert!(matches!(find(dir.path(), &[]), Err(PeersError::NoKind { .. })));
    }

    #[test]
    fn a_setup_that_cannot_says_why() {
        let dir = tempfile::tempdir().unwrap();
        peer(dir.path(), "a", "transport", "echo 'install more'; exit 3");
        peer(dir.path(), "b", "transport", "echo one; echo broken >&2; exit 1");
        let build = dir.path().join("build");
        let why = |peer: &Peer| peer.set_up(&build).unwrap_err();
        let reasons: Vec<_> = find(dir.path(), &[]).unwrap().iter().map(why).collect();
        assert_eq!(reasons, ["it cannot be set up: install more", "it cannot be set up: broken"]);
    }
}
