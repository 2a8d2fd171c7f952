//! Where a new crate finds Orchard: a folder, or a git repository.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::ended::UsageError;

/// Orchard's repository, as a crate depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Repository {
    /// An absolute path without links.
    Folder(PathBuf),
    /// A URL.
    Git(String),
}

/// Where this program was built. It may be gone, or elsewhere on another machine.
const BUILT_FROM: &str = env!("CARGO_MANIFEST_DIR");

impl Repository {
    /// The repository that the user names, else the one that this program was built from.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn find(named: Option<&str>) -> Result<Self> {
        match named {
            Some(url) if is_git(url) => Ok(Self::Git(url.to_owned())),
            Some(path) => Self::folder(Path::new(path)),
            None if is_checkout(Path::new(BUILT_FROM)) || !is_orchard(Path::new(BUILT_FROM)) => {
                let reason = "the folder that this program was built from is gone: say where Orchard's \
                    repository is, with --orchard DIR or --orchard URL";
                Err(UsageError(reason.to_owned()).into())
            }
            None => Self::folder(Path::new(BUILT_FROM)),
        }
    }

    /// The clone of Orchard that `folder` lies in, if it does. What lies in the clone's target folder is
    /// outside, as cargo may remove it.
    pub(super) fn enclosing(folder: &Path) -> Option<Self> {
        let folder = std::path::absolute(folder).ok()?;
        let folder = folder.ancestors().find_map(|existing| existing.canonicalize().ok())?;
        let root = folder.ancestors().find(|root| is_orchard(root))?;
        let is_built = folder.starts_with(root.join("target"));
        (!is_built).then(|| Self::Folder(root.to_owned()))
    }

    /// The folder of the clone, if the crate in `from` lies in it.
    pub(super) fn root_around(&self, from: &Path) -> Option<PathBuf> {
        match Self::enclosing(from)? {
            Self::Folder(root) if *self == Self::Folder(root.clone()) => Some(root),
            _ => None,
        }
    }

    fn folder(path: &Path) -> Result<Self> {
        if !is_orchard(path) {
            let shown = path.display();
            let reason = format!(
                "--orchard {shown} is not a repository of Orchard: there is no {shown}/Cargo.toml of a package \
                 named orchard with tick-sdk beside it; a git URL has :// in it"
            );
            return Err(UsageError(reason).into());
        }
        let path = path.canonicalize().with_context(|| format!("{}: cannot be found", path.display()))?;
        Ok(Self::Folder(path))
    }

    /// What stands between the braces of a dependency on the package in `subfolder`, for a crate in
    /// `from`: `path = "../orchard/tick-sdk"`.
    ///
    /// # Errors
    /// `from` does not exist, or a path is not UTF-8.
    pub(super) fn dependency(&self, subfolder: &str, from: &Path) -> Result<String> {
        Ok(match self {
            Self::Folder(folder) => {
                // `components` leaves out the slash that joining an empty path adds.
                let package: PathBuf = folder.join(subfolder).components().collect();
                format!("path = {}", quoted(&path_between(from, folder, &package)?)?)
            }
            Self::Git(url) => format!("git = {}", quoted(url)?),
        })
    }

    /// Where a reader in `from` finds the repository.
    ///
    /// # Errors
    /// Those of [`Repository::dependency`].
    pub(super) fn link(&self, from: &Path) -> Result<String> {
        match self {
            Self::Folder(folder) => path_between(from, folder, folder),
            Self::Git(url) => Ok(url.clone()),
        }
    }

    /// The repository's lock file; `None` for one in git, which cargo reads itself, and for one
    /// without a lock file.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub(super) fn lock_file(&self) -> Result<Option<String>> {
        let Self::Folder(folder) = self else { return Ok(None) };
        let path = folder.join("Cargo.lock");
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path);
        text.map(Some).with_context(|| format!("{}: cannot be read", path.display()))
    }
}

fn is_git(text: &str) -> bool {
    text.contains("://")
}

fn is_orchard(folder: &Path) -> bool {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let is_named = manifest.lines().any(|line| line.split_whitespace().eq(["name", "=", "\"orchard\""]));
    is_named && folder.join("tick-sdk/Cargo.toml").is_file()
}

/// Whether cargo itself checked the folder out, and may remove it when it likes.
fn is_checkout(folder: &Path) -> bool {
    let names: Vec<_> = folder.components().map(Component::as_os_str).collect();
    names.windows(2).any(|pair| pair == ["git", "checkouts"])
}

/// The path of `package`, which lies in `repository`, from the crate in `from`: relative if they lie
/// side by side or one in the other, so that both can be moved; else absolute.
fn path_between(from: &Path, repository: &Path, package: &Path) -> Result<String> {
    let from = from.canonicalize().with_context(|| format!("{}: cannot be found", from.display()))?;
    let beside = repository.parent().filter(|parent| parent.parent().is_some());
    let path = match beside.map(|parent| (from.strip_prefix(parent), package.strip_prefix(parent))) {
        Some((Ok(from), Ok(package))) => {
            let shared = from.components().zip(package.components()).take_while(|(a, b)| a == b).count();
            let up = from.components().skip(shared).map(|_| Component::ParentDir);
            up.chain(package.components().skip(shared)).collect()
        }
        _ => package.to_owned(),
    };
    let Some(text) = path.to_str() else {
        bail!("{} is not UTF-8, which a Cargo.toml must be: move the folder", path.display());
    };
    Ok(text.to_owned())
}

/// A TOML string; JSON's escapes are among those of TOML.
fn quoted(text: &str) -> Result<String> {
    Ok(serde_json::to_string(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like Orchard's, within one that looks like a user's.
    fn places() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let orchard = home.path().join("code/orchard");
        fs::create_dir_all(orchard.join("tick-sdk")).unwrap();
        fs::write(orchard.join("Cargo.toml"), "[package]\nname = \"orchard\"\n").unwrap();
        fs::write(orchard.join("tick-sdk/Cargo.toml"), "").unwrap();
        (home, orchard)
    }

    #[test]
    fn a_crate_beside_or_within_the_repository_names_it_by_a_relative_path() {
        let (home, orchard) = places();
        let repository = Repository::find(orchard.to_str()).unwrap();
        let dependencies = |crate_folder: &str| {
            let folder = home.path().join(crate_folder);
            fs::create_dir_all(&folder).unwrap();
            ["", "tick-sdk"].map(|package| repository.dependency(package, &folder).unwrap())
        };
        assert_eq!(dependencies("code/mine"), ["path = \"../orchard\"", "path = \"../orchard/tick-sdk\""]);
        assert_eq!(dependencies("code/orchard/mine"), ["path = \"..\"", "path = \"../tick-sdk\""]);
        let absolute = orchard.canonicalize().unwrap();
        assert_eq!(dependencies("elsewhere/mine")[0], format!("path = \"{}\"", absolute.display()));
    }

    #[test]
    fn a_url_becomes_a_git_dependency() {
        let repository = Repository::find(Some("https://example.org/orchard.git")).unwrap();
        let dependency = repository.dependency("tick-sdk", Path::new("nowhere")).unwrap();
        assert_eq!(dependency, "git = \"https://example.org/orchard.git\"");
        assert_eq!(repository.lock_file().unwrap(), None);
    }

    #[test]
    fn a_folder_that_is_not_orchard_is_a_usage_error_that_names_it() {
        let (home, _) = places();
        let error = Repository::find(home.path().to_str()).unwrap_err();
        assert!(error.is::<UsageError>());
        assert!(error.to_string().contains(home.path().to_str().unwrap()), "{error}");
    }

    #[test]
    fn what_cargo_checked_out_is_nothing_to_depend_on() {
        assert!(is_checkout(Path::new("/home/me/.cargo/git/checkouts/orchard-1/abc")));
        assert!(!is_checkout(Path::new("/home/me/git/orchard")));
    }

    #[test]
    fn a_path_is_escaped_as_toml_wants_it() {
        assert_eq!(quoted("a\"b\\c").unwrap(), "\"a\\\"b\\\\c\"");
    }
}
