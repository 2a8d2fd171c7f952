//! Two contexts: a desk where numbers are noted, and a van that delivers them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bus::{Handled, Handler, HandlerError, Message, Retry, Work, values};
use serde::{Deserialize, Serialize};

pub(crate) const DESK: &str = "desk";
pub(crate) const VAN: &str = "van";
/// Nobody serves it.
pub(crate) const NOWHERE: &str = "nowhere";
pub(crate) const TABLES: &str = "CREATE TABLE IF NOT EXISTS effect (number INTEGER NOT NULL) STRICT;";

macro_rules! message {
    ($kind:ident $Name:ident, $place:ident $context:literal) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub(crate) struct $Name {
            pub(crate) number: i64,
        }

        tick_sdk::$kind!($Name, version 1, $place $context);
    };
}

message!(command Jot, endpoint "desk");
message!(command Stumble, endpoint "desk");
message!(command Fall, endpoint "desk");
message!(command Order, endpoint "desk");
message!(command Deliver, endpoint "van");
message!(command Vanish, endpoint "nowhere");
message!(event Jotted, context "desk");
message!(event Delivered, context "van");

/// Whether [`Fall`] works by now.
#[derive(Clone, Default)]
pub(crate) struct IsMended(pub(crate) Arc<AtomicBool>);

fn jot(work: &mut Work<'_>, number: i64) -> Result<(), HandlerError> {
    work.tables()?.execute("INSERT INTO effect VALUES ($1)", &values![number])?;
    work.publish(&Jotted { number });
    Ok(())
}

macro_rules! handlers {
    ($($Handler:ident for $Command:ident: |$message:ident, $work:ident| $handle:block)*) => { $(
        #[derive(Default)]
        struct $Handler;

        impl Handler for $Handler {
            type Command = $Command;
            const RETRY: Retry = Retry::Immediate(1);

            async fn handle(
                &self,
                $message: &Message<$Command>,
                $work: &mut Work<'_>,
            ) -> Result<Handled, HandlerError> $handle
        }

        bus::handler!($Handler);
    )* };
}

handlers! {
    OnJot for Jot: |message, work| {
        jot(work, message.body.number)?;
        Ok(Handled::DONE)
    }
    OnStumble for Stumble: |message, work| {
        jot(work, message.body.number)?;
        if message.attempt == 1 {
            return Err(HandlerError::failed("at first"));
        }
        Ok(Handled::DONE)
    }
    OnFall for Fall: |message, work| {
        jot(work, message.body.number)?;
        if work.resource::<IsMended>()?.0.load(Ordering::Acquire) {
            return Ok(Handled::DONE);
        }
        Err(HandlerError::failed(format!("number {} is out of stock", message.body.number)))
    }
    OnOrder for Order: |message, work| {
        let number = message.body.number;
        if number < 0 {
            work.send(&Vanish { number });
        } else {
            work.send(&Deliver { number });
        }
        Ok(Handled::DONE)
    }
    OnDeliver for Deliver: |message, work| {
        work.publish(&Delivered { number: message.body.number });
        Ok(Handled::DONE)
    }
}
