//! The real program, run in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A folder for the files of one test, and the program that runs in it.
pub(crate) struct Folder {
    folder: TempDir,
    program: PathBuf,
}

/// How the program ended, and what it said.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self::running(Path::new(crate::PROGRAM))
    }

    /// As [`Folder::new`], for another program than the test's own.
    pub(crate) fn running(program: &Path) -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), program: program.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, and gives its bytes back.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Vec<u8> {
        std::fs::write(self.path().join(name), &content).expect("the folder takes a file");
        content.as_ref().to_vec()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The names of everything in the folder, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).expect("the folder is there");
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> = entries.map(name).map(|name| name.into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }

    /// The program in this folder, not yet started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(self.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end; it must not panic whatever it is given.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        let ran =
            Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        assert!(!ran.stderr.contains("panicked"), "{args:?}: {}", ran.stderr);
        ran
    }

    /// Runs it and expects success; gives its standard output.
    pub(crate) fn done(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Runs it and expects this exit code, and an error that says each of `said`.
    pub(crate) fn fails(&self, code: i32, args: &[&str], said: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(code), "{args:?}: {}{}", ran.stdout, ran.stderr);
        for text in said {
            assert!(ran.stderr.contains(text), "{args:?} does not say {text:?}: {}", ran.stderr);
        }
        ran
    }

    /// Runs it with `--json` and reads the one object that it prints.
    pub(crate) fn json(&self, args: &[&str]) -> serde_json::Value {
        let text = self.done(&[args, &["--json"]].concat());
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Reads the first line of its standard output, closes that, and expects success nevertheless.
    pub(crate) fn first_line_only(&self, args: &[&str]) -> String {
        use std::io::{BufRead, BufReader};
        let mut child = self.command(args).spawn().expect("the program starts");
        let mut line = String::new();
        // Dropped at the end of the statement, which closes the pipe.
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let output = child.wait_with_output().expect("the program ends");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !stderr.contains("panicked"), "{:?}: {stderr}", output.status);
        line
    }
}
