//! The folder of captures: what is in it, and which names a replay may ask for.

use std::path::{Path, PathBuf};

use tick_sdk::api::FileView;

use crate::instant::text_of_ms;

/// So many files are listed, and a replay's names may stand for.
const MOST_FILES: usize = 10_000;
/// Folders within each other are looked into so deep, so that a link to a parent ends.
const DEEPEST: usize = 16;

/// A folder whose files can be replayed.
#[derive(Clone, Debug)]
pub struct Captures {
    /// Without links.
    root: PathBuf,
}

impl Captures {
    /// The folder at this path.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        Ok(Self { root: folder.canonicalize()? })
    }

    /// Every file below the folder, in order of path; those that a link leads out to are left out. It blocks.
    pub(crate) fn files(&self) -> Vec<FileView> {
        let mut files = Vec::new();
        self.walk(&self.root, String::new(), DEEPEST, &mut files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }

    fn walk(&self, folder: &Path, prefix: String, depth: usize, files: &mut Vec<FileView>) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = format!("{prefix}{name}");
            let Some(inside) = self.inside(&entry.path()) else { continue };
            let Ok(metadata) = inside.metadata() else { continue };
            if files.len() >= MOST_FILES || name.starts_with('.') {
                continue;
            }
            if metadata.is_dir() && depth > 0 {
                self.walk(&inside, format!("{path}/"), depth - 1, files);
            } else if metadata.is_file() {
                let modified = metadata.modified().ok();
                let since = modified.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
                let modified_at = since.map(|since| text_of_ms(since.as_millis() as u64));
                files.push(FileView { path, bytes: metadata.len(), modified_at });
            }
        }
    }

    /// The path without links, where it is within the folder.
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        path.canonicalize().ok().filter(|path| path.starts_with(&self.root))
    }

    /// Whether a replay may ask for this file, folder or pattern. It blocks.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence that begins with its name.
    pub(crate) fn check(&self, asked: &str) -> Result<(), String> {
        check_form(asked)?;
        if asked.contains(['*', '?', '[']) {
            return self.check_pattern(asked);
        }
        let mut path = self.root.join(asked);
        if path.symlink_metadata().is_err() {
            // What is in an archive is looked for by those who read archives.
            let above = path.ancestors().skip(1).take_while(|above| *above != self.root);
            let archive = above.into_iter().find(|above| above.is_file()).map(Path::to_owned);
            path = archive.ok_or("is not in the folder of captures: GET /api/files lists what is")?;
        }
        let inside = self.inside(&path).ok_or("leads out of the folder of captures")?;
        if inside.is_dir() { self.check_folder(&inside, DEEPEST) } else { Ok(()) }
    }

    fn check_folder(&self, folder: &Path, depth: usize) -> Result<(), String> {
        let entries = std::fs::read_dir(folder).map_err(|error| format!("cannot be read: {error}"))?;
        for entry in entries.flatten() {
            let Some(inside) = self.inside(&entry.path()) else {
                let name = entry.file_name();
                return Err(format!("has a link '{}' that leads out of it", name.to_string_lossy()));
            };
            if inside.is_dir() && depth > 0 {
                self.check_folder(&inside, depth - 1)?;
            }
        }
        Ok(())
    }

    fn check_pattern(&self, pattern: &str) -> Result<(), String> {
        let root = self.root.to_str().ok_or("cannot be looked for: the folder's own path is not UTF-8")?;
        let whole = format!("{}/{pattern}", glob::Pattern::escape(root));
        let found = glob::glob(&whole).map_err(|error| format!("is no pattern: {error}"))?;
        let mut count = 0;
        for path in found.flatten().take(MOST_FILES) {
            count += 1;
            self.inside(&path).ok_or_else(|| format!("finds {}, which leads out", path.display()))?;
        }
        if count == 0 { Err("finds nothing in the folder of captures".to_owned()) } else { Ok(()) }
    }
}

/// What can be seen of a name without looking at the folder.
pub(crate) fn check_form(asked: &str) -> Result<(), String> {
    if asked.is_empty() {
        return Err("is empty".to_owned());
    }
    let is_absolute = asked.starts_with('/') || asked.get(1..2) == Some(":");
    if is_absolute || asked.contains('\\') {
        return Err("is no path below the folder of captures, with '/' between its parts".to_owned());
    }
    if asked.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("has a part that is empty, '.' or '..'".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Captures) {
        let folder = tempfile::tempdir().unwrap();
        let captures = folder.path().join("captures");
        std::fs::create_dir_all(captures.join("day")).unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        std::fs::write(captures.join("a.csv"), "a").unwrap();
        std::fs::write(captures.join("day/b.csv"), "bb").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path().join("secret"), captures.join("link")).unwrap();
        let captures = Captures::open(&captures).unwrap();
        (folder, captures)
    }

    #[test]
    fn files_are_listed_with_their_paths() {
        let (_folder, captures) = folder();
        let files: Vec<_> = captures.files().into_iter().map(|file| (file.path, file.bytes)).collect();
        assert_eq!(files, [("a.csv".to_owned(), 1), ("day/b.csv".to_owned(), 2)]);
    }

    #[test]
    fn only_what_is_in_the_folder_can_be_asked_for() {
        let (_folder, captures) = folder();
        for asked in ["a.csv", "day", "day/b.csv", "*.csv", "**/b.csv", "day/?.csv", "a.csv/member"] {
            captures.check(asked).unwrap_or_else(|wrong| panic!("{asked}: {wrong}"));
        }
        for (asked, wrong) in [
            ("", "empty"),
            ("/etc/passwd", "no path below"),
            ("C:/x", "no path below"),
            ("day\\b.csv", "no path below"),
            ("../secret", "'..'"),
            ("day/../../secret", "'..'"),
            ("./a.csv", "'.'"),
            ("day//b.csv", "empty"),
            ("*/../../secret", "'..'"),
            ("none.csv", "GET /api/files"),
            ("link", "leads out"),
            ("link/member", "leads out"),
            ("day/none/member", "GET /api/files"),
            ("l*", "leads out"),
            ("x*", "finds nothing"),
            ("[", "no pattern"),
        ] {
            let refused = captures.check(asked).unwrap_err();
            assert!(refused.contains(wrong), "{asked}: {refused}");
        }
    }
}
