//! Deployments of strategies.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde_json::Value;
use tick_sdk::contracts::strategies::{ChangeParameters, DeployStrategy, StopStrategy};

use super::fields::{Fields, Wrong};
use super::read::{Known, of_prefix};
use super::refusal::Refusal;
use super::scope::Asked;
use super::send::send;
use super::{Answer, Named, Shared, name_of};
use crate::documents::Key;
use crate::projections::deployments::DEPLOYMENTS;

pub(super) async fn deploy(State(state): Shared, asked: Asked, headers: HeaderMap, body: Body) -> Answer {
    let body = state.body(&headers, body).await?;
    send(&state, asked, &deploy_strategy(&body)?).await
}

fn deploy_strategy(body: &Value) -> Result<DeployStrategy, Refusal> {
    let wrong = Wrong::default();
    let fields = Fields::of(body, "", &["name", "strategy", "parameters", "feed", "from"], &wrong);
    let command = DeployStrategy {
        name: fields.required_text("name"),
        strategy: fields.required_text("strategy"),
        parameters: fields.texts_by_name("parameters"),
        feed: fields.text("feed"),
        from: fields.text("from"),
    };
    wrong.check()?;
    Ok(command)
}

pub(super) async fn change(
    State(state): Shared,
    asked: Asked,
    named: Named,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let name = name_of(named)?;
    let body = state.body(&headers, body).await?;
    send(&state, asked, &change_parameters(name, &body)?).await
}

fn change_parameters(name: String, body: &Value) -> Result<ChangeParameters, Refusal> {
    let wrong = Wrong::default();
    let fields = Fields::of(body, "", &["parameters"], &wrong);
    let parameters = fields.texts_by_name("parameters");
    fields.require("parameters");
    wrong.check()?;
    Ok(ChangeParameters { name, parameters })
}

pub(super) async fn stop(State(state): Shared, asked: Asked, named: Named) -> Answer {
    send(&state, asked, &StopStrategy { name: name_of(named)? }).await
}

pub(super) async fn list(State(state): Shared, uri: Uri) -> Answer {
    let page = state.query(&uri, &["limit", "cursor"], |query| of_prefix(0, Key::new(), query)).await?;
    state.page(&DEPLOYMENTS, page).await
}

pub(super) async fn one(State(state): Shared, named: Named, known: Known, uri: Uri) -> Answer {
    let name = name_of(named)?;
    state.query(&uri, &[], |_| ()).await?;
    state.one(&DEPLOYMENTS, &name, &known, "deployment").await
}
