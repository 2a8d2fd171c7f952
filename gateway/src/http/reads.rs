//! Positions, instruments and how far the documents are.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use tick_sdk::api::Page;

use super::read::{of_prefix, value};
use super::refusal::Refusal;
use super::scope::Asked;
use super::{Answer, Named, Shared, name_of};
use crate::documents::Key;
use crate::projections::curves::CURVES;
use crate::projections::instruments::INSTRUMENTS;
use crate::projections::positions::POSITIONS;
use crate::projections::{ProjectorError, SkipError};

pub(super) async fn positions(State(state): Shared, uri: Uri) -> Answer {
    let page = state.query(&uri, &["run", "strategy", "limit", "cursor"], |query| {
        let prefix = match (query.text("run"), query.text("strategy")) {
            (Some(run), Some(strategy)) => Key::new().text(&run.to_ascii_lowercase()).text(&strategy),
            (Some(run), None) => Key::new().text(&run.to_ascii_lowercase()),
            (None, None) => Key::new(),
            (None, Some(_)) => {
                query.add("strategy", "needs `run` beside it");
                Key::new()
            }
        };
        of_prefix(0, prefix, query)
    });
    state.page(&POSITIONS, page.await?).await
}

pub(super) async fn curves(State(state): Shared, named: Named, uri: Uri) -> Answer {
    let run = Key::new().text(&name_of(named)?.to_ascii_lowercase());
    let page = state.query(&uri, &["strategy", "limit", "cursor"], |query| {
        let prefix = query.text("strategy").map_or(run.clone(), |strategy| run.clone().text(&strategy));
        of_prefix(0, prefix, query)
    });
    state.page(&CURVES, page.await?).await
}

pub(super) async fn instruments(State(state): Shared, uri: Uri) -> Answer {
    let page = state.query(&uri, &["limit", "cursor"], |query| of_prefix(0, Key::new(), query)).await?;
    state.page(&INSTRUMENTS, page).await
}

pub(super) async fn projections(State(state): Shared, uri: Uri) -> Answer {
    state.query(&uri, &["limit", "cursor"], |query| (query.limit(), query.cursor())).await?;
    let projector = state.projector.clone();
    let items = state.documents.blocking(move |_| projector.views()).await?;
    Ok(value(&Page { items, next: None }))
}

/// The skip is done when it is answered: no command is sent, for the event concerns the gateway only.
pub(super) async fn skip(State(state): Shared, _: Asked, named: Named) -> Answer {
    let name = name_of(named)?;
    let projector = state.projector.clone();
    let skipped = state.documents.blocking(move |_| projector.skip(&name)).await?;
    let projector = state.projector.clone();
    let views = state.documents.blocking(move |_| projector.views()).await?;
    Ok(value(&views.into_iter().find(|view| view.name == skipped.projection)))
}

impl From<ProjectorError> for Refusal {
    fn from(error: ProjectorError) -> Self {
        Self::unavailable("the logs of events", error)
    }
}

impl From<SkipError> for Refusal {
    fn from(error: SkipError) -> Self {
        match error {
            SkipError::Unknown { .. } => Self::not_found(error.to_string()),
            SkipError::Running(_) => Self::new(StatusCode::CONFLICT, error.to_string()),
            SkipError::Documents(error) => error.into(),
        }
    }
}
