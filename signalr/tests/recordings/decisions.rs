//! Where this server differs from ASP.NET Core by decision. Each reason is the subject of a row of `DIFFERENCES.md`.

use crate::outcome::Decision;

pub(crate) const HTTP: &[Decision] = &[
    Decision { cases: "CORS: WebSocket, other origin", reason: ORIGIN, only: ORIGIN_REFUSED },
    Decision { cases: "upgrade: Origin of another site", reason: ORIGIN, only: ORIGIN_REFUSED },
    Decision {
        cases: "another user's id",
        reason: "Another user on an id",
        only: &[
            "status 403",
            "reason Forbidden",
            "headers",
            "belongs to another user",
            "is missing",
            "body: message 1",
        ],
    },
    Decision { cases: "negotiate: path in capitals", reason: "Case of paths", only: &["1: "] },
    Decision {
        cases: "DELETE while a poll is pending",
        reason: "Poll that is pending at a DELETE",
        only: &["5: "],
    },
];

const ORIGIN: &str = "`Origin` of an upgrade";
const ORIGIN_REFUSED: &[&str] =
    &["1: status 403", "1: reason Forbidden", "1: headers", "1: body \"The origin"];

pub(crate) const WEBSOCKET: &[Decision] = &[
    Decision {
        cases: "json: a call of 300 ms, a waiting call",
        reason: TURN,
        only: &[
            "\"result\":300,\"type\":3} is missing",
            "\"result\":2,\"type\":3} is missing",
            "timed items",
        ],
    },
    Decision {
        cases: "websocket: silent after a ping, during a call of 5 s behind which another one waits",
        reason: TURN,
        only: &["message 2 is {\"allowReconnect\":true", "is missing"],
    },
    Decision {
        cases: "json: duplicate",
        reason: "`arguments` twice in one JSON message",
        only: &["message 2 is {\"invocationId\":\"1\",\"result\":1,\"type\":3}"],
    },
    Decision {
        cases: "json: id of an open stream used again for a stream",
        reason: "Id of an open stream that is used again",
        only: &["timed items", "cancelled streams"],
    },
    Decision { cases: "json: object", reason: FIELDS, only: &["message 2 is"] },
    Decision { cases: "messagepack: object", reason: FIELDS, only: &["message 2 is"] },
    Decision { cases: "json: type", reason: UNKNOWN_TYPE, only: &["was not recorded"] },
    Decision { cases: "messagepack: type", reason: UNKNOWN_TYPE, only: &["was not recorded"] },
    Decision {
        cases: "json: upload: stream id already open",
        reason: "Upload id that is open already",
        only: &["Invocation ID 's' is already in use.", "was not recorded"],
    },
    Decision { cases: "messagepack: length 2^31-1", reason: LENGTH, only: LENGTH_REFUSED },
    Decision {
        cases: "messagepack: length above the limit, limit 512",
        reason: LENGTH,
        only: LENGTH_REFUSED,
    },
    Decision { cases: "messagepack: length longer than the content", reason: LENGTH, only: LENGTH_REFUSED },
];

const TURN: &str = "Calls that wait for their turn";
const FIELDS: &str = "Which values fit a type";
const UNKNOWN_TYPE: &str = "Message of a type that is not known";
const LENGTH: &str = "Length in front of MessagePack above `max_message_bytes`";
const LENGTH_REFUSED: &[&str] =
    &["[7,\"Connection closed with an error.\",true] was not recorded", "the connection ends"];

pub(crate) const STATEFUL: &[Decision] = &[
    Decision {
        cases: "stateful: Acks and their time",
        reason: "Item of a stream that is not known, on a stateful connection",
        only: &["Ack Some(7), recorded Some(6)"],
    },
    Decision {
        cases: "stateful: takeover",
        reason: TAKEOVER,
        only: &["socket 1: close frame None", "socket 2: ", "socket 3: message 2"],
    },
];

const TAKEOVER: &str = "Second socket of a stateful connection";

pub(crate) const TRANSCRIPTS: &[Decision] = &[
    Decision { cases: "abort/", reason: ENCODED, only: NAN },
    Decision { cases: "stateful/server-ended-by-error-js10-json", reason: ENCODED, only: NAN },
    Decision { cases: "parallel/", reason: TURN, only: &[": message "] },
    Decision {
        cases: "server-streams/",
        reason: "Streaming method that returns null",
        only: &["NullStream"],
    },
    Decision {
        cases: "shutdown/",
        reason: "Shutdown",
        only: &["a Close with allowReconnect, recorded none"],
    },
    Decision {
        cases: "stateful/aborted-js10-json",
        reason: "Id of a connection that just ended",
        only: &[
            "status 404, recorded 409",
            "reason Not Found",
            "headers []",
            "body \"No Connection with that ID\"",
        ],
    },
    Decision {
        cases: "stateful/half-open",
        reason: TAKEOVER,
        only: &["connection 4: ", "GET /hubs/stateful?id="],
    },
];

const ENCODED: &str = "Result or item that cannot be encoded";
const NAN: &[&str] = &["invoking 'GiveNaN' on the server", "close frame None"];

#[test]
fn each_decision_is_on_the_page_of_differences() {
    let page = include_str!("../../DIFFERENCES.md");
    for decision in [HTTP, WEBSOCKET, STATEFUL, TRANSCRIPTS].into_iter().flatten() {
        let row = format!("\n| {} | ", decision.reason);
        assert!(page.contains(&row), "DIFFERENCES.md has no row about: {}", decision.reason);
    }
}
