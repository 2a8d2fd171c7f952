//! The hub whose conversations were recorded from ASP.NET Core.

mod calls;
mod clients;
mod streams;

use std::sync::Arc;

use axum::http::request::Parts;
use signalr::{Context, Hub, HubError, Methods, User};

use super::values::{Any, Bytes, DateTime, DateTimeOffset, Decimal, Guid, Order, Side, TimeSpan};

pub(super) use calls::InvalidOperationException;
pub(super) use clients::{ASK as ASK_FOR_TEXT, ASK_INT, ITEM};
pub(super) use streams::Items;

use clients::{
    CALLED_BACK, FROM_ALL, FROM_GROUP, FROM_OTHERS, FROM_USER, GOT_ORDER, NOTED, TICK, UPLOADED, WELCOME,
};

/// One hub with all methods; what differs from address to address is in its options.
#[derive(Debug)]
pub(super) struct Recorded {
    /// Sends a message when a client connects, or does what the query's `mode` says.
    pub(super) greets: bool,
    /// By what all times are divided.
    pub(super) is_faster: u32,
    /// Lets users in only.
    pub(super) needs_user: bool,
}

impl Hub for Recorded {
    fn register(methods: &mut Methods<Self>) {
        register_echoes(methods);
        register_values(methods);
        register_calls(methods);
        register_streams(methods);
        register_messages(methods);
    }

    fn authorise(&self, user: Option<&User>, _: &Parts) -> bool {
        user.is_some() || !self.needs_user
    }

    async fn on_connected(self: Arc<Self>, context: Context) -> Result<(), HubError> {
        if self.greets {
            greet(&context).await?;
        }
        Ok(())
    }
}

async fn greet(context: &Context) -> Result<(), HubError> {
    match context.query("mode").as_deref() {
        Some("throw") => Err(InvalidOperationException("refused on connecting".to_owned()).into()),
        Some("throwhub") => Err(HubError::deliberate("refused deliberately")),
        Some("abort") => {
            context.abort();
            Ok(())
        }
        _ => Ok(context.caller().send(&WELCOME, ("hello".to_owned(),)).await?),
    }
}

/// Methods that return their argument.
fn register_echoes(methods: &mut Methods<Recorded>) {
    methods.call("EchoString", ["value"], Recorded::echo::<Option<String>>);
    methods.call("EchoInt", ["value"], Recorded::echo::<i32>);
    methods.call("EchoLong", ["value"], Recorded::echo::<i64>);
    methods.call("EchoDouble", ["value"], Recorded::echo::<f64>);
    methods.call("EchoFloat", ["value"], Recorded::echo::<f32>);
    methods.call("EchoBool", ["value"], Recorded::echo::<bool>);
    methods.call("EchoDecimal", ["value"], Recorded::echo::<Decimal>);
    methods.call("EchoDateTime", ["value"], Recorded::echo::<DateTime>);
    methods.call("EchoDateTimeOffset", ["value"], Recorded::echo::<DateTimeOffset>);
    methods.call("EchoTimeSpan", ["value"], Recorded::echo::<TimeSpan>);
    methods.call("EchoGuid", ["value"], Recorded::echo::<Guid>);
    methods.call("EchoEnum", ["value"], Recorded::echo::<Side>);
    methods.call("EchoBytes", ["value"], Recorded::echo::<Option<Bytes>>);
    methods.call("EchoNullable", ["value"], Recorded::echo::<Option<i32>>);
    methods.call("EchoOrder", ["value"], Recorded::echo::<Option<Order>>);
    methods.call("EchoInts", ["value"], Recorded::echo::<Option<Vec<i32>>>);
    methods.call("EchoMap", ["value"], Recorded::echo::<Option<std::collections::BTreeMap<String, i32>>>);
    methods.call("EchoAny", ["value"], Recorded::echo::<Any>);
}

/// Methods whose result is always the same.
fn register_values(methods: &mut Methods<Recorded>) {
    methods.call("GiveLong", [], Recorded::give_long);
    methods.call("GiveIntegers", [], Recorded::give_integers);
    methods.call("GiveDoubles", [], Recorded::give_doubles);
    methods.call("GiveNaN", [], Recorded::give_nan);
    methods.call("GiveDecimal", [], Recorded::give_decimal);
    methods.call("GiveUtc", [], Recorded::give_utc);
    methods.call("GiveUtcTicks", [], Recorded::give_utc_ticks);
    methods.call("GiveUnspecified", [], Recorded::give_unspecified);
    methods.call("GiveOffset", [], Recorded::give_offset);
    methods.call("GiveOld", [], Recorded::give_old);
    methods.call("GiveSpan", [], Recorded::give_span);
    methods.call("GiveGuid", [], Recorded::give_guid);
    methods.call("GiveBytes", [], Recorded::give_bytes);
    methods.call("GiveText", [], Recorded::give_text);
    methods.call("GiveOrder", [], Recorded::give_order);
    methods.call("GiveBig", ["length"], Recorded::give_big);
}

fn register_calls(methods: &mut Methods<Recorded>) {
    methods.call("Nothing", [], Recorded::nothing);
    methods.call("NothingLater", [], Recorded::nothing_later);
    methods.call("TextLater", ["text"], Recorded::text_later);
    methods.call("AddLater", ["a", "b"], Recorded::add);
    methods.call("Add", ["a", "b"], Recorded::add);
    methods.call("AddOptional", ["a", "b"], Recorded::add);
    methods.call("renamed", [], Recorded::renamed);
    methods.call("Slow", ["milliseconds"], Recorded::slow);
    methods.call("Throw", ["text"], Recorded::throw);
    methods.call("ThrowLater", ["text"], Recorded::throw);
    methods.call("ThrowHub", ["text"], Recorded::throw_hub);
    methods.call("WhoAmI", [], Recorded::who_am_i);
    methods.call("MyId", [], Recorded::my_id);
    methods.call("Abort", [], Recorded::abort);
    methods.call("AdminOnly", [], Recorded::admin_only).roles(["admin"]);
}

fn register_streams(methods: &mut Methods<Recorded>) {
    methods.stream("Count", ["n"], Recorded::count);
    methods.stream("CountChannel", ["n"], Recorded::count);
    methods.stream("CountLater", ["n"], Recorded::count_later);
    methods.stream("Mixed", [], Recorded::mixed);
    methods.stream("Orders", [], Recorded::orders);
    methods.stream("Empty", [], Recorded::empty);
    methods.stream("CountThenThrow", ["n"], Recorded::count_then_throw);
    methods.stream("CountThenThrowHub", ["n"], Recorded::count_then_throw_hub);
    methods.stream("ThrowBeforeStream", [], Recorded::throw_before_stream);
    methods.stream("ThrowHubBeforeStream", [], Recorded::throw_hub_before_stream);
    methods.stream("Endless", [], Recorded::endless);
    methods.stream("AdminStream", [], Recorded::admin_stream).roles(["admin"]);
    methods.call("Sum", ["numbers"], Recorded::sum);
    methods.call("Concat", ["texts", "prefix"], Recorded::concat);
    methods.call("Zip", ["label", "numbers", "factor", "texts"], Recorded::zip);
    methods.stream("Double", ["numbers"], Recorded::double);
    methods.call("UploadError", ["numbers"], Recorded::upload_error);
    methods.call("TakeOne", ["numbers"], Recorded::take_one);
    methods.call("Upload", ["label", "numbers"], Recorded::upload);
}

fn register_messages(methods: &mut Methods<Recorded>) {
    methods.call("Note", ["text"], Recorded::note);
    methods.call("CallBack", ["value"], Recorded::call_back);
    methods.call("CallOrder", [], Recorded::call_order);
    methods.call("CallNoArguments", [], Recorded::call_no_arguments);
    methods.call("CallMany", ["n"], Recorded::call_many);
    methods.call("CallAll", ["text"], Recorded::call_all);
    methods.call("CallOthers", ["text"], Recorded::call_others);
    methods.call("CallUser", ["user", "text"], Recorded::call_user);
    methods.call("Join", ["group"], Recorded::join);
    methods.call("Leave", ["group"], Recorded::leave);
    methods.call("CallGroup", ["group", "text"], Recorded::call_group);
    methods.call("CallOthersInGroup", ["group", "text"], Recorded::call_others_in_group);
    methods.call("AskCaller", ["question"], Recorded::ask_caller);
    methods.event(&WELCOME);
    methods.event(&UPLOADED);
    methods.event(&NOTED);
    methods.event(&CALLED_BACK);
    methods.event(&GOT_ORDER);
    methods.event(&TICK);
    methods.event(&ITEM);
    methods.event(&FROM_ALL);
    methods.event(&FROM_OTHERS);
    methods.event(&FROM_USER);
    methods.event(&FROM_GROUP);
    methods.question(&ASK_FOR_TEXT);
    methods.question(&ASK_INT);
}
