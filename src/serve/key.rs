//! The bootstrap key: from the environment, or made at the first start and shown once. The folder keeps its hash.

use std::io;
use std::path::Path;

use gateway::ApiKey;
use uuid::Uuid;

use super::ServeError;

/// The key of this start.
#[derive(Clone, Debug)]
pub(super) struct BootstrapKey {
    /// What a request's key is compared with.
    pub(super) key: ApiKey,
    /// The key itself, where it was just made: it is shown once, and nobody can find it out later.
    pub(super) made: Option<String>,
}

impl BootstrapKey {
    /// The key that was given, the one whose hash the folder has, or a new one.
    ///
    /// # Errors
    /// The given key is too short to be one, or the hash cannot be read or written.
    pub(super) fn of(folder: &Path, given: Option<&str>) -> Result<Self, ServeError> {
        if let Some(given) = given {
            if given.len() < SHORTEST || !given.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(ServeError::Key);
            }
            return Ok(Self { key: ApiKey::of(given), made: None });
        }
        let place = folder.join("key.sha256");
        let io = |source| ServeError::State { place: place.display().to_string(), source };
        match std::fs::read_to_string(&place) {
            Ok(text) => {
                let damaged = || io(io::Error::other("is no hash: remove it for a new key"));
                Ok(Self { key: text.trim().parse().map_err(|_| damaged())?, made: None })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Two of 122 random bits each.
                let made = format!("ork_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
                let key = ApiKey::of(&made);
                tick_feed::atomic_file::write(&place, format!("{key}\n").as_bytes()).map_err(io)?;
                Ok(Self { key, made: Some(made) })
            }
            Err(error) => Err(io(error)),
        }
    }
}

/// A key of fewer characters could be guessed.
const SHORTEST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_and_shown_once_and_the_folder_does_not_hold_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = BootstrapKey::of(folder.path(), None).unwrap();
        let key = first.made.expect("it was just made");
        let again = BootstrapKey::of(folder.path(), None).unwrap();
        assert_eq!((again.made, again.key), (None, ApiKey::of(&key)));
        let kept = std::fs::read_to_string(folder.path().join("key.sha256")).unwrap();
        assert!(!kept.contains(&key[4..]), "{kept}");
        assert!(BootstrapKey::of(folder.path(), Some("short")).is_err());
        let given = BootstrapKey::of(folder.path(), Some("a-key-of-my-own-choice")).unwrap();
        assert_eq!(given.key, ApiKey::of("a-key-of-my-own-choice"));
    }
}
