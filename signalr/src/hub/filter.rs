//! What runs around every call, and around a connection's begin and end.

use std::future::Future;

use futures_util::future::BoxFuture;

use super::context::Context;
use super::error::HubError;
use super::methods::Returned;

/// Runs around calls of all methods: to log, to measure, to refuse. The first one that is added is the outermost. Whether the
/// user is allowed to call the method has been checked before.
///
/// ```
/// use signalr::{Call, Filter, HubError, Next, Returned};
///
/// struct Measured;
///
/// impl Filter for Measured {
///     async fn call(&self, call: &Call, next: Next<'_, Result<Returned, HubError>>) -> Result<Returned, HubError> {
///         let begin = std::time::Instant::now();
///         let returned = next.run().await;
///         println!("{} took {:?}", call.method, begin.elapsed());
///         returned
///     }
/// }
/// ```
pub trait Filter: Send + Sync + 'static {
    /// Around a call. `next` runs the method; a stream has only begun when it returns.
    fn call(
        &self,
        call: &Call,
        next: Next<'_, Result<Returned, HubError>>,
    ) -> impl Future<Output = Result<Returned, HubError>> + Send {
        let _ = call;
        next.run()
    }

    /// Around `Hub::on_connected`; an error refuses the client.
    fn connected(
        &self,
        context: &Context,
        next: Next<'_, Result<(), HubError>>,
    ) -> impl Future<Output = Result<(), HubError>> + Send {
        let _ = context;
        next.run()
    }

    /// Around `Hub::on_disconnected`; `error` says why, unless the client closed the connection by itself.
    fn disconnected(
        &self,
        context: &Context,
        error: Option<&str>,
        next: Next<'_, ()>,
    ) -> impl Future<Output = ()> + Send {
        let _ = (context, error);
        next.run()
    }
}

/// A call as filters see it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Call {
    /// Who calls.
    pub context: Context,
    /// The method's name as it was registered.
    pub method: &'static str,
    /// Whether it answers with a stream.
    pub is_stream: bool,
}

impl Call {
    pub(super) fn new(context: Context, method: &'static str, is_stream: bool) -> Self {
        Self { context, method, is_stream }
    }
}

/// What a filter runs around: the next filter, or the method itself.
pub struct Next<'a, R> {
    future: BoxFuture<'a, R>,
}

impl<'a, R> Next<'a, R> {
    pub(super) fn new(future: BoxFuture<'a, R>) -> Self {
        Self { future }
    }

    /// Runs it.
    pub fn run(self) -> BoxFuture<'a, R> {
        self.future
    }
}

impl<R> std::fmt::Debug for Next<'_, R> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Next")
    }
}

/// A filter whose type is forgotten.
pub(super) trait AnyFilter: Send + Sync {
    fn call<'a>(
        &'a self,
        call: &'a Call,
        next: Next<'a, Result<Returned, HubError>>,
    ) -> BoxFuture<'a, Result<Returned, HubError>>;

    fn connected<'a>(
        &'a self,
        context: &'a Context,
        next: Next<'a, Result<(), HubError>>,
    ) -> BoxFuture<'a, Result<(), HubError>>;

    fn disconnected<'a>(
        &'a self,
        context: &'a Context,
        error: Option<&'a str>,
        next: Next<'a, ()>,
    ) -> BoxFuture<'a, ()>;
}

impl<F: Filter> AnyFilter for F {
    fn call<'a>(
        &'a self,
        call: &'a Call,
        next: Next<'a, Result<Returned, HubError>>,
    ) -> BoxFuture<'a, Result<Returned, HubError>> {
        Box::pin(Filter::call(self, call, next))
    }

    fn connected<'a>(
        &'a self,
        context: &'a Context,
        next: Next<'a, Result<(), HubError>>,
    ) -> BoxFuture<'a, Result<(), HubError>> {
        Box::pin(Filter::connected(self, context, next))
    }

    fn disconnected<'a>(
        &'a self,
        context: &'a Context,
        error: Option<&'a str>,
        next: Next<'a, ()>,
    ) -> BoxFuture<'a, ()> {
        Box::pin(Filter::disconnected(self, context, error, next))
    }
}
