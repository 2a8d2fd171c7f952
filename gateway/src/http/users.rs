//! Users.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde_json::Value;
use tick_sdk::contracts::accounts::{CreateUser, DisableUser, RenameUser};
use uuid::Uuid;

use super::fields::{Fields, Wrong};
use super::read::{Known, of_prefix};
use super::refusal::Refusal;
use super::scope::Asked;
use super::send::send;
use super::{Answer, Named, Shared, id_of};
use crate::documents::Key;
use crate::projections::users::USERS;

pub(super) async fn create(State(state): Shared, asked: Asked, headers: HeaderMap, body: Body) -> Answer {
    let body = state.body(&headers, body).await?;
    send(&state, asked, &create_user(&body)?).await
}

fn create_user(body: &Value) -> Result<CreateUser, Refusal> {
    let wrong = Wrong::default();
    let fields = Fields::of(body, "", &["email", "name"], &wrong);
    let command = CreateUser { email: fields.required_text("email"), name: fields.required_text("name") };
    wrong.check()?;
    Ok(command)
}

pub(super) async fn rename(
    State(state): Shared,
    asked: Asked,
    named: Named,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let user_id = id_of(named)?;
    let body = state.body(&headers, body).await?;
    send(&state, asked, &rename_user(user_id, &body)?).await
}

fn rename_user(user_id: Uuid, body: &Value) -> Result<RenameUser, Refusal> {
    let wrong = Wrong::default();
    let name = Fields::of(body, "", &["name"], &wrong).required_text("name");
    wrong.check()?;
    Ok(RenameUser { user_id, name })
}

pub(super) async fn disable(State(state): Shared, asked: Asked, named: Named) -> Answer {
    send(&state, asked, &DisableUser { user_id: id_of(named)? }).await
}

pub(super) async fn list(State(state): Shared, uri: Uri) -> Answer {
    let page = state.query(&uri, &["limit", "cursor"], |query| of_prefix(0, Key::new(), query)).await?;
    state.page(&USERS, page).await
}

pub(super) async fn one(State(state): Shared, named: Named, known: Known, uri: Uri) -> Answer {
    let id: Uuid = id_of(named)?;
    state.query(&uri, &[], |_| ()).await?;
    state.one(&USERS, id.hyphenated().encode_lower(&mut Uuid::encode_buffer()), &known, "user").await
}
