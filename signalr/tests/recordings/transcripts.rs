//! The official clients' side of each transcript, sent again.

mod differences;
mod poller;
mod replay;
mod streams;

use serde_json::Value as Json;

use crate::cases;
use crate::data::recorded;
use crate::decisions;

const SCENARIOS: [&str; 20] = [
    "abort",
    "authorized",
    "big",
    "calls",
    "calls-detailed",
    "client-results",
    "client-timeout",
    "core",
    "dotnet",
    "expiring",
    "greeting",
    "keep-alive",
    "parallel",
    "server-streams",
    "server-to-client",
    "shutdown",
    "stateful",
    "too-long",
    "uploads",
    "values",
];

#[test]
fn transcripts() {
    let mut cases: Vec<(String, Json)> = Vec::new();
    for scenario in SCENARIOS {
        let Json::Object(transcripts) = recorded(scenario) else { panic!("{scenario}: no object") };
        cases.extend(transcripts.into_iter().map(|(name, case)| (format!("{scenario}/{name}"), case)));
    }
    cases::run("SignalR transcripts", decisions::TRANSCRIPTS, cases, replay::replay);
}
