//! What the cases play, and the signals that it makes: a capture, once for each of six symbols, looped.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use tick_feed::run::shard_of;

use crate::program::Program;

/// How many shards every case has.
pub(crate) const SHARDS: u16 = 4;

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/usdm_btcusdt_20240808.zst");

/// The capture has one symbol; these give every shard one at least.
const PREFIXES: [&str; 6] = ["A.", "B.", "C.", "D.", "E.", "F."];

/// Sources, and what comes of them.
pub(crate) struct Input {
    /// Files and the options that decide which ticks there are, for `replay` and `ingest`.
    pub(crate) args: Vec<String>,
    /// The options that pace it, for `ingest` alone.
    pub(crate) pace: Vec<String>,
    /// How many ticks that is.
    pub(crate) ticks: u64,
    /// The signals of Apple and Pear.
    pub(crate) expected: PathBuf,
}

/// Whether every case is played at length.
pub(crate) fn is_long() -> bool {
    std::env::var_os("ORCHARD_TEST_LONG").is_some_and(|value| value == "1")
}

/// The durabilities that a case is played at.
pub(crate) fn durabilities() -> &'static [&'static str] {
    if is_long() { &["memory", "replicated"] } else { &["memory"] }
}

/// The input of all cases, made by the first.
pub(crate) fn input() -> &'static Input {
    static INPUT: OnceLock<Input> = OnceLock::new();
    INPUT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("equality");
        std::fs::create_dir_all(&folder).expect("a folder");
        if is_long() {
            play(&folder, CAPTURE, 4, 150_000)
        } else {
            play(&folder, &shortened(&folder), 2, 50_000)
        }
    })
}

/// The first minute of the capture.
fn shortened(folder: &Path) -> String {
    let short = folder.join("minute.ticks");
    // An earlier run has left it.
    let _ = std::fs::remove_file(&short);
    let short = short.to_str().expect("UTF-8").to_owned();
    done(folder, &["convert", CAPTURE, &short, "--to", "2024-08-08T23:55:18Z"]);
    short
}

fn play(folder: &Path, file: &str, repeats: u64, rate: u64) -> Input {
    let on: Vec<_> = PREFIXES.iter().map(|prefix| shard_of(&format!("{prefix}BTCUSDT"), SHARDS)).collect();
    assert!((0..SHARDS).all(|shard| on.contains(&shard)), "every shard has instruments: {on:?}");
    let own = |text: &str| text.to_owned();
    let mut args = vec![own(file); PREFIXES.len()];
    args.extend(PREFIXES.iter().flat_map(|prefix| [own("--prefix"), own(prefix)]));
    args.extend([own("--loop"), repeats.to_string()]);

    let expected = folder.join("expected.csv");
    // One is Apple under another name, for who joins late.
    let strategies = ["--strategy", "apple,pear", "--strategy", "late=apple"];
    let replay = [&["replay", "--quiet", "--json"], &strategies[..], &["--signals"]].concat();
    let mut replay: Vec<_> = replay.into_iter().map(own).collect();
    replay.push(expected.to_str().expect("UTF-8").to_owned());
    replay.extend(args.iter().cloned());
    let summary: serde_json::Value = serde_json::from_str(&done(folder, &replay)).expect("JSON");
    let ticks = summary["ticks"].as_u64().expect("a count");
    let least = if is_long() { 3_000_000 } else { 200_000 };
    assert!(ticks >= least, "{ticks} ticks are too few");
    Input { args, pace: vec![own("--rate"), rate.to_string()], ticks, expected }
}

fn done<A: AsRef<str>>(folder: &Path, args: &[A]) -> String {
    let ended = Program::run(folder, args, Duration::from_secs(600));
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    ended.said
}
