//! Two strategies of one name are refused wherever strategies are looked up.

use serde::{Deserialize, Serialize};
use tick_sdk::host::Registration;
use tick_sdk::{Context, Key, NoParams, Strategy, Tick, register};

mod first {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Twin;

    impl Strategy for Twin {
        const NAME: &'static str = "twin";
        const SUMMARY: &'static str = "a test";
        type Params = NoParams;

        fn new(_: &NoParams, _: &Key<'_>) -> Result<Self, String> {
            Ok(Self)
        }

        fn on_tick(&mut self, _: &Tick, _: &mut Context<'_>) {}
    }

    register!(Twin);
}

/// A copy that kept its name.
mod second {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Copied;

    impl Strategy for Copied {
        const NAME: &'static str = "twin";
        const SUMMARY: &'static str = "another test";
        type Params = NoParams;

        fn new(_: &NoParams, _: &Key<'_>) -> Result<Self, String> {
            Ok(Self)
        }

        fn on_tick(&mut self, _: &Tick, _: &mut Context<'_>) {}
    }

    register!(Copied);
}

#[test]
fn both_are_named_with_their_crates() {
    for error in [
        Registration::find("twin").err().unwrap().to_string(),
        Registration::all().err().unwrap().to_string(),
    ] {
        assert!(error.starts_with("two strategies are named twin"), "{error}");
        for module in ["duplicates::first", "duplicates::second"] {
            assert!(error.contains(&format!("crate tick-sdk (in {module})")), "{error}");
        }
    }
}
