use serde_json::Value;

use crate::shape::Form;
use crate::{shape, texts};

/// So many ids can be given at once.
pub const MOST_ERROR_IDS: u32 = 1_000;
/// Something is done with so many messages at once at most.
pub const MOST_ERRORS_AT_ONCE: u32 = 10_000;
/// Something is done with so many messages where no limit is given.
pub const ERRORS_AT_ONCE: u32 = 1_000;
/// Of a queue that is listed, so many messages are looked at at most.
pub const MOST_ERRORS_LISTED: u32 = 10_000;

texts! {
    /// Why a message lies where it does, as [`ErrorView::kind`] has it.
    pub mod error_kind {
        /// Its handler failed, or it could not be read.
        ERROR = "error";
        /// Its endpoint handles no such type.
        SKIPPED = "skipped";
        /// It came to a queue of a feed and is no frame of it.
        DEAD_LETTER = "dead-letter";
        /// It lies in a queue whose name says nothing, and does not say itself why.
        PARKED = "parked";
    }
}

shape! {
    /// A queue of messages that failed.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct ErrorQueueView {
        /// Its name.
        pub name: String,
        /// What lies in it.
        pub kind: String as Form::OneOf(&error_kind::TEXTS),
        /// How many messages wait in it.
        pub messages: u64,
        /// How many programs consume it.
        pub consumers: u32,
        /// `classic` or `quorum`; absent where the management API does not answer.
        pub queue_type: Option<String>,
        /// After so many returns it drops a message, where it does.
        pub delivery_limit: Option<u64>,
        /// So many messages of it were looked at, the first ones: what follows is of these.
        pub looked_at: u64,
        /// When the oldest of them failed, or else was sent.
        pub oldest_at: Option<String> as Form::Time,
        /// How long ago that is, in seconds.
        pub oldest_age_s: Option<u64>,
        /// When the newest of them failed, or else was sent.
        pub newest_at: Option<String> as Form::Time,
        /// Why the newest of them failed.
        pub newest_reason: Option<String>,
    }
}

shape! {
    /// A message that failed, as a list has it.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct ErrorView {
        /// What it is known by: its message id; without one, an id made of what is in it.
        pub id: String,
        /// The queue that it lies in.
        pub queue: String,
        /// Why it lies there.
        pub kind: String as Form::OneOf(&error_kind::TEXTS),
        /// The reason, of which the first 2,048 characters.
        pub reason: String,
        /// The exception's type, the innermost one's in what MassTransit writes.
        pub exception_type: Option<String>,
        /// When it failed.
        pub failed_at: Option<String> as Form::Time,
        /// When it was sent.
        pub sent_at: Option<String> as Form::Time,
        /// Its first type, as `Orchard.Contracts:CreateUser`.
        pub message_type: Option<String>,
        /// Its message id, which a repetition has as well.
        pub message_id: Option<String>,
        /// The command's id: the correlation id of its envelope.
        pub command_id: Option<String>,
        /// Where it goes when it is requeued: an exchange, of a dead letter a queue.
        pub endpoint: Option<String>,
        /// How large its body is.
        pub bytes: u64,
    }
}

shape! {
    /// A message that failed, in full.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct ErrorDetailView {
        /// As a list has it.
        pub message: ErrorView,
        /// The exception's stack, or the chain of causes; of which the first 16,384 characters.
        pub stack_trace: Option<String>,
        /// Which consumer failed.
        pub consumer_type: Option<String>,
        /// How often it was tried again in its handler.
        pub retries: Option<u64>,
        /// Where it failed.
        pub input_address: Option<String>,
        /// In which program.
        pub host: ErrorHost,
        /// Why the original's envelope cannot be read, if it cannot.
        pub unreadable: Option<String>,
        /// All its types.
        pub message_types: Vec<String>,
        /// The request that it is.
        pub request_id: Option<String>,
        /// The command that caused it.
        pub initiator_id: Option<String>,
        /// The first of the tree of causes.
        pub conversation_id: Option<String>,
        /// Who sent it.
        pub source_address: Option<String>,
        /// Where to.
        pub destination_address: Option<String>,
        /// Where an answer goes.
        pub response_address: Option<String>,
        /// Where a fault goes.
        pub fault_address: Option<String>,
        /// How it came to the queue of its feed, if it is a dead letter.
        pub came_by: Option<String>,
        /// The exchange by which it came to this queue.
        pub exchange: String,
        /// The routing key.
        pub routing_key: String,
        /// What its body is, as a media type.
        pub content_type: Option<String>,
        /// Its AMQP headers: an object.
        pub headers: Value,
        /// The original as it was sent, where it is text.
        pub body: Option<String>,
        /// The original, where it is no text, as base64.
        pub body_base64: Option<String>,
        /// Whether only the beginning of the original is given: it has more than 1 MiB.
        pub is_body_cut: bool,
    }
}

shape! {
    /// The program in which a message failed.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct ErrorHost {
        /// Its machine.
        pub machine: Option<String>,
        /// Its process.
        pub process: Option<String>,
        /// Its process id.
        pub process_id: Option<String>,
        /// Its version.
        pub version: Option<String>,
        /// The version of MassTransit in it.
        pub mass_transit_version: Option<String>,
    }
}

shape! {
    /// Which messages are given to the endpoint where they failed: those that meet all that is given, or `all`.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct RequeueErrorsBody {
        /// Whose own id, message id or command id is one of these; at most 1,000.
        #[serde(default)]
        pub ids: Vec<String> as Form::Items(MOST_ERROR_IDS),
        /// Whose type has this in it, in any case, as `CreateUser`.
        #[serde(rename = "type")]
        pub message_type: Option<String>,
        /// Whose reason or exception has this in it, in any case.
        pub reason: Option<String>,
        /// That failed so long ago, or longer: `2h`, `30d`.
        pub older_than: Option<String>,
        /// That failed since so long ago.
        pub newer_than: Option<String>,
        /// All of the queue.
        pub all: Option<bool>,
        /// At most so many; 1,000 where absent.
        pub limit: Option<u32> as Form::Between { least: 1, most: MOST_ERRORS_AT_ONCE as u64 },
        /// Nothing is done: the answer says what would be.
        pub dry_run: Option<bool>,
        /// Another endpoint's exchange.
        pub to: Option<String>,
    }
}

shape! {
    /// Which messages are given to another queue: those that meet all that is given, or `all`.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct MoveErrorsBody {
        /// The queue, which must be there.
        pub to: String,
        /// Whose own id, message id or command id is one of these; at most 1,000.
        #[serde(default)]
        pub ids: Vec<String> as Form::Items(MOST_ERROR_IDS),
        /// Whose type has this in it, in any case, as `CreateUser`.
        #[serde(rename = "type")]
        pub message_type: Option<String>,
        /// Whose reason or exception has this in it, in any case.
        pub reason: Option<String>,
        /// That failed so long ago, or longer: `2h`, `30d`.
        pub older_than: Option<String>,
        /// That failed since so long ago.
        pub newer_than: Option<String>,
        /// All of the queue.
        pub all: Option<bool>,
        /// At most so many; 1,000 where absent.
        pub limit: Option<u32> as Form::Between { least: 1, most: MOST_ERRORS_AT_ONCE as u64 },
        /// Nothing is done: the answer says what would be.
        pub dry_run: Option<bool>,
    }
}

shape! {
    /// Which messages are written down and removed: those that meet all that is given, or `all`.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct DiscardErrorsBody {
        /// Whose own id, message id or command id is one of these; at most 1,000.
        #[serde(default)]
        pub ids: Vec<String> as Form::Items(MOST_ERROR_IDS),
        /// Whose type has this in it, in any case, as `CreateUser`.
        #[serde(rename = "type")]
        pub message_type: Option<String>,
        /// Whose reason or exception has this in it, in any case.
        pub reason: Option<String>,
        /// That failed so long ago, or longer: `2h`, `30d`.
        pub older_than: Option<String>,
        /// That failed since so long ago.
        pub newer_than: Option<String>,
        /// All of the queue.
        pub all: Option<bool>,
        /// At most so many; 1,000 where absent.
        pub limit: Option<u32> as Form::Between { least: 1, most: MOST_ERRORS_AT_ONCE as u64 },
        /// Nothing is done: the answer says what would be.
        pub dry_run: Option<bool>,
    }
}

shape! {
    /// What became of the selected messages, which is done when it is answered.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct ErrorsDone {
        /// Whether nothing was done, as only that was asked for.
        pub is_dry_run: bool,
        /// So many were looked at.
        pub looked_at: u64,
        /// So many of them were selected.
        pub selected: u64,
        /// So many have their place; none in a dry run.
        pub done: u64,
        /// So many stay, as their place does not take them.
        pub stayed: u64,
        /// The first 100 that stay.
        pub stays: Vec<StayedError>,
        /// What was done, or in a dry run would be, of which the first 100.
        pub first: Vec<ErrorView>,
        /// Whether it ended by the limit, or by time, so that there may be more: ask again.
        pub is_cut: bool,
        /// The file in the server's folder of state where what was discarded is written down.
        pub record: Option<String>,
    }
}

shape! {
    /// A message that stays where it was.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct StayedError {
        /// The message.
        pub message: ErrorView,
        /// Why.
        pub reason: String,
    }
}
