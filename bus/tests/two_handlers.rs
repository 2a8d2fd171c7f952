//! A program with two handlers for one command does not start: one of them would wait in silence.

use bus::{Bus, Handled, Handler, HandlerError, Message, SqliteStore, StartError, Work};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Paint {}

tick_sdk::command!(Paint, version 1, endpoint "tests");

macro_rules! painter {
    ($Painter:ident) => {
        #[derive(Default)]
        struct $Painter;

        impl Handler for $Painter {
            type Command = Paint;

            async fn handle(&self, _: &Message<Paint>, _: &mut Work<'_>) -> Result<Handled, HandlerError> {
                Ok(Handled::DONE)
            }
        }

        bus::handler!($Painter);
    };
}

painter!(Red);
painter!(Blue);

#[test]
fn a_program_with_two_handlers_for_a_command_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| SqliteStore::open(&folder.path().join(name), "").unwrap();
    let Err(error) = Bus::builder().context("tests", open("tests")).start() else { panic!("it has started") };
    assert!(matches!(error, StartError::Registry(_)));
    let text = error.to_string();
    for part in ["Paint", "two_handlers::Blue", "two_handlers::Red"] {
        assert!(text.contains(part), "{text}");
    }
    // A process that does not serve this endpoint has nothing to do with it.
    Bus::builder().context("other", open("other")).start().unwrap();
}
