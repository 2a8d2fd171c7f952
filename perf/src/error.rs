//! Why a measurement came to nothing.

use std::path::PathBuf;

use thiserror::Error;
use tick_feed::rabbitmq::BrokerError;
use tick_ingest::outputs::OutputError;

use crate::budget::BudgetError;
use crate::capacity::CapacityError;
use crate::commands::CommandsError;
use crate::compare::CompareError;
use crate::feeds::FeedsError;
use crate::hubs::HubsError;
use crate::live::LiveError;
use crate::peers::PeersError;
use crate::viewers::ViewersError;

/// A measurement that came to nothing.
#[derive(Debug, Error)]
pub enum PerfError {
    /// What a user got wrong on the command line.
    #[error("{0}")]
    Usage(String),
    /// A file that is not to be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A feed or a host.
    #[error(transparent)]
    Feeds(Box<FeedsError>),
    /// A broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// A log, or Prometheus.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// A budget that cannot be measured.
    #[error(transparent)]
    Budget(BudgetError),
    /// A feed that cannot be simulated.
    #[error(transparent)]
    Capacity(#[from] CapacityError),
    /// Peers that cannot be run.
    #[error(transparent)]
    Peers(#[from] PeersError),
    /// Commands that cannot be measured.
    #[error(transparent)]
    Commands(#[from] CommandsError),
    /// A hub that cannot be measured.
    #[error(transparent)]
    Hubs(#[from] HubsError),
    /// Viewers that came to nothing.
    #[error(transparent)]
    Viewers(#[from] ViewersError),
    /// Results that cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// A socket of this machine.
    #[error("loopback TCP cannot be measured: {0}")]
    Loopback(#[source] std::io::Error),
    /// There is no room for what is sent.
    #[error("no temporary folder can be made: {0}\n  set TMPDIR to a folder with room")]
    Folder(#[source] std::io::Error),
    /// A file of results.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Standard output.
    #[error("the results cannot be written: {0}")]
    Print(#[from] std::io::Error),
}

impl PerfError {
    /// Whether the command line is wrong, rather than what it asks for failed.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Usage(_) | Self::Commands(CommandsError::Usage(_)) => true,
            Self::Output(error) => error.is_usage(),
            _ => false,
        }
    }
}

impl From<FeedsError> for PerfError {
    fn from(error: FeedsError) -> Self {
        match error {
            FeedsError::Strategy { .. } => Self::Usage(error.to_string()),
            error => Self::Feeds(Box::new(error)),
        }
    }
}

impl From<BudgetError> for PerfError {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::Usage(reason) => Self::Usage(reason),
            error => Self::Budget(error),
        }
    }
}
