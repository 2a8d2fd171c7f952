//! Names of files, as a hostile client writes them.

use super::super::{CaptureError, MAX_FILES};
use super::*;

fn expand(folder: &Path, name: &str) -> Result<Vec<String>, CaptureError> {
    Captures::open(folder).unwrap().expand(&[name.to_owned()])
}

#[test]
fn only_what_is_within_the_folder_can_be_named() {
    let folder = captures();
    let inside = folder.path().canonicalize().unwrap();
    let absolute = inside.join("a.csv");
    for (name, reason) in [
        (absolute.to_str().unwrap(), "is an absolute path"),
        ("/etc/passwd", "is an absolute path"),
        ("C:\\captures\\a.csv", "is an absolute path"),
        ("\\\\server\\a.csv", "is an absolute path"),
        ("../a.csv", "goes up with '..'"),
        ("day/../../a.csv", "goes up with '..'"),
        ("a.csv\0.zst", "has control characters"),
        ("a\n.csv", "has control characters"),
        ("", "is empty"),
        (" ", "is empty"),
        (&"x/".repeat(5000), "is too long"),
        ("-", "is not in the folder of captures"),
        ("c.csv", "is not in the folder of captures"),
        ("a.csv/c.csv", "is not in the folder of captures"),
        ("c*.csv", "no file has such a name"),
        ("day/**/[", "is neither a file nor a pattern"),
    ] {
        let error = expand(folder.path(), name).unwrap_err().to_string();
        assert!(error.contains(reason), "{name:?}: {error}");
        assert!(!error.contains(&*inside.to_string_lossy()) || name.starts_with('/'), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn links_that_lead_out_are_refused_and_those_within_are_not() {
    use std::os::unix::fs::symlink;

    let outside = captures();
    let folder = captures();
    let link = |to: &Path, name: &str| symlink(to, folder.path().join(name)).unwrap();
    link(&outside.path().join("a.csv"), "out.csv");
    link(outside.path(), "elsewhere");
    link(&folder.path().join("a.csv"), "in.csv");
    link(&folder.path().join("nowhere"), "broken.csv");
    for name in ["out.csv", "o*.csv", "elsewhere", "elsewhere/a.csv", "elsewhere/*.csv", "*/a.csv"] {
        let error = expand(folder.path(), name).unwrap_err();
        assert!(matches!(error, CaptureError::Outside { .. }), "{name}: {error}");
    }
    assert!(matches!(expand(folder.path(), "broken.csv"), Err(CaptureError::Missing { .. })));
    assert_eq!(expand(folder.path(), "in.csv").unwrap(), ["in.csv"]);
    // What was a file when it was named may be a link when it is played.
    let captures = Captures::open(folder.path()).unwrap();
    std::fs::remove_file(folder.path().join("a.csv")).unwrap();
    link(&outside.path().join("a.csv"), "a.csv");
    assert!(matches!(captures.path_of("a.csv"), Err(CaptureError::Outside { .. })));
}

#[test]
fn a_replay_has_a_thousand_files_and_not_one_more() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..MAX_FILES {
        std::fs::write(folder.path().join(format!("{number}.csv")), "").unwrap();
    }
    assert_eq!(expand(folder.path(), "*.csv").unwrap().len(), MAX_FILES);
    std::fs::write(folder.path().join("more.csv"), "").unwrap();
    assert!(matches!(expand(folder.path(), "."), Err(CaptureError::TooMany { .. })));
}

#[test]
fn a_folder_that_reads_as_a_pattern_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("a[b]");
    std::fs::create_dir(&odd).unwrap();
    assert!(Captures::open(&odd).unwrap_err().to_string().contains("rename it"));
    assert!(Captures::open(&folder.path().join("none")).is_err());
}
