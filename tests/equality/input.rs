//! What the cases play, and the signals that it makes: a capture, once for each of six symbols, looped.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use tick_feed::run::shard_of;

use crate::program::{ORCHARD, Program};

/// How many shards every case has.
pub(crate) const SHARDS: u16 = 4;

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/usdm_btcusdt_20240808.zst");

/// The capture has one symbol; these give every shard one at least.
const PREFIXES: [&str; 6] = ["A.", "B.", "C.", "D.", "E.", "F."];

/// For a strategy of groups: every shard has one.
const GROUPS: &str = "\
gold = A.BTCUSDT B.BTCUSDT
silver = C.BTCUSDT D.BTCUSDT
third = E.BTCUSDT
first = F.BTCUSDT
";

/// Sources, and what comes of them.
pub(crate) struct Input {
    /// What plays them: Orchard, or Orchard with a strategy more.
    pub(crate) program: PathBuf,
    /// The strategies of each case's instances.
    pub(crate) instances: &'static [&'static str],
    /// Files and the options that decide which ticks there are, for `replay` and `ingest`.
    pub(crate) args: Vec<String>,
    /// The options that pace it, for `ingest` alone.
    pub(crate) pace: Vec<String>,
    /// How many ticks that is.
    pub(crate) ticks: u64,
    /// The signals of its strategies.
    pub(crate) expected: PathBuf,
}

impl Input {
    /// Its strategies, each of them once.
    pub(crate) fn strategies(&self) -> Vec<&'static str> {
        let mut strategies = self.instances.to_vec();
        strategies.dedup();
        strategies
    }
}

/// Whether every case is played at length.
pub(crate) fn is_long() -> bool {
    std::env::var_os("ORCHARD_TEST_LONG").is_some_and(|value| value == "1")
}

/// The durabilities that a case is played at.
pub(crate) fn durabilities() -> &'static [&'static str] {
    if is_long() { &["memory", "replicated"] } else { &["memory"] }
}

/// The input of most cases, made by the first: three instances of Apple and two of Pear.
pub(crate) fn input() -> &'static Input {
    static INPUT: OnceLock<Input> = OnceLock::new();
    INPUT.get_or_init(|| {
        // One is Apple under another name, for who joins late.
        let strategies = ["--strategy", "apple,pear", "--strategy", "late=apple"];
        let instances = &["apple", "apple", "apple", "pear", "pear"];
        play("equality", Path::new(ORCHARD), instances, &strategies, &[])
    })
}

/// The same ticks for a strategy with groups, timers and an end, which a program of its own has.
pub(crate) fn basket_input() -> &'static Input {
    static INPUT: OnceLock<Input> = OnceLock::new();
    INPUT.get_or_init(|| {
        let program = Path::new(ORCHARD).with_file_name("basket");
        assert!(program.exists(), "build it first: cargo build -p basket");
        let groups = folder("basket").join("groups.txt");
        std::fs::write(&groups, GROUPS).expect("the folder takes a file");
        let options = ["--groups", groups.to_str().expect("UTF-8")];
        play("basket", &program, &["basket"; 3], &["--strategy", "basket"], &options)
    })
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The first minute of the capture.
fn shortened(folder: &Path) -> String {
    let short = folder.join("minute.ticks");
    // An earlier run has left it.
    let _ = std::fs::remove_file(&short);
    let short = short.to_str().expect("UTF-8").to_owned();
    done(Path::new(ORCHARD), folder, &["convert", CAPTURE, &short, "--to", "2024-08-08T23:55:18Z"]);
    short
}

/// Plays the capture at the length of these cases in one process, with `options` that decide which ticks
/// there are.
fn play(
    name: &str,
    program: &Path,
    instances: &'static [&'static str],
    strategies: &[&str],
    options: &[&str],
) -> Input {
    let folder = folder(name);
    let (file, repeats, rate) =
        if is_long() { (CAPTURE.to_owned(), 4, 150_000) } else { (shortened(&folder), 2, 50_000) };
    let own = |text: &str| text.to_owned();
    let mut args = vec![file; PREFIXES.len()];
    args.extend(PREFIXES.iter().flat_map(|prefix| [own("--prefix"), own(prefix)]));
    args.extend([own("--loop"), repeats.to_string()]);
    args.extend(options.iter().copied().map(own));

    let expected = folder.join("expected.csv");
    // An earlier run has left it.
    let _ = std::fs::remove_file(&expected);
    let replay = [&["replay", "--quiet", "--json"], strategies, &["--signals"]].concat();
    let mut replay: Vec<_> = replay.into_iter().map(own).collect();
    replay.push(expected.to_str().expect("UTF-8").to_owned());
    replay.extend(args.iter().cloned());
    let summary: serde_json::Value = serde_json::from_str(&done(program, &folder, &replay)).expect("JSON");
    let ticks = summary["ticks"].as_u64().expect("a count");
    let least = if is_long() { 3_000_000 } else { 200_000 };
    assert!(ticks >= least, "{ticks} ticks are too few");
    let pace = vec![own("--rate"), rate.to_string()];
    Input { program: program.to_owned(), instances, args, pace, ticks, expected }
}

fn done<A: AsRef<str>>(program: &Path, folder: &Path, args: &[A]) -> String {
    let ended = Program::start_of(program, args[0].as_ref(), folder, args).wait(Duration::from_secs(600));
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    ended.said
}

/// Every shard has something to do.
#[test]
fn every_shard_has_keys() {
    let symbols = PREFIXES.map(|prefix| format!("{prefix}BTCUSDT"));
    let groups = GROUPS.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.to_owned());
    for keys in [symbols.to_vec(), groups.collect()] {
        let on: Vec<_> = keys.iter().map(|key| shard_of(key, SHARDS)).collect();
        assert!((0..SHARDS).all(|shard| on.contains(&shard)), "{keys:?}: {on:?}");
    }
}
