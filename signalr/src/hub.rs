//! Hubs: what clients may call, and the server that calls it.

mod ask;
mod busy;
mod connection;
mod context;
mod ending;
mod error;
mod filter;
mod invocation;
mod leaving;
mod methods;
pub mod registration;
mod server;
mod serving;
mod session;
mod slot;
#[cfg(test)]
mod tests;
mod upload;

use std::future::Future;
use std::sync::Arc;

use axum::http::request::Parts;

pub use ask::AskError;
pub use context::Context;
pub use error::HubError;
pub use filter::{Call, Filter, Next};
pub use methods::{Binding, EventLine, MethodLine, Methods, Registered, Returned};
pub use server::{HubServer, Shutdown};
pub use upload::{Upload, UploadError};

use crate::user::User;

/// A struct whose methods clients call. One value serves all connections.
///
/// The methods of a connection run on its own task, one at a time unless
/// [`max_parallel_invocations`](crate::Options::max_parallel_invocations) says more; streams of either direction run beside
/// them. When the connection ends they are dropped where they wait: what must come to its end is spawned.
pub trait Hub: Send + Sync + Sized + 'static {
    /// Registers what clients call and are sent, a line each.
    fn register(methods: &mut Methods<Self>);

    /// Whether a client may connect: for a hub that is not for everyone. The request of a client that may not is answered
    /// with 401.
    fn authorise(&self, user: Option<&User>, request: &Parts) -> bool {
        let _ = (user, request);
        true
    }

    /// A client has connected; what it calls waits until this returns. An error refuses it: it is not told to come back, and
    /// [`on_disconnected`](Self::on_disconnected) does not follow.
    fn on_connected(self: Arc<Self>, context: Context) -> impl Future<Output = Result<(), HubError>> + Send {
        let _ = context;
        async { Ok(()) }
    }

    /// A client has gone; `error` says why, unless it closed by itself. It cannot be reached any more.
    fn on_disconnected(
        self: Arc<Self>,
        context: Context,
        error: Option<String>,
    ) -> impl Future<Output = ()> + Send {
        let _ = (context, error);
        async {}
    }
}
