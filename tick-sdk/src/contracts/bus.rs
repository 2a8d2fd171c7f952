//! What becomes of a command: events that every context's log holds beside its own.
//!
//! They carry the command's id as their correlation id. They are no [`Event`](super::Event)s that a service
//! could publish: only the bus writes them.

use serde_json::Value;

use crate::api::command_state;
use crate::shape::Form;
use crate::{request, shape};

/// The endpoint that answers what is asked about commands.
pub const COMMANDS: &str = "commands";

/// The context whose log has what a gateway heard on a broker: commands and events of services whose own logs it
/// does not read.
pub const HEARD: &str = "heard";

shape! {
    /// What became of this command? Answered with [`CommandFound`] or [`CommandNotFound`].
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GetCommand {
        /// The command.
        pub command_id: super::CommandId,
    }
}
request!(GetCommand, version 1, endpoint COMMANDS, answers [CommandFound, CommandNotFound]);

shape! {
    /// What became of a command, as `GET /api/commands/{id}` has it.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CommandFound {
        /// The command.
        pub command_id: super::CommandId,
        /// Its contract, as `StartReplay`.
        pub command: String,
        /// Where it was sent.
        pub endpoint: String,
        /// How it stands.
        pub state: String as Form::OneOf(&command_state::TEXTS),
        /// Why it failed, where it did.
        #[serde(default)]
        pub reason: Option<String>,
        /// What came of it as JSON text, where something did.
        #[serde(default)]
        pub result: Option<String>,
        /// Attempts so far.
        pub attempts: u32,
    }
}

shape! {
    /// There is no command of this id, or it is forgotten.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CommandNotFound {
        /// The id that was asked for.
        pub command_id: super::CommandId,
    }
}

shape! {
    /// The command is on disk: it will be carried out, or refused with the reason.
    #[derive(Clone, Debug, PartialEq)]
    pub struct CommandAccepted {
        /// The command's contract, as `StartReplay`.
        pub command: String,
        /// Where it was sent.
        pub endpoint: String,
        /// Who asked: the name of an API key, or the service that sent it.
        pub caller: String,
        /// The message itself.
        pub body: Value,
    }
}

shape! {
    /// A copy of the command was seen on its way to its endpoint, which may be away: its context's log says what
    /// becomes of it.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CommandSeen {
        /// The command's contract, as `StartReplay`.
        pub command: String,
        /// Where it was sent.
        pub endpoint: String,
        /// Who asked: the name of an API key, or the service that sent it.
        pub caller: String,
        /// What tells another command under the same id from this one.
        #[serde(default)]
        pub body_hash: Option<uuid::Uuid>,
    }
}

shape! {
    /// Another command came under the id of this one, and was refused: its message is in the endpoint's error queue. This
    /// one came first, and stands.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct OtherCommandRefused {
        /// The other command's contract, as `StartReplay`.
        pub command: String,
        /// Who asked for it.
        pub caller: String,
        /// Why it was refused.
        pub reason: String,
    }
}

shape! {
    /// An attempt failed, and another follows.
    #[derive(Clone, Debug, PartialEq)]
    pub struct CommandRetried {
        /// Attempts so far, from 1.
        pub attempts: u32,
        /// Why the last one failed.
        pub reason: String,
        /// When the next is due, in ms since the UNIX epoch.
        pub due_ms: u64,
    }
}

shape! {
    /// It was taken on; the work goes on after its handler.
    #[derive(Clone, Debug, PartialEq)]
    pub struct CommandProcessing {
        /// Attempts so far, from 1.
        pub attempts: u32,
    }
}

shape! {
    /// It was carried out.
    #[derive(Clone, Debug, PartialEq)]
    pub struct CommandCompleted {
        /// Attempts that it took, from 1.
        pub attempts: u32,
        /// What came of it; an object, or null.
        pub result: Value as Form::ObjectOrNull,
        /// It is shown as completed once all of these can be read.
        #[serde(default)]
        pub readable_at: Vec<ReadableAt>,
    }
}

shape! {
    /// A position of a context's log that a reader must have passed.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ReadableAt {
        /// The context whose log is meant.
        pub context: String,
        /// The position of the last event that belongs to it.
        pub position: u64,
    }
}

shape! {
    /// It was not carried out.
    #[derive(Clone, Debug, PartialEq)]
    pub struct CommandFailed {
        /// Attempts, from 1.
        pub attempts: u32,
        /// Why.
        pub reason: String,
    }
}

shape! {
    /// It was stopped on somebody's wish.
    #[derive(Clone, Debug, PartialEq)]
    pub struct CommandCancelled {
        /// What came of it until then; an object, or null.
        pub result: Value as Form::ObjectOrNull,
        /// It is shown as cancelled once all of these can be read.
        #[serde(default)]
        pub readable_at: Vec<ReadableAt>,
    }
}

shape! {
    /// Tries a failed command again, once what it failed of is mended. It is sent to the endpoint of that command.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct RequeueCommand {
        /// The failed command.
        pub command_id: super::CommandId,
    }
}

shape! {
    /// A failed command is to be tried again: it is accepted once more.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CommandRequeued {
        /// The command that asked for it.
        pub requeued_by: super::CommandId,
    }
}

shape! {
    /// Commands that ended long ago are forgotten: their status events are gone from the log.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CommandsForgotten {
        /// Their ids.
        pub command_ids: Vec<super::CommandId>,
    }
}

shape! {
    /// Events of other services that were heard long ago are gone from the log of what was heard: whoever has made
    /// something of them removes it.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct EventsForgotten {
        /// Where they stood.
        pub positions: Vec<u64>,
    }
}

/// Whether an event of this name says what becomes of a command: it stands in each context's log, and is published
/// to nobody.
pub fn is_status(name: &str) -> bool {
    STATUS_EVENTS.contains(&name)
}

macro_rules! names {
    ($($Name:ident),* $(,)?) => { $(
        impl $Name {
            /// The message's name.
            pub const NAME: &'static str = ::core::stringify!($Name);
        }
    )* };
}
macro_rules! status_events {
    ($($Name:ident),* $(,)?) => {
        names!($($Name),*);

        /// The names of the events that every context's log can have.
        pub const STATUS_EVENTS: &[&str] = &[$($Name::NAME),*];
    };
}
names!(RequeueCommand);
status_events!(
    CommandSeen,
    CommandAccepted,
    OtherCommandRefused,
    CommandRetried,
    CommandProcessing,
    CommandCompleted,
    CommandFailed,
    CommandCancelled,
    CommandRequeued,
    CommandsForgotten,
    EventsForgotten,
);
