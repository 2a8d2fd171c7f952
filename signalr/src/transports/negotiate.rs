//! The first request of a client: it is given an id, or sent elsewhere.

use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;
use serde::Serialize;

use super::answer::{self, Refusal};
use super::endpoint::Shared;
use super::link::{Client, Link};
use super::{Redirect, Transport, request};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Granted<'a> {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    use_stateful_reconnect: bool,
    negotiate_version: u8,
    connection_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_token: Option<&'a str>,
    available_transports: Vec<Available>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Available {
    transport: &'static str,
    transfer_formats: &'static [&'static str],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Redirected<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
}

#[derive(Serialize)]
struct Failed<'a> {
    error: &'a str,
}

pub(super) fn negotiate(shared: &Shared, parts: &Parts, client: Client) -> Result<Response<Body>, Refusal> {
    let version = match version(request::query(parts, "negotiateVersion").as_deref()) {
        Ok(version) => version,
        Err(error) => return Ok(json(&Failed { error: &error })),
    };
    if let Some(redirect) = shared.redirect.get().and_then(|redirect| redirect(parts)) {
        let Redirect { url, access_token } = &redirect;
        return Ok(json(&Redirected { url, access_token: access_token.as_deref() }));
    }
    let options = &shared.links.options;
    let asks_stateful = request::query(parts, "useStatefulReconnect")
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
    let is_stateful = options.offers_stateful_reconnect() && asks_stateful;
    let link = shared.links.negotiate(client, version == 0, is_stateful)?;
    Ok(json(&granted(&link, version, &options.transports)))
}

/// What is answered: 1 where the client wants something newer.
fn version(asked: Option<&str>) -> Result<u8, String> {
    let Some(asked) = asked else { return Ok(0) };
    match asked.trim().parse::<i32>() {
        Ok(0) => Ok(0),
        Ok(1..) => Ok(1),
        Ok(negative) => Err(format!(
            "The client requested version '{negative}', but the server does not support this version."
        )),
        Err(_) => Err("The client requested a non-integer protocol version.".to_owned()),
    }
}

fn granted<'a>(link: &'a Link, version: u8, transports: &[Transport]) -> Granted<'a> {
    Granted {
        use_stateful_reconnect: link.is_stateful,
        negotiate_version: version,
        connection_id: link.id.as_str(),
        connection_token: (version > 0).then_some(&*link.token.0),
        available_transports: transports.iter().copied().map(available).collect(),
    }
}

fn available(transport: Transport) -> Available {
    const BOTH: &[&str] = &["Text", "Binary"];
    match transport {
        Transport::WebSockets => Available { transport: "WebSockets", transfer_formats: BOTH },
        Transport::ServerSentEvents => {
            Available { transport: "ServerSentEvents", transfer_formats: &["Text"] }
        }
        Transport::LongPolling => Available { transport: "LongPolling", transfer_formats: BOTH },
    }
}

fn json(content: &impl Serialize) -> Response<Body> {
    answer::json(serde_json::to_string(content).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_read_as_dotnet_reads_integers() {
        assert_eq!(version(None), Ok(0));
        for (asked, answered) in [("0", 0), ("1", 1), (" 1", 1), ("+1", 1), ("01", 1), ("2", 1), ("99", 1)] {
            assert_eq!(version(Some(asked)), Ok(answered), "{asked}");
        }
        for asked in ["", "abc", "1.5", "1,0", "99999999999", "0x1"] {
            let error = "The client requested a non-integer protocol version.".to_owned();
            assert_eq!(version(Some(asked)), Err(error), "{asked}");
        }
        let error = "The client requested version '-1', but the server does not support this version.";
        assert_eq!(version(Some("-1")), Err(error.to_owned()));
    }
}
