//! Projections that have stopped at an event: how they are shown, and how they go on without it.

use thiserror::Error;
use tick_sdk::api::{ProjectionCursor, ProjectionView, StoppedProjection};

use super::{Inner, ProjectorError, State};
use crate::documents::{Commit, DocumentError, DocumentStore, Stop};

/// Why no event was skipped.
#[derive(Debug, Error)]
pub enum SkipError {
    /// There is no such projection.
    #[error("there is no projection '{name}'; there are: {known}")]
    Unknown {
        /// As it was asked for.
        name: String,
        /// Those there are.
        known: String,
    },
    /// It has not stopped.
    #[error("the projection {0} has not stopped: there is no event to skip")]
    Running(String),
    /// The documents cannot be written.
    #[error(transparent)]
    Documents(#[from] DocumentError),
}

impl Inner {
    pub(super) fn views(&self) -> Result<Vec<ProjectionView>, ProjectorError> {
        let heads = self.heads()?;
        // From the store: what the threads share is locked while a batch is applied.
        let mut state = State::default();
        self.load(&mut state)?;
        let views = self.projections.iter().enumerate().map(|(place, projection)| {
            let cursors = heads.iter().map(|(context, head)| ProjectionCursor {
                context: context.clone(),
                position: state.cursors.get(context).map_or(0, |cursors| cursors[place]),
                head: *head,
            });
            let stop = state.stops.iter().find(|stop| !stop.is_skipped && stop.projection == projection.name);
            let stopped = stop.map(|stop| StoppedProjection {
                context: stop.context.clone(),
                position: stop.position,
                event: stop.event.clone(),
                reason: stop.reason.clone(),
                skip: format!("orchard ctl projections skip {}", projection.name),
            });
            ProjectionView {
                name: projection.name.to_owned(),
                version: projection.version,
                state: if stopped.is_some() { "stopped" } else { "running" }.to_owned(),
                cursors: cursors.collect(),
                stopped,
            }
        });
        Ok(views.collect())
    }

    pub(super) fn skip(&self, name: &str) -> Result<Stop, SkipError> {
        if !self.projections.iter().any(|projection| projection.name == name) {
            let known: Vec<_> = self.projections.iter().map(|projection| projection.name).collect();
            return Err(SkipError::Unknown { name: name.to_owned(), known: known.join(", ") });
        }
        let mut state = self.state();
        self.refresh(&mut state)?;
        let stop = state.stops.iter_mut().find(|stop| !stop.is_skipped && stop.projection == name);
        let stop = stop.ok_or_else(|| SkipError::Running(name.to_owned()))?;
        let skipped = Stop { is_skipped: true, ..stop.clone() };
        self.documents.commit(&Commit { stops: vec![skipped.clone()], ..Commit::default() })?;
        *stop = skipped.clone();
        Ok(skipped)
    }
}

impl Stop {
    pub(super) fn is_of(&self, projection: &str, context: &str) -> bool {
        self.projection == projection && self.context == context
    }
}
