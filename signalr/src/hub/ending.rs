//! Why a connection ends, and what the client is told.

use super::error::HubError;
use crate::conversation::Ended;
use crate::message::Outgoing;

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client closed it, with an error if it said so.
    Client(Option<String>),
    /// The client has gone, or has not read what it was sent.
    Gone,
    /// By `Context::abort`.
    Aborted,
    /// By `Hub::on_connected` or a filter.
    Refused(HubError),
    /// The user's token has expired.
    Expired,
    /// The server stops.
    Stopping,
    /// The connection's task was aborted: the time for stopping was over.
    Cut,
    /// An Ack with a number that was never sent.
    Numbering,
    /// Something about the conversation.
    Conversation(Ended),
}

const ERROR: &str = "Connection closed with an error.";

impl End {
    /// The Close message's error and whether the client may connect again; `None` where no Close is sent.
    pub(super) fn close(&self, detailed: bool) -> Option<(Option<String>, bool)> {
        let with = |detail: &str| Some((Some(format!("{ERROR}{detail}")), true));
        match self {
            Self::Gone | Self::Cut | Self::Conversation(Ended::Handshake(_)) => None,
            Self::Client(_) | Self::Aborted => Some((None, false)),
            Self::Refused(error) => Some((Some(format!("{ERROR}{}", error.detail(detailed))), false)),
            Self::Expired | Self::Stopping => Some((None, true)),
            Self::Conversation(Ended::Protocol(text)) if detailed => {
                with(&format!(" InvalidDataException: {text}"))
            }
            Self::Conversation(Ended::Silent) if detailed => with(
                " OperationCanceledException: Client hasn't sent a message/ping within the configured ClientTimeoutInterval.",
            ),
            Self::Numbering if detailed => {
                with(" InvalidOperationException: Ack of a message that was never sent.")
            }
            Self::Conversation(_) | Self::Numbering => with(""),
        }
    }

    /// For `Hub::on_disconnected`: `None` where the client closed the connection by itself.
    pub(super) fn reason(&self) -> Option<String> {
        match self {
            Self::Client(error) => error.clone(),
            Self::Gone => Some("the client has gone, or did not read what it was sent".to_owned()),
            Self::Aborted => Some("aborted".to_owned()),
            Self::Refused(error) => Some(format!("refused: {error}")),
            Self::Expired => Some("the user's token has expired".to_owned()),
            Self::Stopping | Self::Cut => Some("the server stops".to_owned()),
            Self::Numbering => Some("the client acknowledged a message that was never sent".to_owned()),
            Self::Conversation(ended) => Some(ended.to_string()),
        }
    }
}

/// As a message.
pub(super) fn message((error, allow_reconnect): &(Option<String>, bool)) -> Outgoing<'_> {
    Outgoing::Close { error: error.as_deref(), allow_reconnect: *allow_reconnect }
}
