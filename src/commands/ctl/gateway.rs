//! `orchard ctl health` and `orchard ctl openapi`.

use anyhow::Result;

use super::Session;
use crate::text::thousands;

pub(super) async fn health(session: &Session) -> Result<()> {
    let readiness = session.client.readiness().await?;
    let stopped = readiness.stopped_projections.join(", ");
    let behind = readiness.events_behind.map(|events| format!("{} events", thousands(events)));
    let facts = [
        ("Gateway", session.client.url().to_owned()),
        ("State", readiness.status.clone()),
        ("Behind", behind.unwrap_or_else(|| "not known".to_owned())),
        ("Stopped", if stopped.is_empty() { "no projection".to_owned() } else { stopped }),
    ];
    session.out.one(&readiness, &facts)
}

/// The document is JSON, whatever was asked for.
pub(super) async fn openapi(session: &Session) -> Result<()> {
    session.out.json(&session.client.openapi().await?)
}
