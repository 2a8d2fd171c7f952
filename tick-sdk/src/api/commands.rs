use serde_json::Value;

use crate::contracts::{CommandId, ConversationId};
use crate::shape::Form;
use crate::{shape, texts};

shape! {
    /// The answer to every request that asks for something to be done: it will be, or the status says why not.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Accepted {
        /// The command.
        pub command_id: CommandId,
        /// The first of the tree of causes that it belongs to.
        pub correlation_id: ConversationId,
        /// The path of its status, which is also in the header `Location`.
        pub status: String,
    }
}

texts! {
    /// The states of a command, as [`CommandView::state`] has them.
    pub mod command_state {
        /// On disk, and not yet begun; also between two attempts.
        ACCEPTED = "accepted";
        /// Begun; also while what it made cannot be read yet.
        PROCESSING = "processing";
        /// Carried out, and what it made can be read.
        COMPLETED = "completed";
        /// Not carried out; the reason says why.
        FAILED = "failed";
        /// Stopped on somebody's wish.
        CANCELLED = "cancelled";
    }
    with {
        /// Whether nothing more happens to a command in this state, unless somebody requeues it.
        pub fn is_final(state: &str) -> bool {
            matches!(state, COMPLETED | FAILED | CANCELLED)
        }
    }
}

shape! {
    /// What has become of a command.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct CommandView {
        /// The command.
        pub command_id: CommandId,
        /// Its contract, as `StartReplay`.
        pub command: String,
        /// Where it was sent.
        pub endpoint: String,
        /// Who asked.
        pub caller: String,
        /// How it stands.
        pub state: String as Form::OneOf(&command_state::TEXTS),
        /// How often it was tried.
        pub attempts: u32,
        /// When it was on disk.
        pub accepted_at: String as Form::Time,
        /// When the first attempt was noticed: of a command that ends in its handler, the end.
        pub started_at: Option<String> as Form::Time,
        /// When it ended.
        pub ended_at: Option<String> as Form::Time,
        /// When the next attempt is due, where the last one failed.
        pub retry_at: Option<String> as Form::Time,
        /// Why it failed, or why its last attempt did.
        pub reason: Option<String>,
        /// What came of it: an object, or null.
        pub result: Option<Value> as Form::ObjectOrNull,
        /// The first of the tree of causes that it belongs to.
        pub correlation_id: Option<ConversationId>,
        /// The command that caused it, where one did.
        pub caused_by: Option<CommandId>,
        /// The command that last asked for it to be tried again, where one did.
        pub requeued_by: Option<CommandId>,
        /// Why another command was refused that came under the same id, where one did.
        #[serde(default)]
        pub other_refused: Option<String>,
    }
}

shape! {
    /// A command among its causes and effects.
    #[derive(Clone, Debug, PartialEq)]
    pub struct CommandTree {
        /// The command that was asked about.
        pub command_id: CommandId,
        /// From the first cause down to the command itself.
        pub causes: Vec<CommandId>,
        /// The first cause, with everything that came of it.
        pub root: CommandNode,
        /// Whether the tree has more commands than are shown.
        pub is_cut: bool,
    }
}

shape! {
    /// A command with those that it caused.
    #[derive(Clone, Debug, PartialEq)]
    pub struct CommandNode {
        /// The command.
        #[serde(flatten)]
        pub command: CommandView,
        /// What it caused, in the order in which it was accepted.
        pub caused: Vec<Self>,
    }
}
