//! Replays.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde_json::Value;
use tick_sdk::api::replay_state;
use tick_sdk::contracts::strategies::StrategySpec;
use tick_sdk::contracts::ticks::{CancelReplay, ForgetReplay, StartReplay};
use uuid::Uuid;

use super::fields::{Fields, Wrong};
use super::read::{Known, of_prefix};
use super::refusal::Refusal;
use super::scope::Asked;
use super::send::send;
use super::{Answer, Named, Shared, id_of};
use crate::captures::{Captures, check_form};
use crate::documents::Key;
use crate::projections::replays::REPLAYS;

/// A replay has at most so many names of files.
const MOST_FILES: usize = 1000;
/// A replay can be repeated so often.
const MOST_REPEATS: u32 = 1_000_000;
/// What a replay's body may have.
const MEMBERS: [&str; 16] = [
    "files",
    "symbols",
    "from",
    "to",
    "speed",
    "loop",
    "strategies",
    "map",
    "timeZone",
    "reorder",
    "onBadLine",
    "groups",
    "fill",
    "slippage",
    "fee",
    "capital",
];

pub(super) async fn start(State(state): Shared, asked: Asked, headers: HeaderMap, body: Body) -> Answer {
    let body = state.body(&headers, body).await?;
    let captures = state.captures.clone();
    // Looking at files blocks.
    let checked = tokio::task::spawn_blocking(move || start_replay(&body, captures.as_ref())).await;
    let command = match checked {
        Ok(checked) => checked?,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    };
    send(&state, asked, &command).await
}

fn start_replay(body: &Value, captures: Option<&Captures>) -> Result<StartReplay, Refusal> {
    let wrong = Wrong::default();
    let fields = Fields::of(body, "", &MEMBERS, &wrong);
    let command = StartReplay {
        files: files(&fields, captures, &wrong),
        symbols: fields.texts("symbols"),
        from: fields.instant("from"),
        to: fields.instant("to"),
        speed: fields.positive("speed"),
        repeats: fields.count("loop", 1..=MOST_REPEATS),
        strategies: strategies(&fields, &wrong),
        map: fields.text("map"),
        time_zone: fields.text("timeZone"),
        reorder: fields.text("reorder"),
        on_bad_line: fields.text("onBadLine"),
        groups: fields.text("groups"),
        fill: fields.text("fill"),
        slippage: fields.decimal("slippage"),
        fee: fields.decimal("fee"),
        capital: fields.decimal("capital"),
    };
    wrong.check()?;
    Ok(command)
}

fn files(fields: &Fields<'_>, captures: Option<&Captures>, wrong: &Wrong) -> Vec<String> {
    let files = fields.texts("files");
    fields.require("files");
    if files.len() > MOST_FILES {
        fields.add("files", format!("has {} names: give at most {MOST_FILES}, or a pattern", files.len()));
        return files;
    }
    for (place, file) in files.iter().enumerate() {
        let checked = match captures {
            Some(captures) => captures.check(file),
            None => check_form(file),
        };
        if let Err(reason) = checked {
            wrong.add(format!("/files/{place}"), format!("'{file}' {reason}"));
        }
    }
    files
}

fn strategies(fields: &Fields<'_>, wrong: &Wrong) -> Vec<StrategySpec> {
    let specs = fields.items_at("strategies").into_iter().map(|(at, item)| {
        let fields = Fields::of(item, at, &["name", "strategy", "parameters"], wrong);
        StrategySpec {
            name: fields.text("name"),
            strategy: fields.required_text("strategy"),
            parameters: fields.texts_by_name("parameters"),
        }
    });
    specs.collect()
}

pub(super) async fn cancel(State(state): Shared, asked: Asked, named: Named) -> Answer {
    send(&state, asked, &CancelReplay { replay_id: id_of(named)? }).await
}

pub(super) async fn forget(State(state): Shared, asked: Asked, named: Named) -> Answer {
    send(&state, asked, &ForgetReplay { replay_id: id_of(named)? }).await
}

pub(super) async fn list(State(state): Shared, uri: Uri) -> Answer {
    let page = state.query(&uri, &["state", "limit", "cursor"], |query| {
        let state = query.one_of("state", &replay_state::ALL);
        let (index, prefix) = match state {
            Some(state) => (1, Key::new().text(state)),
            None => (0, Key::new()),
        };
        let mut page = of_prefix(index, prefix, query);
        page.is_descending = true;
        page
    });
    state.page(&REPLAYS, page.await?).await
}

pub(super) async fn one(State(state): Shared, named: Named, known: Known, uri: Uri) -> Answer {
    let id: Uuid = id_of(named)?;
    state.query(&uri, &[], |_| ()).await?;
    state.one(&REPLAYS, &id.to_string(), &known, "replay").await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_replay_is_read_as_dotnet_and_people_write_it() {
        let body = json!({
            "Files": ["a.csv"], "symbols": null, "from": "2024-08-08T00:00:00+02:00", "speed": 1e2, "loop": 2,
            "strategies": [{"strategy": "apple", "parameters": {"fast": 8}}], "fee": 1.5, "to": null,
        });
        let command = start_replay(&body, None).unwrap();
        assert_eq!(
            (command.files, command.speed, command.repeats),
            (vec!["a.csv".into()], Some(100.0), Some(2))
        );
        assert_eq!(command.strategies[0].parameters["fast"], "8");
        assert_eq!(command.fee.as_deref(), Some("1.5"));
    }

    #[test]
    fn everything_wrong_of_a_replay_is_named() {
        let body = json!({
            "files": ["../x", 7], "from": "08/08/2024 00:00:00", "speed": -1, "loop": 0, "fill": true,
            "strategies": [{"name": "x", "params": {}}], "more": 1,
        });
        let refused = format!("{:?}", start_replay(&body, None).unwrap_err());
        for named in [
            "/files/0",
            "/files/1",
            "/from",
            "/speed",
            "/loop",
            "/fill",
            "/strategies/0/strategy",
            "/strategies/0/params",
            "/more",
        ] {
            assert!(refused.contains(&format!("\"{named}\"")), "{named}: {refused}");
        }
        assert!(format!("{:?}", start_replay(&json!({}), None)).contains("/files"));
    }
}
