//! The workspace of a clone of Orchard, which a new crate inside the clone joins: it is then built into the
//! clone's target folder, from what is built there already.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The workspace's manifest, with the new crate among its members.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joined {
    path: PathBuf,
    text: String,
}

impl Joined {
    /// What the manifest of the workspace in `root` is to be, so that the crate in `folder` belongs to it.
    ///
    /// # Errors
    /// The manifest cannot be read, or has no list of members.
    pub(super) fn plan(root: &Path, folder: &Path) -> Result<Self> {
        let path = root.join("Cargo.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
        let Some(member) = folder.strip_prefix(root).ok().and_then(Path::to_str) else {
            bail!("{} is not a folder of UTF-8 names inside {}", folder.display(), root.display());
        };
        let Some(text) = with_member(&text, &member.replace('\\', "/")) else {
            bail!(
                "{}: there is no `members = […]`: name a folder outside {} with --path DIR",
                path.display(),
                root.display()
            );
        };
        Ok(Self { path, text })
    }

    /// Writes the manifest.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&self) -> Result<()> {
        let shown = self.path.display();
        fs::write(&self.path, &self.text).with_context(|| format!("{shown}: cannot write the file"))
    }
}

/// The manifest with `member` in its list of members; `None` if there is no list.
fn with_member(manifest: &str, member: &str) -> Option<String> {
    let list = manifest.find("\nmembers = [").map(|at| at + "\nmembers = [".len())?;
    let end = list + manifest[list..].find(']')?;
    let known: Vec<_> = manifest[list..end].split(',').map(|known| known.trim().trim_matches('"')).collect();
    let is_member = known.iter().any(|known| match known.strip_suffix("/*") {
        Some(folder) => member.rsplit_once('/').is_some_and(|(parent, _)| parent == folder),
        None => *known == member,
    });
    if is_member {
        return Some(manifest.to_owned());
    }
    let (before, after) = (manifest[..end].trim_end().trim_end_matches(','), &manifest[end..]);
    let separator = if known == [""] { "" } else { ", " };
    Some(format!("{before}{separator}\"{member}\"{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_added_once_and_nothing_else_changes() {
        let manifest = "[workspace]\nresolver = \"3\"\nmembers = [\"a\", \"examples/*\"]\n\n[package]\n";
        let joined = with_member(manifest, "mine").unwrap();
        assert_eq!(joined, manifest.replace("*\"]", "*\", \"mine\"]"));
        assert_eq!(with_member(&joined, "mine").unwrap(), joined);
        assert_eq!(with_member(manifest, "examples/mine").unwrap(), manifest);
        assert_ne!(with_member(manifest, "examples/deep/mine").unwrap(), manifest);
    }

    #[test]
    fn lists_of_other_forms_are_kept() {
        let lines = "[workspace]\nmembers = [\n    \"a\",\n    \"b\",\n]\n";
        assert_eq!(
            with_member(lines, "c").unwrap(),
            "[workspace]\nmembers = [\n    \"a\",\n    \"b\", \"c\"]\n"
        );
        assert_eq!(
            with_member("[workspace]\nmembers = []\n", "c").unwrap(),
            "[workspace]\nmembers = [\"c\"]\n"
        );
        assert_eq!(with_member("[package]\n", "c"), None);
    }
}
