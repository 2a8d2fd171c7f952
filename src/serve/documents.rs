//! Where the documents are that are read, and who makes them.

use std::path::Path;
use std::sync::Arc;

use bus::EventSource;
use gateway::projections::{ProjectorError, RebuildError};
use gateway::{DocumentKeeper, DocumentPlace, RebuildReport};

use super::ServePlan;

/// Where the documents are that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentsPlan {
    /// Each gateway makes documents of its own, in its folder of state.
    Own,
    /// In the database. Processes with the role `projections` make them, one at a time, and all gateways read them.
    Shared,
}

/// Whether the plan's roles can do with its documents.
pub(super) fn check(plan: &ServePlan) -> Result<(), &'static str> {
    let is_shared = plan.documents == DocumentsPlan::Shared;
    if is_shared && plan.database.is_none() {
        return Err("shared documents (documents = \"shared\") are in a database: give its URL");
    }
    if plan.roles.projections && !plan.roles.gateway && !is_shared {
        return Err("the role projections without the role gateway makes documents that processes share: \
            give a database and documents = \"shared\"");
    }
    if plan.rebuild && plan.roles.gateway && is_shared && !plan.roles.projections {
        return Err("this gateway reads documents that others make: \
            start a process with the role projections with --rebuild");
    }
    Ok(())
}

impl ServePlan {
    /// Where a gateway finds its documents, whose own are in this file.
    pub(super) fn document_place(&self, own: &Path) -> DocumentPlace {
        match (self.documents, &self.database) {
            (DocumentsPlan::Shared, Some(url)) => {
                DocumentPlace::Shared { url: url.clone(), keeps: self.roles.projections }
            }
            _ => DocumentPlace::File(own.to_owned()),
        }
    }
}

/// Documents that this process makes for gateways of others.
pub(super) struct Kept(DocumentKeeper);

impl Kept {
    /// Starts where the plan asks for it; a gateway makes them itself.
    ///
    /// # Errors
    /// The database cannot be used.
    pub(super) fn start(
        plan: &ServePlan,
        events: &Arc<dyn EventSource>,
    ) -> Result<Option<Self>, ProjectorError> {
        let url = plan.database.as_ref().filter(|_| plan.roles.projections && !plan.roles.gateway);
        url.map(|url| DocumentKeeper::start(url, events.clone()).map(Self)).transpose()
    }

    /// As [`Serving::rebuild`](super::Serving::rebuild).
    ///
    /// # Errors
    /// As there.
    pub(super) fn rebuild(&self) -> Result<RebuildReport, RebuildError> {
        self.0.rebuild()
    }
}
