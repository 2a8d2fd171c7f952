//! Which functions can be methods of a hub: what [`Methods::call`](crate::Methods::call) and
//! [`Methods::stream`](crate::Methods::stream) take. Nobody has to implement these traits.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{BoxStream, Stream, StreamExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ts_rs::TS;

use super::context::Context;
use super::error::HubError;
use super::methods::{Binding, Registered, Returned};
use super::upload::Upload;
use crate::message::Payload;
use crate::protocol::Codec;
use crate::typescript::{AnswerShape, ParameterShape, TypeShape};

/// An async function of a hub, the context and `N` arguments that returns a value, or a `Result` of one and [`HubError`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a method with {N} named parameters that clients of `{H}` can call",
    note = "a method is an `async fn(self: Arc<Self>, context: Context, …)` with one name for each argument",
    note = "arguments are `DeserializeOwned + TS`, or an `Upload` of it; what it returns is `Serialize + TS`, or a \
            `Result` of it and `HubError`"
)]
pub trait CallMethod<H, const N: usize, Marker>: Send + Sync + 'static {
    #[doc(hidden)]
    fn registered(self, names: [&'static str; N]) -> Registered<H>;
}

/// A function of a hub, the context and `N` arguments that returns a stream, at once or later, of values, or of `Result`s of
/// values and [`HubError`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a method with {N} named parameters that gives clients of `{H}` a stream",
    note = "a method is a `fn(self: Arc<Self>, context: Context, …)`, async or not, with one name for each argument",
    note = "it returns an `impl Stream` that is `Send`, or a `Result` of one and `HubError`; its items are \
            `Serialize + TS`, or `Result`s of it and `HubError`"
)]
pub trait StreamMethod<H, const N: usize, Marker>: Send + Sync + 'static {
    #[doc(hidden)]
    fn registered(self, names: [&'static str; N]) -> Registered<H>;
}

/// A value that clients send, or a stream of them: [`Upload`].
pub trait Argument: Send + Sized + 'static {
    #[doc(hidden)]
    fn shape(name: &'static str) -> ParameterShape;

    #[doc(hidden)]
    fn take(binding: &mut Binding<'_>) -> Option<Self>;
}

impl<T: DeserializeOwned + TS + Send + 'static> Argument for T {
    fn shape(name: &'static str) -> ParameterShape {
        ParameterShape { name, kind: TypeShape::of::<T>(), is_upload: false }
    }

    fn take(binding: &mut Binding<'_>) -> Option<Self> {
        binding.next_value()
    }
}

impl<T: DeserializeOwned + TS + Send + 'static> Argument for Upload<T> {
    fn shape(name: &'static str) -> ParameterShape {
        ParameterShape { name, kind: TypeShape::of::<T>(), is_upload: true }
    }

    fn take(binding: &mut Binding<'_>) -> Option<Self> {
        binding.next_upload().map(Self::new)
    }
}

/// What a method returns, or an item of a stream: a value, or a `Result` of one.
pub trait Reply<Marker>: Send + 'static {
    #[doc(hidden)]
    type Value: Serialize + TS + 'static;

    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Value, HubError>;
}

/// What cannot fail.
#[derive(Debug)]
pub struct Plain;

/// A `Result`.
#[derive(Debug)]
pub struct Fallible;

impl<T: Serialize + TS + Send + 'static> Reply<Plain> for T {
    type Value = T;

    fn into_result(self) -> Result<T, HubError> {
        Ok(self)
    }
}

impl<T: Serialize + TS + Send + 'static> Reply<Fallible> for Result<T, HubError> {
    type Value = T;

    fn into_result(self) -> Self {
        self
    }
}

/// What a streaming method returns: a stream, or what will become one.
pub trait Streaming<Marker>: Send + 'static {
    #[doc(hidden)]
    type Value: TS + 'static;

    #[doc(hidden)]
    fn begin(self, codec: Codec) -> BoxFuture<'static, Result<Items, HubError>>;
}

/// Items as they are sent.
pub type Items = BoxStream<'static, Result<Payload, HubError>>;

/// What comes later: of an async function.
#[derive(Debug)]
pub struct Later<M>(M);

impl<S, R> Streaming<(Plain, R)> for S
where
    S: Stream + Send + 'static,
    S::Item: Reply<R>,
{
    type Value = <S::Item as Reply<R>>::Value;

    fn begin(self, codec: Codec) -> BoxFuture<'static, Result<Items, HubError>> {
        let items = self.map(move |item| encoded(item, codec));
        std::future::ready(Ok(items.boxed())).boxed()
    }
}

impl<S, R> Streaming<(Fallible, R)> for Result<S, HubError>
where
    S: Streaming<(Plain, R)>,
{
    type Value = S::Value;

    fn begin(self, codec: Codec) -> BoxFuture<'static, Result<Items, HubError>> {
        match self {
            Ok(stream) => stream.begin(codec),
            Err(error) => std::future::ready(Err(error)).boxed(),
        }
    }
}

impl<F, M, R> Streaming<(Later<M>, R)> for F
where
    F: Future + Send + 'static,
    F::Output: Streaming<(M, R)>,
{
    type Value = <F::Output as Streaming<(M, R)>>::Value;

    fn begin(self, codec: Codec) -> BoxFuture<'static, Result<Items, HubError>> {
        self.then(move |stream| stream.begin(codec)).boxed()
    }
}

fn encoded<R>(reply: impl Reply<R>, codec: Codec) -> Result<Payload, HubError> {
    Ok(codec.encode_value(&reply.into_result()?)?)
}

macro_rules! methods {
    ($count:literal $($argument:ident $name:ident)*) => {
        impl<H, F, Later, R, M, $($argument),*> CallMethod<H, $count, (R, M, $($argument,)*)> for F
        where
            H: Send + Sync + 'static,
            F: Fn(Arc<H>, Context, $($argument),*) -> Later + Clone + Send + Sync + 'static,
            Later: Future<Output = R> + Send + 'static,
            R: Reply<M>,
            $($argument: Argument,)*
        {
            #[allow(unused_variables, reason = "a method may have no arguments")]
            fn registered(self, names: [&'static str; $count]) -> Registered<H> {
                let [$($name),*] = names;
                let parameters = vec![$($argument::shape($name)),*];
                let answer = AnswerShape::Once(TypeShape::of::<R::Value>());
                Registered::new(parameters, answer, move |binding| {
                    $(let $name = $argument::take(binding)?;)*
                    let method = self.clone();
                    Some(Box::new(move |hub, context| {
                        let codec = context.caller_state().codec;
                        let replied = method(hub, context, $($name),*);
                        replied.map(move |reply| encoded(reply, codec).map(Returned::value)).boxed()
                    }))
                })
            }
        }

        impl<H, F, S, M, $($argument),*> StreamMethod<H, $count, (S, M, $($argument,)*)> for F
        where
            H: Send + Sync + 'static,
            F: Fn(Arc<H>, Context, $($argument),*) -> S + Clone + Send + Sync + 'static,
            S: Streaming<M>,
            $($argument: Argument,)*
        {
            #[allow(unused_variables, reason = "a method may have no arguments")]
            fn registered(self, names: [&'static str; $count]) -> Registered<H> {
                let [$($name),*] = names;
                let parameters = vec![$($argument::shape($name)),*];
                let answer = AnswerShape::Stream(TypeShape::of::<S::Value>());
                Registered::new(parameters, answer, move |binding| {
                    $(let $name = $argument::take(binding)?;)*
                    let method = self.clone();
                    Some(Box::new(move |hub, context| {
                        let codec = context.caller_state().codec;
                        method(hub, context, $($name),*).begin(codec).map(|items| items.map(Returned::items)).boxed()
                    }))
                })
            }
        }
    };
}

methods!(0);
methods!(1 A a);
methods!(2 A a B b);
methods!(3 A a B b C c);
methods!(4 A a B b C c D d);
methods!(5 A a B b C c D d E e);
methods!(6 A a B b C c D d E e G g);
methods!(7 A a B b C c D d E e G g I i);
methods!(8 A a B b C c D d E e G g I i J j);
