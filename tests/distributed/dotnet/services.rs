//! Services that command .NET handlers: the role `services` of `orchard serve` with a few handlers more, in processes
//! that are this test's own program again.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use bus::{Consumer, Handled, Handler, HandlerError, Message, Work};
use orchard::serve::{self, ServeConfig};
use serde::{Deserialize, Serialize};
use tick_sdk::contracts::accounts::{ACCOUNTS, UserCreated};

/// The arguments of `orchard` that such a process stands for; a run of the tests without them does nothing here.
const ARGUMENTS: &str = "ORCHARD_TEST_ARGUMENTS";

macro_rules! command {
    ($Name:ident { $($field:ident),* }, $endpoint:expr) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct $Name {
            $($field: String),*
        }

        tick_sdk::command!($Name, version 1, endpoint $endpoint);
    };
}

// Here, it commands one of the others, which .NET services carry out.
command!(Ask { what, email, name }, ACCOUNTS);
command!(Notify { email, name }, "notifier");
command!(Greet { name }, "greeter");
command!(Stumble { name }, "stumbler");
command!(Recover { name }, "recoverer");
command!(Hang { name }, "hanger");

/// Where .NET services carry them out.
pub(crate) const ENDPOINTS: [&str; 5] = ["notifier", "greeter", "stumbler", "recoverer", "hanger"];

#[derive(Default)]
struct OnAsk;

impl Handler for OnAsk {
    type Command = Ask;

    async fn handle(&self, message: &Message<Ask>, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
        let Ask { what, email, name } = message.body.clone();
        match what.as_str() {
            "Notify" => work.send(&Notify { email, name }),
            "Greet" => work.send(&Greet { name }),
            "Stumble" => work.send(&Stumble { name }),
            "Recover" => work.send(&Recover { name }),
            "Hang" => work.send(&Hang { name }),
            other => return Err(HandlerError::refused(format!("nobody does {other}"))),
        };
        Ok(Handled::DONE)
    }
}
bus::handler!(OnAsk);

/// Every user is greeted.
#[derive(Default)]
struct OnUserCreated;

impl Consumer for OnUserCreated {
    type Event = UserCreated;

    async fn consume(&self, message: &Message<UserCreated>, work: &mut Work<'_>) -> Result<(), HandlerError> {
        work.send(&Greet { name: message.body.name.clone() });
        Ok(())
    }
}
bus::consumer!(OnUserCreated, in "accounts");

/// The process that has these handlers beside those of `orchard`, which is to be started so.
pub(crate) fn of(orchard: &Command) -> Command {
    let mut own = Command::new(std::env::current_exe().unwrap());
    own.args(["--exact", "dotnet::services::a_process_of_another_test", "--ignored", "--nocapture"]);
    for (name, value) in orchard.get_envs() {
        match value {
            Some(value) => own.env(name, value),
            None => own.env_remove(name),
        };
    }
    let arguments: Vec<_> = orchard.get_args().map(|argument| argument.to_str().unwrap()).collect();
    own.env(ARGUMENTS, serde_json::to_string(&arguments).unwrap());
    own.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    own
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_process_of_another_test() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let arguments: Vec<String> = serde_json::from_str(&arguments).unwrap();
    let of = |option: &str| {
        let place = arguments.iter().position(|argument| argument == option).unwrap();
        Path::new(&arguments[place + 1])
    };
    let mut config = ServeConfig::read(Some(of("--config")), std::env::vars()).unwrap();
    config.state = Some(of("--state").to_owned());
    let _serving = serve::start(config.into_plan().unwrap()).unwrap();
    let mut out = std::io::stdout();
    // The harness may be in the middle of a line.
    writeln!(out, "\nready").and_then(|()| out.flush()).unwrap();
    loop {
        std::thread::park();
    }
}
