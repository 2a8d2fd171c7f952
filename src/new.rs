//! `orchard new`: a crate for a strategy of one's own.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::ended::{Ended, UsageError};

mod name;
mod repository;
mod workspace;

use name::Name;
use repository::Repository;
use workspace::Joined;

/// The crate as it is written, with the name `my-strategy`. It is compiled and tested here too.
#[cfg(test)]
#[path = "new/template/strategy.rs"]
mod template_strategy;

const STRATEGY: &str = include_str!("new/template/strategy.rs");
const MAIN: &str = include_str!("new/template/main.rs");
const README: &str = include_str!("new/template/README.md");
const MANIFEST: &str = include_str!("new/template/manifest.toml");
/// The manifest of a crate inside a clone.
const MEMBER_MANIFEST: &str = include_str!("new/template/member.toml");
/// Its profiles are those of a crate of its own too.
const WORKSPACE: &str = include_str!("../Cargo.toml");
/// The template is formatted by it.
const RUSTFMT: &str = include_str!("../rustfmt.toml");

/// Options of `orchard new`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct NewArgs {
    /// The strategy's name: lower case, digits and -, as in my-strategy
    name: String,
    /// The folder to write; ./NAME if not given
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Orchard's repository, a folder or a git URL; if not given the one that the new folder lies in, else
    /// the one that this program was built from
    #[arg(long, value_name = "DIR|URL")]
    orchard: Option<String>,
}

const AFTER_HELP: &str = "\
It writes a small crate: the strategy with its tests, a main of three lines, a README. The program
that it builds is orchard with your strategy in it. In a clone of Orchard the crate becomes a member of
the clone's workspace, and only your strategy is left to build.

Examples:
  orchard new my-strategy
  cd my-strategy
  cargo test --release
  cargo run --release -- replay data.gz --strategy my-strategy

  orchard new my-strategy --path ../research/my-strategy --orchard ../orchard";

pub(crate) fn run(args: NewArgs) -> Result<Ended> {
    let name: Name = args.name.parse().map_err(UsageError)?;
    let folder = args.path.unwrap_or_else(|| PathBuf::from(name.text()));
    let enclosing = Repository::enclosing(&folder).filter(|_| args.orchard.is_none());
    let repository = enclosing.map_or_else(|| Repository::find(args.orchard.as_deref()), Ok)?;
    create_empty(&folder)?;
    let joined = join(&repository, &folder)?;
    for (path, text) in &render(&name, &repository, &folder)? {
        write_new(&folder.join(path), text)?;
    }
    joined.as_ref().map_or(Ok(()), Joined::write)?;
    print_next_steps(&mut io::stdout().lock(), &name, &folder, joined.is_some())?;
    Ok(Ended::Done)
}

/// Creates the folder; one that is there already must be empty.
fn create_empty(folder: &Path) -> Result<()> {
    let shown = folder.display();
    fs::create_dir_all(folder)
        .with_context(|| format!("{shown}: cannot create the folder; name another with --path DIR"))?;
    let mut entries = fs::read_dir(folder).with_context(|| format!("{shown}: cannot read the folder"))?;
    if entries.next().is_some() {
        bail!("{shown} is not empty: name another folder with --path DIR, or remove this one");
    }
    Ok(())
}

/// The clone's workspace with the crate in it, if the folder lies in the clone.
fn join(repository: &Repository, folder: &Path) -> Result<Option<Joined>> {
    let Some(root) = repository.root_around(folder) else { return Ok(None) };
    let folder = folder.canonicalize().with_context(|| format!("{}: cannot be found", folder.display()))?;
    Joined::plan(&root, &folder).map(Some)
}

/// Every file of the crate: its path within the folder, and its text.
fn render(name: &Name, repository: &Repository, folder: &Path) -> Result<Vec<(&'static str, String)>> {
    let named =
        |template: &str| template.replace("MyStrategy", name.type_name()).replace("my-strategy", name.text());
    if repository.root_around(folder).is_some() {
        let readme = named(README).replace("ORCHARD", &repository.link(folder)?);
        return Ok(vec![
            ("Cargo.toml", named(MEMBER_MANIFEST)),
            ("README.md", readme),
            ("src/main.rs", MAIN.to_owned()),
            ("src/strategy.rs", named(STRATEGY)),
        ]);
    }
    let manifest = named(MANIFEST)
        .replace("PROFILES", &profiles())
        .replace("TICK_SDK", &repository.dependency("tick-sdk", folder)?)
        .replace("ORCHARD", &repository.dependency("", folder)?);
    let readme = named(README).replace("ORCHARD", &repository.link(folder)?);
    let mut files = vec![
        ("Cargo.toml", manifest),
        ("README.md", readme),
        (".gitignore", "/target\n".to_owned()),
        ("rustfmt.toml", RUSTFMT.to_owned()),
        ("src/main.rs", MAIN.to_owned()),
        ("src/strategy.rs", named(STRATEGY)),
    ];
    // The repository's own lock file makes the crate build from the versions that Orchard is
    // tested with, and offline after one build of Orchard.
    files.extend(repository.lock_file()?.map(|lock| ("Cargo.lock", lock)));
    Ok(files)
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    let written = || {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::File::create_new(path)?.write_all(text.as_bytes())
    };
    written().with_context(|| format!("{}: cannot write the file", path.display()))
}

/// The workspace's profiles: what no tick passes through is not optimised for long.
fn profiles() -> String {
    let begin = WORKSPACE.find("[profile.dev]").unwrap_or(WORKSPACE.len());
    let profiles = &WORKSPACE[begin..];
    let end = ["# What is shipped", "[profile.dist]", "[package]"];
    let end = end.iter().filter_map(|end| profiles.find(end)).min().unwrap_or(0);
    profiles[..end].trim_end().to_owned()
}

fn print_next_steps(out: &mut impl Write, name: &Name, folder: &Path, is_member: bool) -> io::Result<()> {
    let (name, folder) = (name.text(), folder.display());
    let member = if is_member { " It is a member of the clone's workspace." } else { "" };
    writeln!(out, "Written: {folder}. The strategy is {folder}/src/strategy.rs.{member}\n\nNext:")?;
    writeln!(out, "  cd {folder}")?;
    writeln!(out, "  cargo test --release")?;
    writeln!(out, "  cargo run --release -- replay --strategy {name}              a generated market")?;
    writeln!(out, "  cargo run --release -- replay data.gz --strategy {name}      a capture")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(name: &str) -> Vec<(&'static str, String)> {
        let repository = Repository::find(Some(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let folder = tempfile::tempdir().unwrap();
        render(&name.parse().unwrap(), &repository, folder.path()).unwrap()
    }

    fn text<'a>(files: &'a [(&str, String)], path: &str) -> &'a str {
        &files.iter().find(|(found, _)| *found == path).unwrap().1
    }

    #[test]
    fn the_name_stands_everywhere_the_template_has_its_own() {
        let files = rendered("slow-turtle");
        assert!(text(&files, "src/strategy.rs").contains("register!(SlowTurtle);"));
        assert!(text(&files, "src/strategy.rs").contains("struct SlowTurtleParams {"));
        assert!(text(&files, "src/strategy.rs").contains("const NAME: &'static str = \"slow-turtle\";"));
        assert!(text(&files, "Cargo.toml").contains("name = \"slow-turtle\""));
        for (path, text) in files.iter().filter(|(path, _)| *path != "Cargo.lock") {
            for left in ["my-strategy", "MyStrategy", "ORCHARD", "TICK_SDK"] {
                assert!(!text.contains(left), "{left} is left in {path}");
            }
        }
    }

    #[test]
    fn a_crate_of_its_own_has_the_workspace_s_profiles() {
        let files = rendered("slow-turtle");
        let manifest = text(&files, "Cargo.toml");
        assert!(manifest.contains("\n[profile.release]\n") && !manifest.contains("[profile.dist]"));
        assert!(!manifest.contains("PROFILES") && manifest.contains("\n[workspace]"), "{manifest}");
    }

    #[test]
    fn the_lock_file_is_the_repository_s() {
        let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
        assert_eq!(text(&rendered("slow-turtle"), "Cargo.lock"), lock);
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        create_empty(folder.path()).unwrap();
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let error = create_empty(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is not empty") && error.contains("--path"), "{error}");
    }
}
