//! What a user names as a source: a file, a folder, a pattern, an archive or a file in one.

use std::io;
use std::path::Path;

use glob::{MatchOptions, Pattern};
use thiserror::Error;

use crate::ReadError;
use crate::file_identity::FileIdentity;
use crate::input::zip::{self, Member};

/// A name that stands for no file.
#[derive(Debug, Error)]
pub enum ExpandError {
    /// A pattern that no file has.
    #[error("{pattern}: no file has such a name")]
    NoMatch {
        /// As the user gave it.
        pattern: String,
    },
    /// A pattern that is none.
    #[error("{pattern}: is neither a file nor a pattern: {reason}")]
    Pattern {
        /// As the user gave it.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A folder without files.
    #[error("{folder}: is a folder without a file that could hold ticks{advice}")]
    EmptyFolder {
        /// As the user gave it.
        folder: String,
        /// What to name instead, where there is something.
        advice: String,
    },
    /// A folder that cannot be read.
    #[error("{path}: {source}")]
    Folder {
        /// The folder, or what could not be read in it.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// A zip archive that cannot be read, or has no such file.
    #[error(transparent)]
    Archive(#[from] ReadError),
}

/// The files that `name` stands for, in order of name, by names that [`Input::open`](crate::input::Input::open)
/// takes.
///
/// A file is itself, and so are `-` and a file that is not there, which whoever opens it will say. A zip archive
/// is the data files in it, as `a.zip/member.csv`. A folder is the data files in it, not those of its folders. A
/// pattern such as `dir/*.csv` is what has such a name, in a folder or within an archive. Hidden files, checksums
/// and documents are no data files.
///
/// # Errors
/// A pattern that nothing matches, a folder without files, an archive that cannot be read.
pub fn expand(name: &str) -> Result<Vec<String>, ExpandError> {
    if name == "-" {
        return Ok(vec![name.to_owned()]);
    }
    let path = Path::new(name);
    if path.is_dir() {
        return expand_folder(name);
    }
    if path.is_file() {
        return expand_file(name);
    }
    match Place::of(name) {
        Place::Member { archive, member } => expand_member(name, archive, member),
        Place::File(_) if !path.exists() && is_pattern(name) => expand_pattern(name),
        Place::File(_) => Ok(vec![name.to_owned()]),
    }
}

/// An archive's data files, or the file itself.
fn expand_file(name: &str) -> Result<Vec<String>, ExpandError> {
    if !begins_as_zip(name) {
        return Ok(vec![name.to_owned()]);
    }
    let members = zip::data_members(name)?;
    Ok(members.iter().map(|member| format!("{name}/{}", member.name)).collect())
}

fn expand_folder(folder: &str) -> Result<Vec<String>, ExpandError> {
    let failed = |source| ExpandError::Folder { path: folder.to_owned(), source };
    let (mut names, mut has_folders) = (Vec::new(), false);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().into_string().map_err(|name| {
            failed(io::Error::other(format!("the name of {} is not UTF-8", name.display())))
        })?;
        match entry.path().is_dir() {
            true => has_folders |= !name.starts_with('.'),
            false => names.push(name),
        }
    }
    let mut data: Vec<_> = names.iter().filter(|name| is_data(name, &names)).collect();
    data.sort();
    if data.is_empty() {
        let folder = folder.to_owned();
        let advice =
            if has_folders { format!("; its folders' files are '{folder}/*/*'") } else { String::new() };
        return Err(ExpandError::EmptyFolder { folder, advice });
    }
    let slash = if folder.ends_with(['/', std::path::MAIN_SEPARATOR]) { "" } else { "/" };
    let files = data.iter().map(|name| expand_file(&format!("{folder}{slash}{name}")));
    files.collect::<Result<Vec<_>, _>>().map(|files| files.concat())
}

/// What a shell would give for the pattern, and the files that this stands for.
fn expand_pattern(pattern: &str) -> Result<Vec<String>, ExpandError> {
    let refused = |reason: String| ExpandError::Pattern { pattern: pattern.to_owned(), reason };
    let paths = glob::glob_with(pattern, MATCHING).map_err(|error| refused(error.to_string()))?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| ExpandError::Folder {
            path: error.path().display().to_string(),
            source: error.into(),
        })?;
        let name = path.to_str().ok_or_else(|| refused(format!("{} is not UTF-8", path.display())))?;
        let known = if path.is_dir() { expand_folder(name) } else { expand_file(name) };
        match known {
            // Among others that have some it does not matter.
            Err(ExpandError::EmptyFolder { .. }) => {}
            known => files.extend(known?),
        }
    }
    if files.is_empty() {
        return Err(ExpandError::NoMatch { pattern: pattern.to_owned() });
    }
    Ok(files)
}

/// A file in an archive, all of a folder in one, or those of a pattern.
fn expand_member(name: &str, archive: &str, member: &str) -> Result<Vec<String>, ExpandError> {
    let known = zip::data_members(archive)?;
    let whole = |member: &Member| format!("{archive}/{}", member.name);
    if known.iter().any(|known| known.name == member) {
        return Ok(vec![name.to_owned()]);
    }
    let folder = format!("{}/", member.trim_end_matches('/'));
    let mut files: Vec<_> = known.iter().filter(|known| known.name.starts_with(&folder)).map(whole).collect();
    if files.is_empty() && is_pattern(member) {
        let pattern = Pattern::new(member)
            .map_err(|error| ExpandError::Pattern { pattern: name.to_owned(), reason: error.to_string() })?;
        let matches = |known: &&Member| pattern.matches_with(&known.name, MATCHING);
        files = known.iter().filter(matches).map(whole).collect();
    }
    if files.is_empty() {
        // One that is no data may be asked for by its name; else this says which there are.
        zip::member(archive, member)?;
        files.push(name.to_owned());
    }
    Ok(files)
}

/// As a shell matches: no asterisk goes across folders or stands for a hidden file's point.
const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// Whether a file among others may hold ticks, by its name: hidden files, checksums, signatures, documents and
/// what systems leave in folders do not, nor does a report that goes with a CSV of the same name.
pub(crate) fn is_data(name: &str, others: &[String]) -> bool {
    const NO_DATA: [&str; 21] = [
        "checksum", "md5", "sha1", "sha256", "sha512", "asc", "sig", "md", "pdf", "htm", "html", "doc",
        "docx", "rtf", "xls", "xlsx", "png", "jpg", "jpeg", "gif", "ini",
    ];
    // Among them what Databento puts beside its files.
    const DOCUMENTS: [&str; 9] = [
        "readme",
        "readme.txt",
        "license",
        "license.txt",
        "thumbs.db",
        "condition.json",
        "manifest.json",
        "metadata.json",
        "symbology.json",
    ];
    let mut parts = name.split('/');
    if parts.any(|part| part.starts_with('.') || part == "__MACOSX") {
        return false;
    }
    let file = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
    if NO_DATA.contains(&ending) || DOCUMENTS.contains(&&*file) {
        return false;
    }
    // HistData's archives have a text of gaps beside the ticks.
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let csv = format!("{stem}.csv");
    !ending.eq_ignore_ascii_case("txt") || !others.iter().any(|other| other.eq_ignore_ascii_case(&csv))
}

/// Where a source's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// In a file, which need not be there.
    File(&'a str),
    /// In a zip archive.
    Member {
        /// The archive's path.
        archive: &'a str,
        /// The name within it.
        member: &'a str,
    },
}

impl<'a> Place<'a> {
    /// Of a source's name: a file in an archive where a part of the path is a zip archive.
    pub(crate) fn of(name: &'a str) -> Self {
        if Path::new(name).exists() {
            return Self::File(name);
        }
        let slashes = name.char_indices().filter(|(_, c)| std::path::is_separator(*c));
        for (at, _) in slashes {
            let (archive, member) = (&name[..at], &name[at + 1..]);
            if !member.is_empty() && begins_as_zip(archive) {
                return Self::Member { archive, member };
            }
        }
        Self::File(name)
    }
}

/// Whether a file begins as a zip archive does. One that cannot be read does not: whoever opens it will say so.
fn begins_as_zip(path: &str) -> bool {
    let mut head = [0; 4];
    let mut read = || io::Read::read_exact(&mut std::fs::File::open(path)?, &mut head);
    // To open a pipe would be to wait for whoever writes to it.
    Path::new(path).is_file() && read().is_ok() && zip::is_zip(&head)
}

/// The file of the file system that a source is in: the archive, for a file in one.
pub fn file_of(name: &str) -> &Path {
    match Place::of(name) {
        Place::File(file) => Path::new(file),
        Place::Member { archive, .. } => Path::new(archive),
    }
}

/// How large a source is on disk, where it is one file or a file in an archive.
///
/// # Errors
/// It is not there, or is in a damaged archive.
pub fn packed_bytes(name: &str) -> io::Result<u64> {
    match Place::of(name) {
        Place::File(file) => Ok(std::fs::metadata(file)?.len()),
        Place::Member { archive, member } => {
            let member = zip::member(archive, member).map_err(io::Error::other)?;
            Ok(member.packed_bytes)
        }
    }
}

/// What distinguishes a source from all others, whatever it is called; `None` where it is not there.
pub(crate) fn identity(name: &str) -> Option<(FileIdentity, Option<&str>)> {
    match Place::of(name) {
        Place::File(file) => Some((FileIdentity::of(file.as_ref())?, None)),
        Place::Member { archive, member } => Some((FileIdentity::of(archive.as_ref())?, Some(member))),
    }
}
