//! The folder of captures: what a client may name of it, and nothing beside it.

use std::io;
use std::path::{Component, Path, PathBuf};

use thiserror::Error;

use super::MAX_FILES;
use crate::sources;

/// The one folder whose files may be replayed on request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captures {
    /// Canonical, so that a path within it begins with it.
    root: PathBuf,
    /// The same as text, with a separator behind it.
    prefix: String,
}

/// A folder that cannot be the one of captures.
#[derive(Debug, Error)]
pub enum CapturesError {
    /// It is not there, or may not be read.
    #[error("the folder of captures {folder}: {source}")]
    Folder {
        /// As it was given.
        folder: String,
        /// The system's words.
        source: io::Error,
    },
    /// It is a file.
    #[error("{folder} is not a folder: give the folder that holds the captures")]
    NotFolder {
        /// As it was given.
        folder: String,
    },
    /// Its own name would be taken for a pattern, or is no text.
    #[error("the folder of captures {folder}: rename it, its path has one of * ? [ or is not UTF-8")]
    Name {
        /// As the system has it.
        folder: String,
    },
}

/// A name that stands for no file of the folder. `file` is what the client wrote.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// Nothing is named.
    #[error("files is empty: name a file of the folder of captures")]
    None,
    /// More than one replay may have.
    #[error("files: {file} makes them more than {MAX_FILES}: start several replays")]
    TooMany {
        /// The name with which it was too much.
        file: String,
    },
    /// It is no name within a folder.
    #[error("file {file:?} {reason}: name it from the folder of captures on, with / between the parts")]
    Name {
        /// As the client wrote it.
        file: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It is, or leads over, a link to elsewhere.
    #[error("file {file:?} leads out of the folder of captures: only what is within it can be replayed")]
    Outside {
        /// As the client wrote it.
        file: String,
    },
    /// There is no such file.
    #[error("file {file:?} is not in the folder of captures")]
    Missing {
        /// As the client wrote it.
        file: String,
    },
    /// It is a pipe, a device, or a folder where a file is expected.
    #[error("file {file:?} is no regular file")]
    NotRegular {
        /// As the client wrote it.
        file: String,
    },
    /// A pattern that nothing has, a folder without files, a damaged archive.
    #[error("file {file:?}: {reason}")]
    Expand {
        /// As the client wrote it.
        file: String,
        /// The reader's words.
        reason: String,
    },
    /// The system refuses.
    #[error("file {file:?}: {source}")]
    Io {
        /// As the client wrote it.
        file: String,
        /// The system's words.
        source: io::Error,
    },
}

impl Captures {
    /// The captures of this folder.
    ///
    /// # Errors
    /// It is not a folder, or its path cannot be told from a pattern.
    pub fn open(folder: &Path) -> Result<Self, CapturesError> {
        let name = || folder.display().to_string();
        let root =
            folder.canonicalize().map_err(|source| CapturesError::Folder { folder: name(), source })?;
        if !root.is_dir() {
            return Err(CapturesError::NotFolder { folder: name() });
        }
        match root.to_str() {
            Some(text) if !text.contains(['*', '?', '[']) => {
                let text = text.trim_end_matches(std::path::MAIN_SEPARATOR);
                let prefix = format!("{text}{}", std::path::MAIN_SEPARATOR);
                Ok(Self { root, prefix })
            }
            _ => Err(CapturesError::Name { folder: root.display().to_string() }),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.root
    }

    /// The files that these names stand for, each as its name from the folder on: itself, those of a folder or
    /// an archive, or those that a pattern is the name of.
    ///
    /// # Errors
    /// One of them is not within the folder, or stands for no file.
    pub fn expand(&self, names: &[String]) -> Result<Vec<String>, CaptureError> {
        let mut files = Vec::new();
        for name in names {
            files.extend(self.expand_one(name)?);
            if files.len() > MAX_FILES {
                return Err(CaptureError::TooMany { file: name.clone() });
            }
        }
        if files.is_empty() { Err(CaptureError::None) } else { Ok(files) }
    }

    /// The path of one file, which [`Captures::expand`] has given; checked anew, as links may have changed.
    ///
    /// # Errors
    /// It is no longer there, or leads out of the folder.
    pub fn path_of(&self, file: &str) -> Result<String, CaptureError> {
        let path = format!("{}{}", self.prefix, within(file)?);
        self.check_file(file, &path)?;
        Ok(path)
    }

    /// What a client may read of an error: paths from the folder on.
    pub fn shown(&self, text: &str) -> String {
        text.replace(&self.prefix, "")
    }

    fn expand_one(&self, name: &str) -> Result<Vec<String>, CaptureError> {
        let path = format!("{}{}", self.prefix, within(name)?);
        self.check_prefix(name, Path::new(&path))?;
        let found = sources::expand(&path).map_err(|error| {
            let reason = self.shown(&error.to_string());
            CaptureError::Expand { file: name.to_owned(), reason }
        })?;
        // A name is checked by what it would open, before anything of it is read.
        if found.len() > MAX_FILES {
            return Err(CaptureError::TooMany { file: name.to_owned() });
        }
        found.iter().try_for_each(|path| self.check_file(&self.shown(path), path))?;
        let relative = found.iter().map(|path| self.shown(path));
        Ok(relative.map(|file| file.replace(std::path::MAIN_SEPARATOR, "/")).collect())
    }

    /// Follows a name as far as it is there, so that no folder outside is listed for a pattern.
    fn check_prefix(&self, name: &str, path: &Path) -> Result<(), CaptureError> {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        let mut so_far = self.root.clone();
        for part in below.components() {
            so_far.push(part);
            match so_far.canonicalize() {
                Ok(real) if !real.starts_with(&self.root) => {
                    return Err(CaptureError::Outside { file: name.to_owned() });
                }
                Ok(_) => {}
                // A pattern, a file within an archive, or nothing: that is found out next.
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn check_file(&self, name: &str, path: &str) -> Result<(), CaptureError> {
        let file = || name.to_owned();
        let on_disk = sources::file_of(path);
        let real = on_disk.canonicalize().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => CaptureError::Missing { file: file() },
            _ => CaptureError::Io { file: file(), source },
        })?;
        if !real.starts_with(&self.root) {
            return Err(CaptureError::Outside { file: file() });
        }
        if !real.is_file() {
            return Err(CaptureError::NotRegular { file: file() });
        }
        Ok(())
    }
}

/// The longest name: what file systems take as a path.
const LONGEST_NAME: usize = 4096;

/// The name with its parts in their plain form. It goes down from the folder, never up and never elsewhere.
fn within(name: &str) -> Result<String, CaptureError> {
    let refused = |reason| Err(CaptureError::Name { file: shortened(name), reason });
    if name.trim().is_empty() {
        return refused("is empty");
    }
    if name.len() > LONGEST_NAME {
        return refused("is too long");
    }
    if name.chars().any(char::is_control) {
        return refused("has control characters");
    }
    // On other systems these begin an absolute path, and a plan should mean the same everywhere.
    let bytes = name.as_bytes();
    if bytes[0] == b'\\' || (bytes.len() > 1 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':') {
        return refused("is an absolute path");
    }
    let mut parts = Vec::new();
    for part in Path::new(name).components() {
        match part {
            // The parts of a text are text.
            Component::Normal(part) => parts.push(part.to_str().unwrap_or_default()),
            Component::CurDir => {}
            Component::ParentDir => return refused("goes up with '..'"),
            Component::RootDir | Component::Prefix(_) => return refused("is an absolute path"),
        }
    }
    Ok(parts.join("/"))
}

/// As much of a name as an error shows.
fn shortened(name: &str) -> String {
    name.chars().take(200).collect()
}
