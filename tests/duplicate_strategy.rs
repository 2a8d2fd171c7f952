//! A program with two strategies of one name does not start: one of them would run in silence.
//!
//! This program has such a strategy. It runs itself as `orchard`, so it has no test harness.

use std::process::{Command, ExitCode};

use serde::{Deserialize, Serialize};
use tick_sdk::{Context, Key, NoParams, Strategy, Tick, register};

/// A strategy of one's own, named as a built-in one.
#[derive(Serialize, Deserialize)]
struct MyApple;

impl Strategy for MyApple {
    const NAME: &'static str = "apple";
    const SUMMARY: &'static str = "is named as another one";
    type Params = NoParams;

    fn new(_: &NoParams, _: &Key<'_>) -> Result<Self, String> {
        Ok(Self)
    }

    fn on_tick(&mut self, _: &Tick, _: &mut Context<'_>) {}
}

register!(MyApple);

/// Set for the program that is `orchard`.
const AS_ORCHARD: &str = "ORCHARD_DUPLICATE_STRATEGY_TEST";

fn main() -> ExitCode {
    if std::env::var_os(AS_ORCHARD).is_some() {
        return orchard::main();
    }
    for args in [&["strategies"][..], &["replay", "--ticks", "100", "--strategy", "pear"]] {
        let program = std::env::current_exe().expect("this program has a path");
        let output = Command::new(program).args(args).env(AS_ORCHARD, "1").output().expect("it starts");
        let message = String::from_utf8(output.stderr).expect("the message is UTF-8");
        assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
        for part in ["two strategies are named apple", "crate strategies (", "crate orchard ("] {
            assert!(message.contains(part), "{args:?}: {message}");
        }
        assert!(output.stdout.is_empty());
    }
    println!("test a_program_with_two_strategies_of_one_name_does_not_start ... ok");
    ExitCode::SUCCESS
}
